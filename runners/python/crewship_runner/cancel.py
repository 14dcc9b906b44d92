"""The cancel of one run, as the user's code and the hosts see it."""

from __future__ import annotations

import threading


class RunCanceled(BaseException):
    """Raised in the code of a run that was canceled. No `except Exception` keeps it from ending the run."""


class Cancel:
    """Set once, by the thread that reads the pipe; read by any thread."""

    def __init__(self) -> None:
        self._event = threading.Event()

    @property
    def aborted(self) -> bool:
        return self._event.is_set()

    def abort(self) -> None:
        self._event.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until the run is canceled, at most `timeout` seconds. True when it is."""
        return self._event.wait(timeout)

    def raise_if_aborted(self) -> None:
        if self.aborted:
            raise RunCanceled()

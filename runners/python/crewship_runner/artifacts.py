"""CREWSHIP_ARTIFACTS: the folder for the files of the run whose code looks, made when it looks. Runs share the process, so
the variable has a value of its own in each."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .logs import current_run
from .mounts import bind

NAME = "CREWSHIP_ARTIFACTS"
# Code that was written for a container finds the folder here, where that can be made.
FIXED = "/app/artifacts"

# The folders of the runs under way.
_open: dict[str, str] = {}


def provide_artifacts() -> None:
    """Puts the variable into `os.environ`, for the life of the process."""
    variables = _Environment(os.environ._data)  # type: ignore[attr-defined]
    for view in (os.environ, os.environb):
        view._data = variables  # type: ignore[attr-defined]
    begin = subprocess.Popen.__init__

    def begin_in_run(self: Any, *args: Any, **kwargs: Any) -> None:
        """A child is given the system's own variables unless it is told others, and there this one is not."""
        if len(args) <= _ENV_AT and kwargs.get("env") is None and _folder_of_run() is not None:
            kwargs["env"] = os.environ.copy()
        begin(self, *args, **kwargs)

    subprocess.Popen.__init__ = begin_in_run  # type: ignore[method-assign]


# `env` among the positional parameters of Popen, counted without self.
_ENV_AT = 10


@contextmanager
def artifacts_of(run_id: str, folder: str | None, alone: bool) -> Iterator[None]:
    """`alone`: the process executes this run and no other."""
    if folder is None:
        yield
        return
    _open[run_id] = folder
    if alone and os.path.isdir(FIXED):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        bind(folder, FIXED)
    try:
        yield
    finally:
        del _open[run_id]


def artifact_folder() -> str | None:
    """The folder of the run whose code asks, which is there from now on. None outside of runs."""
    folder = _folder_of_run()
    if folder is not None:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    return folder


def _folder_of_run() -> str | None:
    """Code that has lost its run (a thread that copied no context) is that of the only one there is."""
    run = current_run.get()
    if run is not None:
        return _open.get(run.run_id)
    return next(iter(_open.values())) if len(_open) == 1 else None


class _Environment(dict):
    """What os.environ keeps, by encoded names, and the one variable that nobody set."""

    def __getitem__(self, key: Any) -> Any:
        if key == _KEY and (folder := artifact_folder()) is not None:
            return os.fsencode(folder)
        return super().__getitem__(key)

    def __contains__(self, key: Any) -> bool:
        return (key == _KEY and _folder_of_run() is not None) or super().__contains__(key)

    def __iter__(self) -> Iterator[Any]:
        yield from super().__iter__()
        if _folder_of_run() is not None and not super().__contains__(_KEY):
            yield _KEY

    def __len__(self) -> int:
        return sum(1 for _ in self)


_KEY = os.fsencode(NAME)

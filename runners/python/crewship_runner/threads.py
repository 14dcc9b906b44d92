"""Worker threads for sync user code. Each knows the run it works for, so that a cancel reaches it and the end of the run
waits for it."""

from __future__ import annotations

import asyncio
import contextvars
import ctypes
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from .cancel import RunCanceled
from .logs import current_run

T = TypeVar("T")

MAX_THREADS = 256
# How often the end of a canceled run's threads is looked for.
LOOK_S = 0.01
# Code that swallows the exception gets it again after so many looks, until its process is ended.
CANCEL_AGAIN_LOOKS = 20


class RunWork:
    """The threads that execute code of one run at this moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # By their ids; False while a thread is in a part that no cancel may leave halfway.
        self._threads: dict[int, bool] = {}
        self._canceled = False

    def call(self, function: Callable[..., T], *args: Any) -> T:
        try:
            try:
                self._enter()
                return function(*args)
            finally:
                self._leave()
        except RunCanceled:
            # It may have been raised on the way out, before the thread had left.
            self._leave()
            raise

    def cancel(self) -> None:
        """Raises RunCanceled in every thread of the run, at its next step of Python code."""
        with self._lock:
            self._canceled = True
            for ident, is_open in self._threads.items():
                if is_open:
                    _raise_in(ident, RunCanceled)

    async def settled(self) -> None:
        """Returns when no thread works for the canceled run any more."""
        looks = 0
        while self._threads:
            looks += 1
            if looks % CANCEL_AGAIN_LOOKS == 0:
                self.cancel()
            await asyncio.sleep(LOOK_S)

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """A part that must not be left halfway: a cancel reaches its thread only at the end of it."""
        is_outermost = self._close()
        try:
            yield
        finally:
            if is_outermost:
                self._open()

    def _enter(self) -> None:
        with self._lock:
            if self._canceled:
                raise RunCanceled()
            self._threads[threading.get_ident()] = True

    def _leave(self) -> None:
        ident = threading.get_ident()
        with self._lock:
            if ident in self._threads:
                # One that is still on its way would end another run's work in this thread. First, since it may be raised
                # at the next line: then the thread is still known to be at work.
                _raise_in(ident, None)
                del self._threads[ident]

    def _close(self) -> bool:
        ident = threading.get_ident()
        with self._lock:
            if not self._threads.get(ident):
                return False
            _raise_in(ident, None)
            self._threads[ident] = False
            return True

    def _open(self) -> None:
        """It may be interrupted again; if its run was canceled meanwhile, it is told so now."""
        with self._lock:
            self._threads[threading.get_ident()] = True
            canceled = self._canceled
        if canceled:
            raise RunCanceled()


class RunExecutor(ThreadPoolExecutor):
    """The event loop's executor: what is handed to it belongs to the run of the context it comes from."""

    def __init__(self) -> None:
        super().__init__(MAX_THREADS, thread_name_prefix="crewship")

    def submit(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        run = current_run.get()
        if run is None:
            return super().submit(function, *args, **kwargs)
        return super().submit(run.work.call, function, *args, **kwargs)


async def in_thread(function: Callable[..., T], *args: Any) -> T:
    """Calls sync code in a worker thread, in a copy of this context."""
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(None, context.run, function, *args)


def _raise_in(ident: int, exception: type[BaseException] | None) -> None:
    pending = ctypes.py_object(exception) if exception is not None else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), pending)

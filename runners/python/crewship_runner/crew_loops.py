"""The event loops inside a run: a flow runs in one of its own, and so does each agent of a crew, in a worker thread."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from .threads import MAX_THREADS, RunExecutor

_own_loops = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="crewship-loop")
_workers = RunExecutor()


def adopt_threads() -> None:
    """CrewAI runs sync code with asyncio.to_thread, in threads of whatever loop it is in. Ours belong to the run: a cancel
    reaches them, and a loop that ends has no threads to wait for."""

    async def to_thread(function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Any:
        call = partial(contextvars.copy_context().run, function, *arguments, **named)
        return await asyncio.get_running_loop().run_in_executor(_workers, call)

    asyncio.to_thread = asyncio.threads.to_thread = to_thread


async def in_own_loop(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Async code of a user who may block: it stops its own loop then, and not the one that serves all runs. A cancel cancels
    it there, and waits until it has ended."""
    there = _OtherLoop(work)
    context = contextvars.copy_context()
    ended = asyncio.get_running_loop().run_in_executor(_own_loops, context.run, asyncio.run, there.run())
    try:
        return await asyncio.shield(ended)
    except asyncio.CancelledError:
        there.cancel()
        await asyncio.wait({ended})
        if not ended.cancelled():
            # However it ended: nobody asks for it any more.
            ended.exception()
        raise


class _OtherLoop:
    def __init__(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        self._work = work
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._canceled = False

    async def run(self) -> Any:
        self._task = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        # Looked at after the loop is known, as a cancel looks for the loop after it is said.
        if self._canceled:
            raise asyncio.CancelledError
        return await self._work()

    def cancel(self) -> None:
        self._canceled = True
        if self._loop is None or self._task is None:
            return
        try:
            self._loop.call_soon_threadsafe(self._task.cancel)
        except RuntimeError:
            # It is closed: the work has ended.
            return

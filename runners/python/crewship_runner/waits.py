"""Code that sync and async callers share: a generator yields what it must wait for, and whoever drives it waits, the one
by blocking its thread, the other by awaiting."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


class Wait(NamedTuple):
    blocking: Callable[[], Any]
    awaited: Callable[[], Awaitable[Any]]


Steps = Generator[Wait, Any, T]


def run_steps(steps: Steps[T]) -> T:
    try:
        wait = next(steps)
        while True:
            try:
                value = wait.blocking()
            except BaseException as error:
                wait = steps.throw(error)
            else:
                wait = steps.send(value)
    except StopIteration as end:
        return end.value


async def arun_steps(steps: Steps[T]) -> T:
    try:
        wait = next(steps)
        while True:
            try:
                value = await wait.awaited()
            except BaseException as error:
                wait = steps.throw(error)
            else:
                wait = steps.send(value)
    except StopIteration as end:
        return end.value

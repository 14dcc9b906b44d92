"""CrewAI remembers every crew, agent and task that a @CrewBase class ever made, by the address of its instance: a process
that lives long would keep them all. What it remembers is needed while crews are built, by runs that are open."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from crewai.project import utils

_lock = threading.Lock()
_open_runs = 0


@contextmanager
def remembering() -> Iterator[None]:
    global _open_runs
    with _lock:
        _open_runs += 1
    try:
        yield
    finally:
        with _lock:
            _open_runs -= 1
            if _open_runs == 0:
                _forget()


def _forget() -> None:
    # Before 1.1 a least-recently-used cache of its own bound each method, with nothing to clear from here.
    remembered = getattr(getattr(utils, "cache", None), "_cache", None)
    if isinstance(remembered, dict):
        remembered.clear()

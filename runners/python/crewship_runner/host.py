"""What executes runs: a LangGraph graph, a crew, a flow or a plain function."""

from __future__ import annotations

from typing import Protocol

from .cancel import Cancel
from .pipe import RunPipe


class Host(Protocol):
    async def describe(self) -> dict | None:
        """What the agent is made of (structure.py); None when nothing can be said of it."""
        ...

    async def run(self, start: dict, pipe: RunPipe, cancel: Cancel) -> dict:
        """Executes one run. Returns the fields of `done`; an exception becomes a failed run."""
        ...

    async def update(self, update: dict, pipe: RunPipe) -> dict:
        """Applies values to the state as a node of the graph. Only LangGraph's graphs can."""
        ...

"""Holds each checkpoint until LangGraph has said what a person sees of it, and keeps everything that is stored in the
order in which it was handed over. That order is the commit order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from .memory import ThreadMemory
from .tuples import LiveTuple
from .waits import Steps

# Reports for checkpoints that were never put (LangGraph's `exit` durability) are forgotten beyond this many.
MAX_EARLY_REPORTS = 256


@dataclass(eq=False)
class _Held:
    live: LiveTuple
    body: dict
    shown: dict | None


# Describing a checkpoint may look for its ancestors, which flushes again.
_describing: ContextVar[tuple[_Held, ...]] = ContextVar("crewship_describing", default=())


class Journal:
    def __init__(
        self,
        store: Any,
        memory: ThreadMemory,
        lock: threading.RLock,
        describe: Callable[[LiveTuple], Steps[dict]],
    ) -> None:
        self._store = store
        self._memory = memory
        self._lock = lock
        # Makes a report for a checkpoint LangGraph said nothing about.
        self._describe = describe
        # Held checkpoints, and the writes that came among them.
        self._entries: deque[_Held | dict] = deque()
        self._early: dict[tuple[str, str], dict] = {}

    def checkpoint(self, live: LiveTuple, body: dict) -> None:
        with self._lock:
            shown = self._early.pop((live.namespace, live.id), None)
            self._entries.append(_Held(live, body, shown))
            self._advance()

    def writes(self, writes: dict) -> None:
        with self._lock:
            self._entries.append(writes)
            self._advance()

    def report(self, namespace: str, checkpoint_id: str, shown: Callable[[LiveTuple | None], dict]) -> None:
        """LangGraph's report, which may come before or after the put."""
        with self._lock:
            held = self._find(namespace, checkpoint_id)
            if held is None:
                self._early[(namespace, checkpoint_id)] = shown(None)
                if len(self._early) > MAX_EARLY_REPORTS:
                    del self._early[next(iter(self._early))]
            elif held.shown is None:
                held.shown = shown(held.live)
            self._advance()

    def pending(self, namespace: str, checkpoint_id: str) -> LiveTuple | None:
        """A checkpoint that is not on the pipe yet."""
        with self._lock:
            held = self._find(namespace, checkpoint_id)
            return None if held is None else held.live

    def flush(self) -> Steps[None]:
        """Sends everything, asking for the reports that never came."""
        with self._lock:
            held = [entry for entry in self._entries if isinstance(entry, _Held)]
        for entry in held:
            known = _describing.get()
            if entry.shown is not None or entry in known:
                continue
            token = _describing.set((*known, entry))
            try:
                shown = yield from self._describe(entry.live)
            finally:
                _describing.reset(token)
            with self._lock:
                entry.shown = entry.shown or shown
        with self._lock:
            self._advance()

    def _find(self, namespace: str, checkpoint_id: str) -> _Held | None:
        # The newest counts: LangGraph 0.2's subgraphs put theirs again and again under one id.
        for entry in reversed(self._entries):
            if isinstance(entry, _Held) and (entry.live.namespace, entry.live.id) == (
                namespace,
                checkpoint_id,
            ):
                return entry
        return None

    def _advance(self) -> None:
        while self._entries:
            entry = self._entries[0]
            if isinstance(entry, _Held) and entry.shown is None:
                return
            self._entries.popleft()
            # Items are numbered when a value is encoded, so a report may number items after those of what waits
            # behind it: each message takes along all that are not sent yet.
            items = self._memory.ledger.take_new()
            more = {} if items is None else {"items": items}
            if isinstance(entry, _Held):
                self._store.checkpoint({**entry.body, "shown": entry.shown, **more})
            else:
                self._store.writes({**entry, **more})

"""The state of recent threads, kept between runs so that the next run sends a position and not a conversation. A run
takes its thread's entry out and gives it back only when it ended well; the longest unused leave first."""

from __future__ import annotations

from typing import NamedTuple

from .memory import ThreadMemory

# Live values weigh more than their JSON: objects and their dicts, the ledger's keys.
BYTES_PER_JSON_CHARACTER = 8


class _Entry(NamedTuple):
    memory: ThreadMemory
    head: str
    size: int


class WarmStates:
    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        # In the order of their last use.
        self._entries: dict[int, _Entry] = {}
        self._bytes = 0

    def take(self, start: dict) -> ThreadMemory | None:
        """The entry of a run's thread, if nothing has been committed since it was given back."""
        entry = self._remove(start["log_id"])
        head = start["head"]
        if entry is None or head is None or head["checkpoint_id"] != entry.head:
            return None
        return entry.memory if entry.memory.ledger.next == start["next_item"] else None

    def give(self, log: int, memory: ThreadMemory) -> None:
        self._remove(log)
        size = memory.ledger.characters * BYTES_PER_JSON_CHARACTER
        if memory.root is None or size > self._max_bytes:
            return
        self._entries[log] = _Entry(memory, memory.root.id, size)
        self._bytes += size
        while self._bytes > self._max_bytes:
            self._remove(next(iter(self._entries)))

    def _remove(self, log: int) -> _Entry | None:
        entry = self._entries.pop(log, None)
        if entry is not None:
            self._bytes -= entry.size
        return entry

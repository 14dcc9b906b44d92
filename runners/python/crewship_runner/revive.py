"""Stored checkpoints → live tuples, in the form LangGraph expects."""

from __future__ import annotations

import threading
from typing import Any

from .decode import Decoder
from .memory import ThreadMemory
from .tuples import LiveTuple, LiveWrite
from .waits import Steps, Wait

TASKS = "__pregel_tasks"
# Since this version of the checkpoint's form, pushed tasks are a channel.
PUSHED_TASKS_ARE_A_CHANNEL = 4


class Reviver:
    def __init__(self, store: Any, memory: ThreadMemory, lock: threading.RLock) -> None:
        self._store = store
        self._memory = memory
        # What guards the memory.
        self._lock = lock

    def decoder(self, page: dict) -> Decoder:
        with self._lock:
            return Decoder(self._memory, page["items"])

    def read(self, request: dict) -> Wait:
        return Wait(lambda: self._store.read(request), lambda: self._store.aread(request))

    def revive(self, stored: dict, decoder: Decoder) -> Steps[LiveTuple]:
        with self._lock:
            live = _decode(stored, decoder)
        checkpoint = live.checkpoint
        if checkpoint["v"] < PUSHED_TASKS_ARE_A_CHANNEL and checkpoint.get("pending_sends") is None:
            checkpoint["pending_sends"] = yield from self._pushed_tasks(live)
        return live

    def _pushed_tasks(self, live: LiveTuple) -> Steps[list]:
        """
        Up to version 3, pushed tasks stood in `pending_sends`, which savers fill in from the parent's writes. A
        LangGraph that keeps them in a channel moves them there itself.
        """
        if live.parent_id is None:
            return []
        request = {"kind": "tuple", "namespace": live.namespace, "checkpoint_id": live.parent_id}
        page = yield self.read(request)
        decoder = self.decoder(page)
        writes = [write for stored in page["checkpoints"] for write in stored["writes"]]
        with self._lock:
            return [decoder.decode(write["value"]) for write in writes if write["channel"] == TASKS]


def _decode(stored: dict, decoder: Decoder) -> LiveTuple:
    state = decoder.decode(stored["state"])
    versions = state.get("channel_versions") or {}
    # A channel without a version is one the checkpoint no longer has.
    values = {name: decoder.decode(value) for name, value in stored["channels"].items() if name in versions}
    writes = [
        LiveWrite(
            write["task_id"],
            write["task_path"],
            write["idx"],
            write["channel"],
            decoder.decode(write["value"]),
        )
        for write in stored["writes"]
    ]
    return LiveTuple(
        stored["namespace"],
        {**state, "id": stored["checkpoint_id"], "channel_values": values},
        decoder.decode(stored["metadata"]),
        stored["parent_checkpoint_id"],
        writes,
        stored["channels"],
    )

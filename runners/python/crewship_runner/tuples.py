"""A checkpoint with live values, as the saver keeps it for the latest of each namespace."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from langgraph.checkpoint.base import CheckpointTuple


@dataclass
class LiveWrite:
    task_id: str
    task_path: str
    idx: int
    channel: str
    value: Any


@dataclass
class LiveTuple:
    namespace: str
    checkpoint: dict[str, Any]
    metadata: dict[str, Any]
    parent_id: str | None
    writes: list[LiveWrite] = field(default_factory=list)
    # The values of its channels in their stored form.
    stored: dict[str, Any] = field(default_factory=dict)
    # Checkpoints before it, by id, where the graph has channels that are folded from what was written to them.
    ancestors: dict[str, LiveTuple] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.checkpoint["id"]

    @property
    def versions(self) -> dict[str, Any]:
        return self.checkpoint.get("channel_versions") or {}

    def stored_form(self, channel: str, value: Any) -> Any:
        """None when the channel does not hold this very value."""
        same = channel in self.stored and self.checkpoint["channel_values"].get(channel) is value
        return self.stored[channel] if same else None

    def frozen(self) -> LiveTuple:
        """As it is now: a run's own writes go on to the live one."""
        return replace(self, checkpoint=copy_checkpoint(self.checkpoint), writes=list(self.writes))


def copy_checkpoint(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """LangGraph changes the checkpoints it is given, so every tuple gets its own copy of all but the values."""
    copy = {
        **checkpoint,
        "channel_values": dict(checkpoint.get("channel_values") or {}),
        "channel_versions": dict(checkpoint.get("channel_versions") or {}),
        "versions_seen": {node: dict(seen) for node, seen in (checkpoint.get("versions_seen") or {}).items()},
    }
    if copy.get("pending_sends") is not None:
        copy["pending_sends"] = list(copy["pending_sends"])
    return copy


def tuple_config(thread_id: str, namespace: str, checkpoint_id: str) -> dict[str, Any]:
    configurable = {"thread_id": thread_id, "checkpoint_ns": namespace, "checkpoint_id": checkpoint_id}
    return {"configurable": configurable}


def to_tuple(live: LiveTuple, thread_id: str, config: Any = None) -> CheckpointTuple:
    parent_id = live.parent_id
    return CheckpointTuple(
        config=tuple_config(thread_id, live.namespace, live.id) if config is None else config,
        checkpoint=copy_checkpoint(live.checkpoint),
        metadata=dict(live.metadata),
        parent_config=None if parent_id is None else tuple_config(thread_id, live.namespace, parent_id),
        pending_writes=[(write.task_id, write.channel, write.value) for write in live.writes],
    )


def add_writes(writes: list[LiveWrite], added: list[LiveWrite]) -> None:
    """As a saver must: for the framework's special channels the newest counts, for others the first."""
    places = {(write.task_id, write.idx): i for i, write in enumerate(writes)}
    for write in added:
        known = places.get((write.task_id, write.idx))
        if known is None:
            places[(write.task_id, write.idx)] = len(writes)
            writes.append(write)
        elif write.idx < 0:
            writes[known] = write
    writes.sort(key=lambda write: (write.task_path, write.task_id, write.idx))

"""How a later attempt of a run goes on. Repeating the command would give an old answer to a new question, invoking with
None would pass a breakpoint nobody approved, repeating the input would be ignored or apply it twice. So it looks first at
what the run has committed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple
from uuid import UUID, uuid5

from .saver_state import SaverState
from .tuples import LiveTuple
from .waits import arun_steps

INTERRUPT = "__interrupt__"
INPUT = "__input__"
# What a command writes belongs to no task.
NULL_TASK_ID = "00000000-0000-0000-0000-000000000000"

_Stored = tuple[dict, LiveTuple]


class Continuation(NamedTuple):
    # input: as if nothing had happened; resume: invoke with None; else the run is over already.
    way: Literal["input", "resume", "interrupted", "succeeded"]
    # The state the run started from, None for an empty thread.
    base: LiveTuple | None


async def decide_continuation(start: dict, graph: Any, state: SaverState) -> Continuation:
    run_id = start["run_id"]
    head = await _read(state)
    chosen = await _read(state, start["checkpoint_id"]) if start["checkpoint_id"] else None
    own_head = head is not None and head[0]["run_id"] == run_id
    # Before its first checkpoint, a run's writes stand on the checkpoint it started from.
    at = head if own_head else chosen or head
    if at is None:
        return Continuation("input", None)
    stored, live = at
    own_writes = [write for write in stored["writes"] if write["run_id"] == run_id]
    if not own_head:
        # A DeltaChannel's input is written to the checkpoint it started from, before the input's own checkpoint.
        own_writes = [write for write in own_writes if write["task_id"] != _input_task(live.id)]
        if not own_writes:
            return Continuation("input", live)
        if all(write["task_id"] == NULL_TASK_ID for write in own_writes):
            # The whole command is committed, and nothing it leads to: also where nothing was to follow.
            return Continuation("resume", live)
    base = await _find_base(at, state, run_id) if own_head else live
    # Only the initial values were applied; the input was not.
    if own_head and _source(stored) == "update" and stored["parent_checkpoint_id"] is None:
        return Continuation("input", live)
    if any(write["channel"] == INTERRUPT for write in own_writes):
        return Continuation("interrupted", base)
    following = await _next_of(graph, stored, state)
    if not following:
        return Continuation("succeeded", base)
    # A breakpoint this run stands at is one that its own checkpoint reached: what it found it had leave to pass.
    if own_head and await _stands_at_breakpoint(start, graph, state, stored, following):
        return Continuation("interrupted", base)
    return Continuation("resume", base)


async def _stands_at_breakpoint(
    start: dict, graph: Any, state: SaverState, stored: dict, following: Sequence[str]
) -> bool:
    if _meets(following, start["interrupt_before"] or graph.interrupt_before_nodes):
        return True
    after = start["interrupt_after"] or graph.interrupt_after_nodes
    # Only a finished step stops after its nodes: an input leaves what its parent was waiting for undone.
    if not after or _source(stored) != "loop" or not stored["parent_checkpoint_id"]:
        return False
    parent = await _read(state, stored["parent_checkpoint_id"])
    return parent is not None and _meets(await _next_of(graph, parent[0], state), after)


def _meets(nodes: Sequence[str], breakpoints: Sequence[str] | Literal["*"] | None) -> bool:
    if breakpoints == "*":
        return any(not node.startswith("__") for node in nodes)
    return any(node in (breakpoints or ()) for node in nodes)


async def _find_base(head: _Stored, state: SaverState, run_id: str) -> LiveTuple | None:
    at: _Stored | None = head
    while at is not None and at[0]["run_id"] == run_id:
        parent_id = at[0]["parent_checkpoint_id"]
        if parent_id is None:
            return None
        at = await _read(state, parent_id)
    return None if at is None else at[1]


async def _read(state: SaverState, checkpoint_id: str = "") -> _Stored | None:
    return await arun_steps(state.read_stored("", checkpoint_id))


async def _next_of(graph: Any, stored: dict, state: SaverState) -> Sequence[str]:
    if stored["next"] is not None:
        return stored["next"]
    address = {"thread_id": state.thread_id, "checkpoint_ns": "", "checkpoint_id": stored["checkpoint_id"]}
    return (await graph.aget_state({"configurable": address})).next


def _input_task(checkpoint_id: str) -> str:
    return str(uuid5(UUID(checkpoint_id), INPUT))


def _source(stored: dict) -> Any:
    metadata = stored["metadata"]
    return metadata.get("source") if isinstance(metadata, dict) else None

"""The checkpointer LangGraph calls, sync from any thread and async from the event loop: the methods of its base class
over what a SaverState does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, Checkpoint, CheckpointMetadata, CheckpointTuple

from .saver_state import SaverState
from .tuples import LiveTuple, to_tuple
from .waits import arun_steps, run_steps


class CrewshipSaver(BaseCheckpointSaver):
    def __init__(self, state: SaverState) -> None:
        super().__init__()
        self._state = state

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return self._found(run_steps(self._state.find(config)), config)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return self._found(await arun_steps(self._state.find(config)), config)

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        last, left = _checkpoint_id(before), limit
        while left is None or left > 0:
            page, last = run_steps(self._state.list_page(config, filter, last, left))
            for live in page:
                yield to_tuple(live, self._state.thread_id)
            left = None if left is None else left - len(page)
            if last is None:
                return

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        last, left = _checkpoint_id(before), limit
        while left is None or left > 0:
            page, last = await arun_steps(self._state.list_page(config, filter, last, left))
            for live in page:
                yield to_tuple(live, self._state.thread_id)
            left = None if left is None else left - len(page)
            if last is None:
                return

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: Any,
    ) -> RunnableConfig:
        return run_steps(self._state.put(config, checkpoint, metadata, new_versions))

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: Any,
    ) -> RunnableConfig:
        return await arun_steps(self._state.put(config, checkpoint, metadata, new_versions))

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        run_steps(self._state.put_writes(config, writes, task_id, task_path))

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        await arun_steps(self._state.put_writes(config, writes, task_id, task_path))

    def delete_thread(self, thread_id: str) -> None:
        raise RuntimeError("An agent cannot delete its own thread; use DELETE /v1/threads/{id}.")

    async def adelete_thread(self, thread_id: str) -> None:
        self.delete_thread(thread_id)

    def _found(self, live: LiveTuple | None, config: RunnableConfig) -> CheckpointTuple | None:
        if live is None:
            return None
        return to_tuple(live, self._state.thread_id, config if _checkpoint_id(config) else None)


def _checkpoint_id(config: RunnableConfig | None) -> str | None:
    configurable = (config or {}).get("configurable") or {}
    return configurable.get("checkpoint_id") or configurable.get("thread_ts")

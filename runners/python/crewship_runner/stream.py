"""LangGraph's stream as the run's events: tasks, tokens, custom data. Tools are seen through callbacks."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager

from .encode import safely
from .errors import message_of
from .json_types import Json, parsed
from .pipe import RunPipe
from .shown import is_internal

# What of a message's metadata its task does not say: what names the model, and tags.
TOLD_OF_MESSAGES = re.compile(r"^ls_|^tags$")


class StreamEvents:
    """
    One run's stream as its events. Beside what /v1 tells, an event says in `langgraph` what LangGraph's own protocol
    needs and nothing else that is stored says: a task is named by its number, in the order in which they began; what
    tasks have written and whole messages are references to items.
    """

    def __init__(
        self,
        pipe: RunPipe,
        tell_written: Callable[[object, Callable[[Json, dict | None], None]], None],
    ) -> None:
        self._pipe = pipe
        self._tell_written = tell_written
        self._tasks: dict[str, int] = {}
        # Messages that have begun.
        self._begun: set[str] = set()

    def task(self, namespace: tuple[str, ...], entry: dict) -> None:
        said = entry["payload"]
        name, task_id = str(said["name"]), str(said["id"])
        if is_internal(name):
            return
        where = "|".join(part for part in namespace if part)
        data = {"task": name, "namespace": where} if where else {"task": name}
        if entry["type"] == "task":
            self._tasks[task_id] = len(self._tasks) + 1
            told = {
                "id": task_id,
                "step": entry.get("step"),
                "triggers": safely(list(said.get("triggers") or ())),
            }
            self._pipe.emit("task.started", data, told)
            return
        task = self._tasks.get(task_id, task_id)
        # A task that stopped to ask or failed has not completed; the run's own last event says which.
        if said.get("interrupts"):
            told = {"task": task, "interrupts": safely(said["interrupts"])}
            self._pipe.emit("langgraph.task", data, told)
        elif said.get("error"):
            told = {"task": task, "error": _error_text(said["error"])}
            self._pipe.emit("langgraph.task", data, told)
        else:
            self._tell_written(
                said.get("result"),
                lambda result, items: self._pipe.emit(
                    "task.completed", data, {"task": task, "result": result}, items
                ),
            )

    def message(self, namespace: tuple[str, ...], payload: Any) -> None:
        message, metadata = payload
        if not hasattr(message, "type"):
            return
        told = self._told_of_message(message, metadata or {}, namespace)
        if type(message).__name__.endswith("Chunk"):
            self._emit_message(message, metadata, told, None)
        else:
            self._tell_written(
                [message],
                lambda whole, items: self._emit_message(
                    message, metadata, {**(told or {}), "whole": whole}, items
                ),
            )

    def _emit_message(self, message: Any, metadata: Any, told: dict | None, items: dict | None) -> None:
        node = (metadata or {}).get("langgraph_node")
        text = _text(message.content) if message.type in ("ai", "AIMessageChunk") else ""
        if text:
            about = {"node": node} if isinstance(node, str) else {}
            data = {"message_id": message.id, "content": text, **about}
            self._pipe.emit("message.delta", data, told, items)
        else:
            self._pipe.emit("langgraph.message", {"message_id": message.id}, told or {}, items)

    def custom(self, namespace: tuple[str, ...], payload: Any) -> None:
        data = safely(payload)
        where = "|".join(part for part in namespace if part)
        if isinstance(data, dict):
            self._pipe.emit("custom", data, {"namespace": where} if where else None)
        else:
            self._pipe.emit("custom", {"value": data}, {"namespace": where, "value": True})

    def event(self, event: Any) -> None:
        self._pipe.emit("langgraph.event", safely(event))

    def _told_of_message(self, message: Any, metadata: dict, namespace: tuple[str, ...]) -> dict | None:
        """Nothing for what most are: one more piece of text of a message that has begun."""
        is_first, is_plain = message.id not in self._begun, _is_plain(message)
        if is_plain and not is_first:
            return None
        self._begun.add(message.id)
        told: dict[str, Any] = {}
        if is_first:
            place = str(metadata.get("langgraph_checkpoint_ns") or metadata.get("checkpoint_ns") or "")
            task = self._tasks.get(place.split(":")[-1])
            if task is None:
                told["namespace"] = place or "|".join(namespace)
            else:
                told["task"] = task
            names = {key: value for key, value in metadata.items() if TOLD_OF_MESSAGES.match(key) and value}
            # Of a whole message, which a node made, they say nothing that its task does not.
            if names and type(message).__name__.endswith("Chunk"):
                told["metadata"] = safely(names)
        if type(message).__name__.endswith("Chunk") and not is_plain:
            told["chunk"] = safely(message)
        return told


def _is_plain(message: Any) -> bool:
    """Only text: nothing of tools, usage or the model's own."""
    return (
        type(message).__name__ == "AIMessageChunk"
        and isinstance(message.content, str)
        and not message.tool_call_chunks
        and not message.usage_metadata
        and not message.additional_kwargs
        and not message.response_metadata
        and getattr(message, "chunk_position", None) is None
    )


def _error_text(error: Any) -> str:
    return message_of(error) if isinstance(error, BaseException) else str(error)


def callbacks_with(bound: Any, handlers: list[BaseCallbackHandler]) -> Any:
    """The graph's own callbacks and ours: passing `callbacks` would otherwise replace those bound with with_config."""
    if isinstance(bound, BaseCallbackManager):
        manager = bound.copy()
        for handler in handlers:
            manager.add_handler(handler, inherit=True)
        return manager
    return [*(bound or ()), *handlers]


class _Events(BaseCallbackHandler):
    # In the order in which things happen: others are called from a thread pool.
    run_inline = True
    ignore_llm = True
    ignore_chat_model = True
    ignore_chain = True
    ignore_agent = True
    ignore_retriever = True
    ignore_retry = True
    ignore_custom_event = True

    def __init__(self, pipe: RunPipe) -> None:
        self._pipe = pipe


class ToolEvents(_Events):
    # LangChain counts tools among the agents' events.
    ignore_agent = False

    def __init__(self, pipe: RunPipe) -> None:
        super().__init__(pipe)
        self._names: dict[UUID, str] = {}

    def on_tool_start(
        self, serialized: dict | None, input_str: str, *, run_id: UUID, inputs: Any = None, **about: Any
    ) -> None:
        name = about.get("name") or (serialized or {}).get("name") or "tool"
        self._names[run_id] = name
        given = parsed(input_str) if inputs is None else safely(inputs)
        self._pipe.emit("tool.called", {"tool": name, "input": given})

    def on_tool_end(self, output: Any, *, run_id: UUID, **_about: Any) -> None:
        content = getattr(output, "content", output)
        self._pipe.emit("tool.result", {"tool": self._ended(run_id), "output": safely(content)})

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **_about: Any) -> None:
        text = str(error) or message_of(error)
        self._pipe.emit("tool.error", {"tool": self._ended(run_id), "error": text})

    def _ended(self, run_id: UUID) -> str:
        return self._names.pop(run_id, "tool")


class TokenEvents(_Events):
    """Tokens where LangGraph's stream has none yet (before 0.2.14): those of models that stream by themselves."""

    ignore_llm = False

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, **_about: Any) -> None:
        message = getattr(chunk, "message", None)
        _emit_delta(self._pipe, getattr(message, "id", None), token, None)


def _emit_delta(pipe: RunPipe, message_id: str | None, content: Any, node: str | None) -> None:
    text = _text(content)
    if text:
        about = {} if node is None else {"node": node}
        pipe.emit("message.delta", {"message_id": message_id, "content": text, **about})


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(map(_block_text, content)) if isinstance(content, list) else ""


def _block_text(block: Any) -> str:
    if isinstance(block, str):
        return block
    text = block.get("text") if isinstance(block, dict) else None
    return text if isinstance(text, str) and str(block.get("type")).startswith("text") else ""

"""LangGraph's stream as the run's events: tasks, tokens, custom data. Tools are seen through callbacks."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager

from .encode import safely
from .errors import message_of
from .json_types import parsed
from .pipe import RunPipe
from .shown import is_internal


def emit_task(pipe: RunPipe, namespace: tuple[str, ...], entry: dict) -> None:
    said = entry["payload"]
    name = str(said["name"])
    # A task that stopped to ask or failed has not completed; the run's own last event says which.
    if is_internal(name) or entry["type"] == "task_result" and (said.get("interrupts") or said.get("error")):
        return
    where = "|".join(part for part in namespace if part)
    data = {"task": name, "namespace": where} if where else {"task": name}
    pipe.emit("task.started" if entry["type"] == "task" else "task.completed", data)


def emit_message(pipe: RunPipe, payload: Any) -> None:
    message, metadata = payload
    if getattr(message, "type", None) not in ("ai", "AIMessageChunk"):
        return
    node = (metadata or {}).get("langgraph_node")
    _emit_delta(pipe, message.id, message.content, node if isinstance(node, str) else None)


def emit_custom(pipe: RunPipe, payload: Any) -> None:
    data = safely(payload)
    pipe.emit("custom", data if isinstance(data, dict) else {"value": data})


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

"""What happens in a crew or flow, as events of its run. CrewAI's bus calls its handlers in a pool of threads, in any
order; here each event is taken in the thread that emits it: its context says which run it belongs to, and the order is the
one in which things happened, so nothing has to be sorted or flushed."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from crewai.events.base_events import BaseEvent
from crewai.llms import base_llm
from crewai.types.usage_metrics import UsageMetrics

from .crew_files import TaskFiles
from .crew_output import MAX_NAME_CHARACTERS
from .encode import safely
from .errors import CodedError
from .json_types import parsed
from .pipe import RunPipe

# Before 1.10, which brought this, CrewAI loses the tools a streaming model calls.
CAN_STREAM = hasattr(base_llm, "llm_call_context")

current_events: ContextVar[RunEvents | None] = ContextVar("crewship_crew_events", default=None)


def take_events(bus: Any) -> None:
    """Every event that is emitted reaches the run of the code that emits it."""
    emit = bus.emit

    def emit_to_run(source: Any, event: Any) -> Any:
        handled = emit(source, event)
        events = current_events.get()
        if events is not None:
            events.take(source, event)
        return handled

    bus.emit = emit_to_run


class RunEvents:
    def __init__(self, start: dict, pipe: RunPipe) -> None:
        self._pipe = pipe
        self._stream_tokens: bool = start["stream_tokens"]
        self._files = TaskFiles(start["artifacts"], pipe)
        self._lock = threading.Lock()
        self._usage: UsageMetrics | None = None
        # The id under which the tokens of a text were streamed.
        self._message_ids: dict[str, str] = {}
        self._calls: dict[int, str] = {}
        # Called for each finished task, in the thread that executed it.
        self.on_task: Callable[[Any, Any], None] = lambda _task, _output: None

    def take(self, source: Any, event: Any) -> None:
        if self._pipe.over:
            return
        reaction = _REACTIONS.get(event.type)
        if reaction is not None:
            reaction(self, source, event)
        elif not _is_internal(event):
            # A class of the user's own.
            self._pipe.emit("custom", {"type": event.type, **_own_fields(event)})

    def usage(self, counted: Any = None) -> dict:
        """The `metadata` of the run's `done`: the tokens its model calls reported, else those the crew counted."""
        with self._lock:
            usage = self._usage or counted
        if usage is None or not usage.total_tokens:
            return {}
        return {"metadata": {"usage": usage.model_dump()}}

    def message_id(self, content: str) -> str:
        """Of a text that was streamed, the id its tokens had; else a new one."""
        return self._message_ids.get(content) or str(uuid.uuid4())

    def _crew_started(self, crew: Any, _event: Any) -> None:
        for task in crew.tasks:
            if task.human_input:
                raise CodedError(
                    "agent_error",
                    f'The task "{_name(task)}" has human_input = true, which waits at a terminal, and nobody sits at one '
                    "here. Call the crew from a CrewAI Flow and decorate the method with @human_feedback instead: its "
                    "question becomes an interrupt, and the thread's next run answers it with command.resume.",
                )

    def _task_started(self, task: Any, event: Any) -> None:
        task = event.task or task
        self._files.redirect(task)
        self._pipe.emit("task.started", _about_task(task))

    def _task_completed(self, task: Any, event: Any) -> None:
        task = event.task or task
        self._files.note(task)
        self._pipe.emit("task.completed", _about_task(task))
        self.on_task(task, event.output)

    def _method_started(self, flow: Any, event: Any) -> None:
        if not _is_internal(flow):
            self._pipe.emit("task.started", {"task": str(event.method_name)})

    def _method_finished(self, flow: Any, event: Any) -> None:
        if not _is_internal(flow):
            self._pipe.emit("task.completed", {"task": str(event.method_name)})

    def _agent_started(self, _source: Any, event: Any) -> None:
        self._set_streaming(getattr(getattr(event, "agent", None), "llm", None))
        self._pipe.emit("agent.started", _about_agent(event))

    def _set_streaming(self, llm: Any) -> None:
        """The deployment's setting decides, before an agent's model is called."""
        if hasattr(llm, "stream") and bool(llm.stream) != self._stream_tokens:
            llm.stream = self._stream_tokens and CAN_STREAM

    def _agent_completed(self, _source: Any, event: Any) -> None:
        self._pipe.emit("agent.completed", _about_agent(event))

    def _agent_failed(self, _source: Any, event: Any) -> None:
        self._pipe.emit("agent.error", {**_about_agent(event), "error": str(event.error)})

    def _tool_called(self, _source: Any, event: Any) -> None:
        given = event.tool_args
        # A model that writes its calls in its text gives them as JSON.
        shown = parsed(given) if isinstance(given, str) else safely(given)
        self._pipe.emit("tool.called", {"tool": event.tool_name, "input": shown})

    def _tool_finished(self, _source: Any, event: Any) -> None:
        self._pipe.emit("tool.result", {"tool": event.tool_name, "output": safely(event.output)})

    def _tool_failed(self, _source: Any, event: Any) -> None:
        self._pipe.emit("tool.error", {"tool": event.tool_name, "error": str(event.error)})

    def _call_started(self, _source: Any, event: Any) -> None:
        # CrewAI before 1.6 gives a call no id of its own; it stays in its thread.
        self._calls[threading.get_ident()] = getattr(event, "call_id", None) or str(uuid.uuid4())

    def _streamed(self, _source: Any, event: Any) -> None:
        if event.chunk and getattr(event, "tool_call", None) is None:
            self._pipe.emit("message.delta", {"message_id": self._call_id(event), "content": event.chunk})

    def _call_completed(self, _source: Any, event: Any) -> None:
        if isinstance(event.response, str):
            self._message_ids = {event.response: self._call_id(event)}
        count = getattr(UsageMetrics, "from_provider_dict", None)
        metrics = count(getattr(event, "usage", None)) if count else None
        if metrics is not None:
            with self._lock:
                self._usage = self._usage or UsageMetrics()
                self._usage.add_usage_metrics(metrics)

    def _call_id(self, event: Any) -> str:
        return getattr(event, "call_id", None) or self._calls.get(threading.get_ident(), "")


_REACTIONS: dict[str, Callable[[RunEvents, Any, Any], None]] = {
    "crew_kickoff_started": RunEvents._crew_started,
    "task_started": RunEvents._task_started,
    "task_completed": RunEvents._task_completed,
    "method_execution_started": RunEvents._method_started,
    "method_execution_finished": RunEvents._method_finished,
    "agent_execution_started": RunEvents._agent_started,
    "agent_execution_completed": RunEvents._agent_completed,
    "agent_execution_error": RunEvents._agent_failed,
    "lite_agent_execution_started": RunEvents._agent_started,
    "lite_agent_execution_completed": RunEvents._agent_completed,
    "lite_agent_execution_error": RunEvents._agent_failed,
    "tool_usage_started": RunEvents._tool_called,
    "tool_usage_finished": RunEvents._tool_finished,
    "tool_usage_error": RunEvents._tool_failed,
    "tool_selection_error": RunEvents._tool_failed,
    "tool_validate_input_error": RunEvents._tool_failed,
    "tool_execution_error": RunEvents._tool_failed,
    "llm_call_started": RunEvents._call_started,
    "llm_stream_chunk": RunEvents._streamed,
    "llm_call_completed": RunEvents._call_completed,
}


def _is_internal(flow_or_event: Any) -> bool:
    """CrewAI's agents and memory are flows of its own."""
    return type(flow_or_event).__module__.partition(".")[0] == "crewai"


def _own_fields(event: Any) -> dict:
    """What a class adds to CrewAI's fields of every event."""
    names = type(event).model_fields.keys() - BaseEvent.model_fields.keys()
    return {name: safely(getattr(event, name)) for name in sorted(names)}


def _name(task: Any) -> str:
    return (task.name or task.description).strip()[:MAX_NAME_CHARACTERS]


def _about_task(task: Any) -> dict:
    role = getattr(task.agent, "role", None)
    return {"task": _name(task), **({"agent": role.strip()} if role else {})}


def _about_agent(event: Any) -> dict:
    """An agent that works for no task is known by what CrewAI says of it."""
    agent = getattr(event, "agent", None)
    if agent is None:
        return {"agent": str(event.agent_info.get("role", "")).strip()}
    task = getattr(event, "task", None)
    return {"agent": agent.role.strip(), **({"task": _name(task)} if task is not None else {})}

"""Executes runs of a CrewAI flow. Its state afterwards is the thread's; a question it stops at is answered by a later run."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, TypeAlias

from crewai.flow.flow import Flow
from pydantic import BaseModel

from .cancel import Cancel
from .crew_events import RunEvents, current_events
from .crew_loops import in_own_loop
from .crew_memo import remembering
from .crew_output import flow_output, flow_values
from .crew_structure import describe_flow
from .decode import unescape_tags
from .encode import encode, safely
from .errors import CodedError, describe_error
from .flow_feedback import (
    HumanFeedbackPending,
    NoTerminal,
    PendingFeedbackContext,
    choose_exactly,
    feedback_in,
    question_of,
)
from .flow_persistence import ThreadPersistence
from .kept_state import KeptState
from .pipe import RunPipe

# What a checkpoint that waits for an answer keeps: CrewAI's context of the question, and the question's id.
PENDING, QUESTION = "pending", "question"

Work: TypeAlias = Callable[[], Coroutine[Any, Any, Any]]


class FlowHost:
    def __init__(self, build: Callable[[], Awaitable[Any]]) -> None:
        self._build = build

    async def describe(self) -> dict:
        return describe_flow(await self._build())

    async def run(self, start: dict, pipe: RunPipe, cancel: Cancel) -> dict:
        state = await KeptState.open(start, pipe)
        events = RunEvents(start, pipe)
        current_events.set(events)
        try:
            with remembering():
                flow = await self._build()
                if not isinstance(flow, Flow):
                    raise TypeError(f"The entrypoint made {flow!r:.100} this time, and no Flow.")
                flow, work = self._prepare(flow, start, state, pipe)
                result = await in_own_loop(work)
        except NoTerminal as asked:
            explained = CodedError("agent_error", str(asked))
            explained.__cause__ = asked
            return {"outcome": "failed", "error": describe_error(explained), **events.usage()}
        except Exception as error:
            return {"outcome": "failed", "error": describe_error(error), **events.usage()}
        cancel.raise_if_aborted()
        state.values = flow_values(flow._state)
        if isinstance(result, HumanFeedbackPending):
            question = question_of(result.context, str(uuid.uuid4()))
            context = encode(result.context.to_dict(), "what the flow keeps for the answer")
            state.commit(pipe, kept={PENDING: context, QUESTION: question["id"]}, next=[question["task"]])
            state.ask(pipe, [question])
            return {"outcome": "interrupted", **events.usage()}
        state.commit(pipe)
        return {"outcome": "succeeded", "output": safely(flow_output(result)), **events.usage()}

    async def update(self, update: dict, pipe: RunPipe) -> dict:
        message = "The state of a thread of a flow is changed by the server itself, not by the agent."
        return {"outcome": "failed", "error": {"message": message}}

    def _prepare(self, flow: Any, start: dict, state: KeptState, pipe: RunPipe) -> tuple[Any, Work]:
        """The flow with the thread's state, and what there is to do: begin, or go on where it asked."""
        saving = threading.Lock()

        def save(flow_state: Any) -> None:
            with saving:
                state.values = flow_values(flow_state)
                state.commit(pipe)
            pipe.wait_room()

        command = start["command"] or {}
        if "resume" in command:
            flow = _asked_flow(flow, state, save)
            answer = feedback_in(unescape_tags(command["resume"]), state.kept[QUESTION])
            work = partial(flow.resume_async, answer)
        else:
            flow.persistence = ThreadPersistence.of_run(save)
            # What its class names is as good as replaced: the flow asks its own first.
            flow._instance_persistence = True
            inputs = _inputs(state.values, unescape_tags(start["input"]))
            _stamp(flow, inputs.pop("id", None))
            work = partial(flow.kickoff_async, inputs)
        if getattr(flow, "stream", False):
            # It would return before it has run. Its tokens are events all the same.
            flow.stream = False
        choose_exactly(flow)
        return flow, work


def flow_fields(flow: Any) -> dict[str, Any]:
    """What a flow was made with, to make another one like it."""
    fields = getattr(flow, "model_fields_set", set()) - {"persistence"}
    return {name: getattr(flow, name) for name in fields}


def _asked_flow(flow: Any, state: KeptState, save: Callable[[Any], None]) -> Any:
    if PENDING not in state.kept:
        raise CodedError(
            "bad_input",
            "The thread waits for no answer, so command.resume has nothing to answer. Send input instead, or start from "
            "the checkpoint that asked.",
        )
    context = PendingFeedbackContext.from_dict(state.decode(state.kept[PENDING]))
    persistence = ThreadPersistence.of_run(save, (state.values, context))
    return type(flow).from_pending(context.flow_id, persistence, **flow_fields(flow))


def _inputs(values: dict[str, Any], given: Any) -> dict[str, Any]:
    if given is not None and not isinstance(given, dict):
        raise CodedError("bad_input", f"A flow takes a JSON object as its input, and this is {given!r:.100}.")
    return {**values, **(given or {})}


def _stamp(flow: Any, id: Any) -> None:
    """The thread's flow keeps its id. As an input it would make CrewAI look for a state of that id elsewhere."""
    if id is None:
        return
    if isinstance(flow._state, BaseModel):
        flow._state.id = id
    else:
        flow._state["id"] = id

"""Executes runs of a crew. The thread's values are its inputs; it leaves a checkpoint after each task and one at its end."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import Any

from crewai import Crew

from .cancel import Cancel
from .crew_chat import MESSAGES, OUTPUT, Turn
from .crew_events import RunEvents, current_events
from .crew_memo import remembering
from .crew_output import crew_output
from .crew_structure import describe_crew
from .crew_templates import explain_template
from .decode import unescape_tags
from .encode import encode
from .errors import CodedError, describe_error
from .kept_state import KeptState
from .pipe import RunPipe
from .threads import in_thread


class CrewHost:
    def __init__(self, build: Callable[[], Awaitable[Any]], chat: dict, entrypoint: str) -> None:
        self._build = build
        self._input_key: str | None = chat["input_key"]
        self._entrypoint = entrypoint

    async def describe(self) -> dict:
        return describe_crew(await self._build(), self._input_key)

    async def run(self, start: dict, pipe: RunPipe, cancel: Cancel) -> dict:
        if "resume" in (start["command"] or {}):
            raise CodedError(
                "bad_input", "A crew asks no questions, so command.resume has nothing to answer. Send input."
            )
        state = await KeptState.open(start, pipe)
        turn = Turn(unescape_tags(start["input"]), state.values, self._input_key)
        inputs = turn.inputs(state.values)
        events = RunEvents(start, pipe)
        current_events.set(events)
        try:
            with remembering():
                crew = await self._build()
                if not isinstance(crew, Crew):
                    raise TypeError(
                        f'The entrypoint "{self._entrypoint}" made {crew!r:.100} this time, and no Crew.'
                    )
                state.values.update(turn.kept())
                progress = Progress(crew, state, pipe)
                events.on_task = progress.task_finished
                if getattr(crew, "stream", False):
                    # It would return before it has run. Its tokens are events all the same.
                    crew.stream = False
                result = await in_thread(crew.kickoff, inputs)
        except Exception as error:
            explained = explain_template(error, self._entrypoint, inputs)
            return {"outcome": "failed", "error": describe_error(explained), **events.usage()}
        cancel.raise_if_aborted()
        output = crew_output(result.raw, result, result.tasks_output)
        state.values[MESSAGES] = turn.after(result.raw, events.message_id(result.raw), start["run_id"])
        state.values[OUTPUT] = output
        state.commit(pipe)
        return {
            "outcome": "succeeded",
            "output": encode(output, "the output"),
            **events.usage(result.token_usage),
        }

    async def update(self, update: dict, pipe: RunPipe) -> dict:
        message = "The state of a thread of a crew is changed by the server itself, not by the agent."
        return {"outcome": "failed", "error": {"message": message}}


class Progress:
    """The checkpoints a crew leaves on its way: what its finished tasks have said. Tasks may finish at the same time."""

    def __init__(self, crew: Crew, state: KeptState, pipe: RunPipe) -> None:
        self._tasks = list(crew.tasks)
        self._state = state
        self._pipe = pipe
        self._lock = threading.Lock()
        self._outputs: dict[int, Any] = {}

    def task_finished(self, task: Any, output: Any) -> None:
        if not any(own is task for own in self._tasks):
            # Of a crew that a tool of this one started.
            return
        with self._lock:
            self._outputs[id(task)] = output
            finished = [self._outputs[id(own)] for own in self._tasks if id(own) in self._outputs]
            self._state.values[OUTPUT] = crew_output(output.raw, output, finished)
            self._state.commit(self._pipe)
        self._pipe.wait_room()

"""Executes runs of a plain function `(input, context)`, sync, async or a generator; the thread's values are
`context.state`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from .artifacts import artifact_folder
from .cancel import Cancel
from .decode import unescape_tags
from .embedder import Embedder
from .encode import EncodingError, encode, safely
from .errors import CodedError
from .function_store import FunctionStore
from .ids import new_checkpoint_id
from .kept_state import KeptState
from .pipe import RunPipe
from .questions import Interrupted, Questions, answer_in
from .run_store import RunStore
from .threads import in_thread

# What a checkpoint that asks keeps for the run that answers, encoded: the id of the question, the input as it was sent,
# the values when the function was first called, and the answers so far.
QUESTION, INPUT, BEGIN, ANSWERS = "question", "input", "begin", "answers"

# What the server alone says, beside the types that begin with "run.".
_RESERVED = {"state.updated", "artifact"}


class Context:
    """What a function is given beside its input."""

    def __init__(
        self,
        start: dict,
        state: KeptState,
        pipe: RunPipe,
        store: FunctionStore,
        signal: Cancel,
        questions: Questions,
    ) -> None:
        self._state = state
        self._pipe = pipe
        self._questions = questions
        # The deployment's store items, which all of its threads share.
        self.store = store
        # Aborts when the run is canceled or takes too long: signal.aborted, signal.wait(seconds).
        self.signal = signal
        self.thread_id: str | None = start["thread_id"]
        self.run_id: str = start["run_id"]

    @property
    def state(self) -> dict[str, Any]:
        """The thread's values. Assign to its keys, or change what they hold: the run leaves them as they are at its end."""
        return self._state.values

    @state.setter
    def state(self, values: dict[str, Any]) -> None:
        self._state.values = values

    @property
    def artifacts(self) -> str | None:
        """The folder whose files the run leaves as its artifacts; CREWSHIP_ARTIFACTS names it too."""
        return artifact_folder()

    def emit(self, type: str | object, data: object = None) -> None:
        """Sends an event: `emit("progress", {"percent": 40})`, or `emit({…})` for a `custom` one."""
        name, content = (type, {} if data is None else data) if isinstance(type, str) else ("custom", type)
        if name.startswith("run.") or name in _RESERVED:
            raise ValueError(f'Events of type "{name}" are the server\'s own; choose another type.')
        encoded = safely(content)
        self._pipe.emit(name, encoded if isinstance(encoded, dict) else {"value": encoded})

    def interrupt(self, question: object) -> Any:
        """Asks a person. The run ends; the thread's next run, with `command.resume`, calls the function again, and this
        returns the answer."""
        return self._questions.ask(question)


class FunctionHost:
    def __init__(self, agent: Callable[..., Any], embedder: Embedder | None) -> None:
        self._agent = agent
        self._embedder = embedder

    async def describe(self) -> None:
        return None

    async def run(self, start: dict, pipe: RunPipe, cancel: Cancel) -> dict:
        state = await KeptState.open(start, pipe)
        if start["attempt"] > 1 and QUESTION in state.kept and state.made_by == start["run_id"]:
            # An earlier attempt has committed its question.
            return {"outcome": "interrupted"}
        kept = _begin(start, state)
        questions = Questions(kept[ANSWERS])
        store = FunctionStore(RunStore(pipe, self._embedder))
        context = Context(start, state, pipe, store, cancel, questions)
        try:
            result = await self._call(unescape_tags(kept[INPUT]), context)
        except Interrupted:
            result = None
        except Exception:
            # Once it has asked, what it raises on its way out no longer matters.
            if questions.open is None:
                raise
            result = None
        cancel.raise_if_aborted()
        if questions.open is not None:
            self._ask(questions.open["value"], kept, state, pipe)
            return {"outcome": "interrupted"}
        output = _encode_output(result)
        state.commit(pipe)
        return {"outcome": "succeeded", "output": output}

    def _ask(self, value: Any, kept: dict, state: KeptState, pipe: RunPipe) -> None:
        """Leaves the state as it stands with the question on it."""
        id, task = new_checkpoint_id(), getattr(self._agent, "__name__", "function")
        state.commit(pipe, kept={**kept, QUESTION: id}, next=[task], tasks=[{"id": id, "name": task}])
        state.ask(pipe, [{"id": id, "value": value, "task": task}])

    async def update(self, update: dict, pipe: RunPipe) -> dict:
        message = (
            "The state of a thread of a plain function is changed by the server itself, not by the agent."
        )
        return {"outcome": "failed", "error": {"message": message}}

    async def _call(self, value: Any, context: Context) -> Any:
        """A generator's yields are events; its return value, which an async one has not, is the output."""
        if _is_async(self._agent):
            result = self._agent(value, context)
        else:
            result = await in_thread(self._agent, value, context)
        if inspect.isawaitable(result):
            result = await result
        if inspect.isasyncgen(result):
            async for event in result:
                _emit_yielded(context, event)
            return None
        return await in_thread(_drain, result, context) if inspect.isgenerator(result) else result


def _begin(start: dict, state: KeptState) -> dict:
    """What the function is called with: its input and answers so far. The state is what it was at its first call."""
    command = start["command"] or {}
    if "resume" not in command or QUESTION not in state.kept:
        return {INPUT: start["input"], BEGIN: state.begin, ANSWERS: []}
    asked = state.kept
    state.values = {key: state.decode(value) for key, value in asked[BEGIN].items()}
    answers = [*asked[ANSWERS], answer_in(command["resume"], asked[QUESTION])]
    return {INPUT: asked[INPUT], BEGIN: asked[BEGIN], ANSWERS: answers}


def _is_async(agent: Callable[..., Any]) -> bool:
    return any(
        inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
        for function in (agent, type(agent).__call__)
    )


def _drain(generator: Any, context: Context) -> Any:
    while True:
        try:
            event = next(generator)
        except StopIteration as end:
            return end.value
        _emit_yielded(context, event)


def _emit_yielded(context: Context, event: object) -> None:
    if isinstance(event, dict) and isinstance(event.get("type"), str) and "data" in event:
        context.emit(event["type"], event["data"])
    else:
        context.emit("custom", event)


def _encode_output(result: object) -> Any:
    try:
        return encode(result, "the output")
    except EncodingError as error:
        raise CodedError("output_not_json", str(error)) from None

"""Executes runs of a LangGraph graph, and updates of its state, with our checkpointer attached."""

from __future__ import annotations

import asyncio
import copy
import inspect
from collections.abc import Callable
from contextlib import aclosing, suppress
from typing import Any, get_args

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END

from .cancel import Cancel
from .continuation import NULL_TASK_ID, decide_continuation
from .decode import unescape_tags
from .embedder import Embedder
from .encode import EncodingError, encode
from .errors import CodedError
from .langgraph_context import keep_config_in_context
from .langgraph_input import Start
from .langgraph_load import to_graph
from .langgraph_structure import describe_graph
from .memory import ThreadMemory
from .output import changes
from .pipe import RunPipe
from .run_store import RunStore
from .saver import CrewshipSaver
from .saver_state import SaverState
from .shown import Report, to_shown, visible_values
from .stream import StreamEvents, TokenEvents, ToolEvents
from .tuples import LiveTuple
from .waits import Steps, Wait, arun_steps
from .warm import WarmStates

try:
    from .langgraph_store import CrewshipStore
except ImportError:
    # LangGraph 0.2's first versions have stores of another kind.
    CrewshipStore = None  # type: ignore[misc, assignment]

try:
    from langgraph.types import StreamMode
except ImportError:
    from langgraph.pregel.types import StreamMode  # type: ignore[no-redef, assignment]

# LangGraph tells of a checkpoint before its put, which waits for a turn of the event loop. What is put need not be
# encoded for the report.
TURNS_TO_PUT = 3
REPLACED = "The checkpointer compiled into the graph is replaced: the server keeps this thread's state."
REPLACED_STORE = (
    "The store compiled into the graph is replaced: the server keeps the deployment's store items."
)

# Makes a run's store; None where the project's LangGraph knows none.
StoreOf = Callable[[RunPipe], Any]


async def open_graph(
    value: Any, entrypoint: str, max_warm_bytes: int, settings: dict, embedder: Embedder | None
) -> LangGraphHost:
    """`settings`: `[store]` in crewship.toml."""
    keep_config_in_context()
    graph, config = await to_graph(value, entrypoint)

    def store_of(pipe: RunPipe) -> Any:
        return CrewshipStore and CrewshipStore(RunStore(pipe, embedder), settings)

    return LangGraphHost(graph, config, WarmStates(max_warm_bytes), store_of)


class Ability:
    """What the project's version of LangGraph can do."""

    def __init__(self, graph: Any) -> None:
        stream = inspect.signature(graph.astream).parameters
        self.modes = get_args(StreamMode)
        self.subgraphs = "subgraphs" in stream
        self.durability = "durability" in stream
        self.checkpoint_during = "checkpoint_during" in stream
        self.context = "context" in stream
        # Whether the state of a subgraph can be asked for.
        self.subgraph_states = "subgraphs" in inspect.signature(graph.aget_state).parameters


class LangGraphHost:
    def __init__(self, graph: Any, config: RunnableConfig, warm: WarmStates, store_of: StoreOf) -> None:
        self._graph = graph
        self._config = config
        self._ability = Ability(graph)
        self._warm = warm
        self._store_of = store_of
        # Said once: what of the user's own is not used.
        self._replaced = [REPLACED] if graph.checkpointer not in (None, True, False) else []
        if CrewshipStore is not None and getattr(graph, "store", None) is not None:
            self._replaced.append(REPLACED_STORE)

    async def describe(self) -> dict:
        return describe_graph(self._graph)

    async def run(self, start: dict, pipe: RunPipe, cancel: Cancel) -> dict:
        replaced, self._replaced = self._replaced, []
        for line in replaced:
            pipe.log("info", line)
        run = _Run(self._graph, self._config, self._ability, self._warm, self._store_of(pipe), start, pipe)
        done = await run.execute(cancel)
        # An interrupted thread's next run may be executed elsewhere and leave only writes on the same checkpoint,
        # which this process could not tell from nothing: it reads such a thread anew.
        if done["outcome"] == "succeeded":
            run.give_back(self._warm)
        return done

    async def update(self, update: dict, pipe: RunPipe) -> dict:
        run = _Run(self._graph, self._config, self._ability, self._warm, self._store_of(pipe), update, pipe)
        await run.update(unescape_tags(update["values"]), update["as_node"], update["checkpoint_id"])
        run.give_back(self._warm)
        return {"outcome": "succeeded"}


class _Run:
    """One run or update of one thread, on a copy of the graph that has the thread's checkpointer."""

    def __init__(
        self,
        graph: Any,
        config: RunnableConfig,
        ability: Ability,
        warm: WarmStates,
        store: Any,
        start: dict,
        pipe: RunPipe,
    ) -> None:
        self._start = Start(start, graph, config, ability)
        self._message = start
        self._ability = ability
        self._pipe = pipe
        self._memory = warm.take(start) or ThreadMemory(start["log_id"], start["next_item"])
        self._failure: BaseException | None = None
        self._fail: Callable[[], object] = lambda: None
        self._state = SaverState(
            thread_id=self._start.thread_id,
            memory=self._memory,
            store=pipe,
            describe=self._describe,
            fresh=start["head"] is None and start["checkpoint_id"] is None and start["attempt"] == 1,
            durability=self._start.durability,
            deltas=any(_is_delta(channel) for channel in graph.channels.values()),
            failed=self._failed,
        )
        self._graph = _with_own(graph, CrewshipSaver(self._state), store)
        channels = graph.stream_channels_asis
        # The channel when the graph's state is one value instead of a dict.
        self._single = channels if isinstance(channels, str) else None

    async def execute(self, cancel: Cancel) -> dict:
        work = asyncio.ensure_future(self._execute())
        loop = asyncio.get_running_loop()
        self._fail = lambda: loop.call_soon_threadsafe(work.cancel)
        try:
            done = await work
        except BaseException:
            # What LangGraph has handed over is kept, whatever comes of the run.
            with suppress(BaseException):
                await arun_steps(self._state.journal.flush())
            if self._failure is not None and not cancel.aborted:
                raise self._failure from None
            raise
        if self._failure is not None:
            raise self._failure
        return done

    async def update(self, values: Any, as_node: str | None, checkpoint_id: str | None) -> None:
        await self._graph.aupdate_state(self._start.address(checkpoint_id), values, as_node)
        await arun_steps(self._state.journal.flush())

    def give_back(self, warm: WarmStates) -> None:
        self._memory.root = self._state.root
        warm.give(self._message["log_id"], self._memory)

    async def _execute(self) -> dict:
        start, state = self._message, self._state
        if start["attempt"] > 1:
            way, base = await decide_continuation(start, self._graph, state)
        else:
            way, base = "input", await self._starting_point()
        initial = start["initial_values"]
        if way == "input" and base is None and state.root is None and initial is not None:
            await self.update(unescape_tags(initial), None, None)
            base = state.root
        base = base and base.frozen()
        before = await self._visible(base)
        versions = base.versions if base else {}
        if way in ("interrupted", "succeeded"):
            return self._finish(before, versions, await self._snapshot(), way)

        last = await self._stream(way)
        await arun_steps(state.journal.flush())
        if state.asking is not None:
            # LangGraph shows what other tasks have written only of the latest checkpoint, which it is asked for without an
            # id.
            at = None if state.root is not None and state.asking == state.root.id else state.asking
            return self._finish(before, versions, await self._snapshot(at), "interrupted")
        if state.root is not None and _holds_update(state.root) and not (await self._snapshot()).next:
            # LangGraph stores no checkpoint where an update leads to no node; without one nobody else would see it.
            await self.update(None, END, None)
        root = state.root
        if last is not None and root is not None and last[0] == root.id and not last[1].next:
            report = last[1]
        else:
            report = await self._snapshot()
        return self._finish(before, versions, report, "interrupted" if report.next else "succeeded")

    async def _stream(self, way: str) -> tuple[str, Report] | None:
        """The run's events. Returns what LangGraph said last of a root checkpoint."""
        start, pipe = self._start, self._pipe
        tokens = self._message["stream_tokens"]
        wanted = ("debug", "custom", "messages") if tokens else ("debug", "custom")
        modes = [mode for mode in wanted if mode in self._ability.modes]
        handlers = [ToolEvents(pipe)]
        if tokens and "messages" not in modes:
            handlers.append(TokenEvents(pipe))
        config = start.config(handlers, self._message["checkpoint_id"] if way == "input" else None)
        given = None if way == "resume" else start.input()
        last = None
        events = StreamEvents(pipe, self._state.tell_written)
        if self._message.get("stream_events"):
            options = {"stream_mode": modes, **start.options(pipe)}
            stream = _with_events(self._graph.astream_events(given, config, version="v2", **options), events)
        else:
            stream = self._graph.astream(given, config, stream_mode=modes, **start.options(pipe))
        async with aclosing(stream):
            async for chunk in stream:
                namespace, mode, payload = chunk if self._ability.subgraphs else ((), *chunk)
                if mode == "messages":
                    events.message(namespace, payload)
                elif mode == "custom":
                    events.custom(namespace, payload)
                elif payload["type"] == "checkpoint":
                    last = await self._report(payload["payload"]) or last
                else:
                    events.task(namespace, payload)
                await pipe.room()
        return last

    async def _report(self, said: dict) -> tuple[str, Report] | None:
        """
        Tells the journal what LangGraph says of a checkpoint; returns what it says of a root one. A graph that a node
        invokes with a thread of its own is none of ours.
        """
        configurable = said["config"]["configurable"]
        if str(configurable["thread_id"]) != self._start.thread_id:
            return None
        namespace, checkpoint_id = configurable.get("checkpoint_ns") or "", configurable["checkpoint_id"]
        journal = self._state.journal
        for _turn in range(TURNS_TO_PUT):
            if self._state.has_put(namespace, checkpoint_id):
                break
            await asyncio.sleep(0)
        if "next" not in said:
            # LangGraph 0.2's first versions tell neither what comes next nor the tasks.
            await arun_steps(journal.flush())
            return None
        report = Report.of(said)
        single = self._single if namespace == "" else None
        encode_shown = self._state.encode_shown
        # One that was put and is gone was described already.
        if journal.pending(namespace, checkpoint_id) or not self._state.has_put(namespace, checkpoint_id):
            journal.report(
                namespace, checkpoint_id, lambda held: to_shown(report, held, single, encode_shown)
            )
        return (checkpoint_id, report) if namespace == "" else None

    def _describe(self, live: LiveTuple) -> Steps[dict]:
        config = self._start.address(live.id, live.namespace)
        report = Report(live.checkpoint["channel_values"], [], [])
        if live.namespace == "" or self._ability.subgraph_states:
            # A subgraph made while the run went on can't be asked; its channels can be shown.
            with suppress(Exception):
                graph = self._graph
                found = yield Wait(lambda: graph.get_state(config), lambda: graph.aget_state(config))
                report = Report.of(found)
        single = self._single if live.namespace == "" else None
        return to_shown(report, live, single, self._state.encode_shown)

    async def _starting_point(self) -> LiveTuple | None:
        checkpoint_id = self._message["checkpoint_id"]
        if checkpoint_id is None and self._state.root is not None:
            return self._state.root
        if checkpoint_id is None and self._message["head"] is None:
            return None
        found = await arun_steps(self._state.read_stored("", checkpoint_id or ""))
        return None if found is None else found[1]

    async def _snapshot(self, checkpoint_id: str | None = None) -> Report:
        return Report.of(await self._graph.aget_state(self._start.address(checkpoint_id)))

    async def _visible(self, base: LiveTuple | None) -> dict:
        """The output channels of a state, encoded; their items are already stored."""
        if base is None:
            return {}
        keys, channels = self._output_keys, self._graph.channels
        if any(_is_delta(channels.get(key)) for key in keys):
            values = (await self._snapshot(base.id)).values
        else:
            values = base.checkpoint["channel_values"]
        return self._encode_output(visible_values(values, None), base)

    def _finish(self, before: dict, versions: dict, report: Report, outcome: str) -> dict:
        single, root = self._graph.output_channels, self._state.root
        try:
            after = self._encode_output(visible_values(report.values, self._single), root)
        except EncodingError as error:
            raise CodedError("output_not_json", str(error)) from None
        now = root.versions if root else {}
        output: Any = changes(before, after, lambda key: now.get(key) != versions.get(key))
        if isinstance(single, str):
            output = after.get(single)
        done = {"outcome": outcome, "output": output}
        items = self._memory.ledger.take_new()
        return done if items is None else {**done, "items": items}

    @property
    def _output_keys(self) -> list[str]:
        keys = self._graph.output_channels
        return [keys] if isinstance(keys, str) else list(keys)

    def _encode_output(self, values: dict[str, Any], live: LiveTuple | None) -> dict:
        encoded = {}
        for key in self._output_keys:
            if key in values:
                stored = live and live.stored_form(key, values[key])
                if stored is None:
                    stored = encode(values[key], f'the output "{key}"', self._memory, "store")
                encoded[key] = stored
        return encoded

    def _failed(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
            self._fail()


async def _with_events(all_events: Any, events: StreamEvents) -> Any:
    """The graph's own chunks among its events; the others are told."""
    root = None
    async with aclosing(all_events):
        async for event in all_events:
            root = root or event["run_id"]
            if event["event"] == "on_chain_stream" and event["run_id"] == root:
                yield event["data"]["chunk"]
            else:
                events.event(event)


def _holds_update(live: LiveTuple) -> bool:
    """A command's update is among the checkpoint's writes, and in none of its channels."""
    return any(write.task_id == NULL_TASK_ID and write.channel != "__resume__" for write in live.writes)


def _is_delta(channel: Any) -> bool:
    return type(channel).__name__ == "DeltaChannel"


def _with_own(graph: Any, saver: CrewshipSaver, store: Any) -> Any:
    """A shallow copy: several runs share the graph at once, each with its own checkpointer and store."""
    if hasattr(graph, "__fields__"):
        # Before 0.2.20 a graph is a pydantic model, whose plain copies share their fields.
        return graph.copy(update={"checkpointer": saver, **({} if store is None else {"store": store})})
    attached = copy.copy(graph)
    attached.checkpointer = saver
    if store is not None:
        attached.store = store
    return attached

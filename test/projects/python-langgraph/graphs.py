"""Graphs whose behaviour shows what a checkpointer gets right or wrong. They run on every LangGraph from 0.2.0."""

import asyncio
import logging
import operator
import sys
import time
from datetime import datetime, timezone
from typing import Annotated, Any, Literal, TypedDict

from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.checkpoint.memory import MemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph


class Log(TypedDict, total=False):
    log: Annotated[list[str], operator.add]
    answer: Any
    bad: Any


def chain(state, **nodes):
    """A graph of nodes one after another."""
    builder = StateGraph(state)
    names = list(nodes)
    for name, node in nodes.items():
        builder.add_node(name, node)
    for before, after in zip([START, *names], [*names, END]):
        builder.add_edge(before, after)
    return builder


def says(text: str):
    return lambda _state: {"log": [text]}


def think(state: MessagesState):
    count = len(state["messages"])
    return {"messages": [AIMessage(f"thought {count}", id=f"t{count}")]}


def close(_state: MessagesState):
    return {"messages": [AIMessage("closed")]}


subgraph = chain(MessagesState, inner=chain(MessagesState, think=think).compile(), close=close).compile()


def trimming(state: MessagesState):
    """Keeps the last four messages."""
    messages = state["messages"]
    removed = [RemoveMessage(id=message.id) for message in messages[:-3]]
    return {"messages": [*removed, AIMessage(f"kept {min(3, len(messages))}")]}


trim = chain(MessagesState, trim=trimming).compile()


def replacing(state: MessagesState):
    return {"messages": [HumanMessage("replaced", id=state["messages"][0].id)]}


replace = chain(MessagesState, replace=replacing).compile()


def mutating(state: MessagesState):
    """Changes the first message in place and returns it."""
    first = state["messages"][0]
    first.content = f"{first.content}!"
    return {"messages": [first]}


mutate = chain(MessagesState, mutate=mutating).compile()

A = "a, and a text that is long enough to be an item"
steps = chain(Log, a=says(A), b=says("b"), c=says("c")).compile()

guarded = chain(Log, a=says("a"), b=says("b")).compile(interrupt_before=["b"], checkpointer=MemorySaver())

stopping = chain(Log, one=says("one"), two=says("two")).compile(interrupt_before=["two"])
guarded_inside = chain(Log, outer=stopping, end=says("end")).compile()


async def later(_state: Log):
    await asyncio.sleep(0)
    return {"log": ["awaited"]}


mixed = chain(Log, sync=says("sync"), later=later).compile()


async def waiting(_state: Log):
    print("waiting")
    await asyncio.sleep(60)


forever = chain(Log, wait=waiting).compile()


def blocking(_state: Log):
    print("waiting")
    for _ in range(600):
        time.sleep(0.1)


blocked = chain(Log, wait=blocking).compile()


def flooding(_state: Log):
    logging.getLogger("agent").warning("a warning")
    print("an error line", file=sys.stderr)
    for i in range(20_000):
        print(f"line {i} {'x' * 80}")
    sys.stdout.write("y" * 50_000)
    return {"log": ["printed"]}


flood = chain(Log, print=flooding).compile()


def spoiling(_state: Log):
    return {"bad": {"handler": lambda: 1}}


unstorable = chain(Log, spoil=spoiling).compile()


def burning(_state: Log):
    raise RuntimeError("the model is on fire")


failing = chain(Log, fine=says("fine"), fail=burning).compile()

_loop = StateGraph(Log)
_loop.add_node("again", says("again"))
_loop.add_edge(START, "again")
_loop.add_edge("again", "again")
loop = _loop.compile()


@tool
def double(n: int) -> str:
    """Doubles"""
    return str(2 * n)


@tool
def broken(n: int) -> str:
    """Breaks"""
    raise ValueError("broken tool")


async def using(_state: Log, config: RunnableConfig):
    return {"log": [await double.ainvoke({"n": 21}, config)]}


def misusing(_state: Log, config: RunnableConfig):
    try:
        broken.invoke({"n": 1}, config)
    except ValueError:
        pass
    return {"log": ["went on"]}


tool_user = chain(Log, use=using, misuse=misusing).compile()

model = FakeListChatModel(responses=["hello you"])


async def talking(state: MessagesState, config: RunnableConfig):
    return {"messages": [await model.ainvoke(state["messages"], config)]}


talker = chain(MessagesState, talk=talking).compile()


class Rich(TypedDict, total=False):
    when: datetime
    set: Any
    kinds: list[str]


def enrich(_state: Rich):
    return {"when": datetime.fromtimestamp(0, timezone.utc), "set": {"a"}}


def name_kinds(state: Rich):
    return {"kinds": [type(state["when"]).__name__, type(state["set"]).__name__]}


rich = chain(Rich, first=enrich, second=name_kinds).compile()


def looking(_state: Log, config: RunnableConfig):
    """Looks at its own history while it runs, in a worker thread."""
    saver = config["configurable"]["__pregel_checkpointer"]
    address = {"configurable": {"thread_id": config["configurable"]["thread_id"], "checkpoint_ns": ""}}
    state = historian.get_state({"configurable": {**address["configurable"], "__pregel_checkpointer": saver}})
    return {"log": [f"saw {len(list(saver.list(address)))}", str(state.values["log"])]}


async def looking_blocked(state: Log, config: RunnableConfig):
    """The same with sync calls in the event loop's own thread."""
    return looking(state, config)


historian = chain(Log, first=says("first"), look=looking, again=looking_blocked).compile()


def inner_answer(state: Log, config: RunnableConfig):
    """Invokes another graph, sync, in a worker thread."""
    return {"log": inner_steps.invoke({"log": []}, config)["log"]}


inner_steps = chain(Log, one=says("one"), two=says("two")).compile()
calls_sync = chain(Log, call=inner_answer, end=says("end")).compile()

try:
    from langgraph.types import Send
except ImportError:
    from langgraph.constants import Send


def part(state: Any):
    return {"log": [f"part {state['n']}"]}


def pushing(state, first, split, second, node):
    """A graph whose first node pushes tasks to the second."""
    builder = StateGraph(state)
    builder.add_node(first, node)
    builder.add_node(second[0], second[1])
    builder.add_edge(START, first)
    builder.add_conditional_edges(first, split, [second[0]])
    return builder.compile()


fanout = pushing(
    Log, "split", lambda _state: [Send("part", {"n": n}) for n in (1, 2, 3)], ("part", part), says("split")
)


def take(state: MessagesState):
    count = len(state["messages"])
    return {"messages": [AIMessage(f"took {count}", id=f"k{count}")]}


handover = pushing(
    MessagesState,
    "hand",
    lambda state: [Send("take", state)],
    ("take", take),
    lambda _state: {"messages": []},
)

try:
    from langgraph.types import Command, StreamWriter, interrupt
except ImportError:
    pass
else:

    def asking(question: Any, said: str):
        return lambda _state: {"answer": interrupt(question), "log": [said]}

    ask = chain(
        Log,
        before=says("before"),
        ask=asking({"question": "first?"}, "asked"),
        again=asking({"question": "second?"}, "asked again"),
    ).compile()

    def inside(_state: Log):
        return {"log": [f"told {interrupt('inside?')}"]}

    nested = chain(Log, outer=chain(Log, inside=inside).compile(), end=says("end")).compile()

    def side(name: str):
        return lambda _state: {"log": [f"{name} {interrupt(f'{name}?')}"]}

    _twice = StateGraph(Log)
    for _name, _node in {"left": side("left"), "right": side("right"), "fine": says("fine")}.items():
        _twice.add_node(_name, _node).add_edge(START, _name)
    twice = _twice.compile()

    def go(_state: Log) -> Command[Literal["target"]]:
        return Command(update={"log": ["go"]}, goto="target")

    commanded = (
        StateGraph(Log).add_node("go", go).add_node("target", says("target")).add_edge(START, "go").compile()
    )

    def writing(_state: Log, writer: StreamWriter):
        writer({"percent": 50})
        writer("half")
        return {"log": ["written"]}

    custom = chain(Log, write=writing).compile()

try:
    from langgraph.func import entrypoint, task
except ImportError:
    pass
else:

    @task
    async def add(a: int, b: int) -> int:
        return a + b

    @entrypoint()
    async def functional(value: int, *, previous: Any = None) -> Any:
        return await add(value, previous or 0)

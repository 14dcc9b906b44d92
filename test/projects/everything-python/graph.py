"""Does what `act` says; "all" is everything that becomes an event."""

import asyncio
import os
import time
from pathlib import Path
from typing import TypedDict

from langchain_core.language_models import FakeListChatModel
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.graph import START, StateGraph
from langgraph.types import StreamWriter, interrupt


class State(TypedDict, total=False):
    act: str
    file: str
    said: str


@tool
def double(n: int) -> str:
    """Doubles"""
    return str(2 * n)


@tool
def broken(n: int) -> str:
    """Breaks"""
    raise ValueError("it broke")


model = FakeListChatModel(responses=["so it is"])


async def everything(_state: State, config: RunnableConfig, writer: StreamWriter) -> State:
    print("a line")
    Path(os.environ["CREWSHIP_ARTIFACTS"], "a.md").write_text("abc")
    writer({"percent": 50})
    await double.ainvoke({"n": 21}, config)
    try:
        await broken.ainvoke({"n": 1}, config)
    except ValueError:
        pass
    return {"said": str((await model.ainvoke("how is it?", config)).content)}


async def heed(state: State) -> State:
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        Path(state["file"]).write_text("CancelledError")
        raise
    return {}


def ignore(state: State) -> State:
    Path(state["file"]).write_text(str(os.getpid()))
    time.sleep(3600)
    return {}


def fail(_state: State) -> State:
    raise ValueError("no such luck")


graph = (
    StateGraph(State)
    .add_node("all", everything)
    .add_node("heed", heed)
    .add_node("ignore", ignore)
    .add_node("fail", fail)
    .add_node("ask", lambda _state: {"said": interrupt("how?")})
    .add_conditional_edges(START, lambda state: state["act"], ["all", "heed", "ignore", "fail", "ask"])
    .compile()
)

"""Asks in every way a graph can. `way` says where it begins; each node says that it was called."""

import operator
import time
from pathlib import Path
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import interrupt


class State(TypedDict, total=False):
    way: str
    answer: str
    log: Annotated[list[str], operator.add]


class Inside(TypedDict, total=False):
    answer: str


def says(name: str):
    def node(_state: State) -> State:
        print(f"{name} called")
        return {"log": [name]}

    return node


def asks(name: str):
    def node(_state: State) -> State:
        print(f"{name} called")
        return {"log": [f"{name} {interrupt(f'{name}?')}"]}

    return node


def heard(answer: str | dict[str, str]) -> str:
    """What an answer says. One with a file holds its run until the process is killed, unless the file is there."""
    if isinstance(answer, str):
        return answer
    file = Path(answer["hold_once"])
    if not file.exists():
        file.touch()
        print("holding")
        time.sleep(3600)
    return answer["say"]


def before(_state: Inside) -> Inside:
    print("before called")
    return {}


def asks_inside(_state: Inside) -> Inside:
    print("inside called")
    return {"answer": heard(interrupt("inside?"))}


def twice(_state: State) -> State:
    print("twice called")
    first = interrupt("first?")
    second = heard(interrupt("second?"))
    third = f" {interrupt('third?')}" if second == "more" else ""
    return {"log": [f"twice {first} {second}{third}"]}


def told(state: State) -> State:
    return {"log": [f"told {state['answer']}"]}


inside = (
    StateGraph(Inside)
    .add_node("before", before)
    .add_node("inside", asks_inside)
    .add_edge(START, "before")
    .add_edge("before", "inside")
    .compile()
)

WAYS = ["left", "right", "fine", "twice", "outer", "a"]

graph = (
    StateGraph(State)
    .add_node("left", asks("left"))
    .add_node("right", asks("right"))
    .add_node("fine", says("fine"))
    .add_node("twice", twice)
    .add_node("outer", inside)
    .add_node("told", told)
    .add_node("a", says("a"))
    .add_node("b", says("b"))
    .add_node("c", says("c"))
    .add_conditional_edges(
        START, lambda state: ["left", "right", "fine"] if state["way"] == "pair" else state["way"], WAYS
    )
    .add_edge("outer", "told")
    .add_edge("a", "b")
    .add_edge("b", "c")
    .compile()
)

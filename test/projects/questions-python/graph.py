"""Asks in every way a graph can. `way` says where it begins; each node says that it was called."""

import operator
import time
from pathlib import Path
from typing import Annotated, TypedDict

from langgraph.channels import DeltaChannel
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt


class State(TypedDict, total=False):
    way: str
    answer: str
    log: Annotated[list[str], operator.add]


def fold(log: list[str], writes: list[list[str]]) -> list[str]:
    return [*log, *(line for write in writes for line in write)]


class Folded(TypedDict, total=False):
    """The same state, whose log is folded from what was written."""

    way: str
    answer: str
    log: Annotated[list[str], DeltaChannel(fold, snapshot_frequency=50)]


class Inside(TypedDict, total=False):
    answer: str


def says(name: str):
    def node(_state: dict) -> dict:
        print(f"{name} called")
        return {"log": [name]}

    return node


def asks(name: str):
    def node(_state: dict) -> dict:
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


def twice(_state: dict) -> dict:
    print("twice called")
    first = interrupt("first?")
    second = heard(interrupt("second?"))
    third = f" {interrupt('third?')}" if second == "more" else ""
    return {"log": [f"twice {first} {second}{third}"]}


def told(state: dict) -> dict:
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


def build(state: type):
    return (
        StateGraph(state)
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


graph = build(State)
folded = build(Folded)

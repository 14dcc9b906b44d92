"""Pays only what a person has approved."""

import operator
from typing import Annotated, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt


class State(TypedDict, total=False):
    amount: int
    payments: Annotated[list[int], operator.add]
    outcome: str


def pay(state: State) -> State:
    answer = interrupt({"question": f"Pay {state['amount']}?"})
    return {"payments": [state["amount"]], "outcome": "paid"} if answer == "yes" else {"outcome": "refused"}


graph = StateGraph(State).add_node("pay", pay).add_edge(START, "pay").add_edge("pay", END).compile()

"""A conversation in a channel that stores only what was written."""

from typing import Annotated, TypedDict

from langchain_core.messages import AIMessage
from langgraph.channels import DeltaChannel
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages


def fold(messages, writes):
    for write in writes:
        messages = add_messages(messages, write)
    return messages


class State(TypedDict):
    messages: Annotated[list, DeltaChannel(fold, snapshot_frequency=5)]


def echo(state: State):
    return {"messages": [AIMessage(f"echo {len(state['messages'])}")]}


graph = StateGraph(State).add_node("echo", echo).add_edge(START, "echo").compile()

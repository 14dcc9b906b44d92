"""Answers with a digest of the whole conversation so far, so that a message lost, doubled or moved in any earlier turn
shows in every later answer. test/faults/conversation.ts computes the same without an agent."""

import hashlib

from langchain_core.messages import AIMessage
from langgraph.graph import END, START, MessagesState, StateGraph


def echo(state: MessagesState):
    messages = state["messages"]
    digest = hashlib.sha256()
    for message in messages:
        digest.update(f"{message.id}\n{message.content}\n".encode())
    content = f"{len(messages)} {digest.hexdigest()[:16]}"
    return {"messages": [AIMessage(content, id=f"answer to {messages[-1].id}")]}


graph = (
    StateGraph(MessagesState).add_node("echo", echo).add_edge(START, "echo").add_edge("echo", END).compile()
)

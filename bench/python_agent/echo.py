"""One node that answers with 400 characters: what a turn costs is then what remembering costs."""

from langchain_core.messages import AIMessage
from langgraph.graph import END, START, MessagesState, StateGraph


def echo(state: MessagesState):
    answer = (f"{len(state['messages'])} " + "answer " * 60)[:400]
    return {"messages": [AIMessage(answer)]}


builder = StateGraph(MessagesState).add_node("echo", echo).add_edge(START, "echo").add_edge("echo", END)
graph = builder.compile()

from typing import TypedDict

from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, StateGraph


class State(TypedDict):
    topic: str
    research: str
    summary: str


llm = ChatOpenAI(model="gpt-4o-mini")


def research(state: State) -> dict:
    return {"research": llm.invoke(f"Research: {state['topic']}").content}


def summarize(state: State) -> dict:
    return {"summary": llm.invoke(f"Summarize: {state['research']}").content}


builder = StateGraph(State)
builder.add_node("research", research)
builder.add_node("summarize", summarize)
builder.add_edge(START, "research")
builder.add_edge("research", "summarize")
builder.add_edge("summarize", END)
graph = builder.compile()

"""A graph that does what its input says, so that a client of it sees everything a graph can do."""

import asyncio
import operator
from collections.abc import AsyncIterator
from typing import Annotated, Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Send, interrupt


class State(MessagesState, total=False):
    do: str
    count: int
    part: int
    log: Annotated[list[str], operator.add]


class Words(BaseChatModel):
    """Streams its answer word by word."""

    @property
    def _llm_type(self) -> str:
        return "words"

    def _generate(self, messages: list[BaseMessage], *_args: Any, **_more: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(f"you said {messages[-1].content}"))])

    async def _astream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **_more: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        words = f"you said {messages[-1].content}".split(" ")
        for i, word in enumerate(words):
            text = word if i == len(words) - 1 else f"{word} "
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=text))
            if run_manager:
                await run_manager.on_llm_new_token(text, chunk=chunk)
            yield chunk


model = Words()


@tool
def double(n: int) -> str:
    """Doubles a number"""
    return str(2 * n)


def think(_state: State):
    get_stream_writer()({"thought": 1})
    return {"log": ["thought"]}


def doubt(state: State):
    return {"log": [f"sure: {interrupt('sure?')}"]} if state.get("count") == 7 else {}


def build_inner():
    builder = StateGraph(State)
    builder.add_node("think", think)
    builder.add_node("doubt", doubt)
    builder.add_edge(START, "think")
    builder.add_edge("think", "doubt")
    return builder.compile()


async def chat(state: State):
    return {"messages": [await model.ainvoke(state["messages"])]}


def call(_state: State):
    calls = [{"id": "call_1", "name": "double", "args": {"n": 21}, "type": "tool_call"}]
    return {"messages": [AIMessage("", id="calling", tool_calls=calls)]}


def tools(state: State):
    [asked] = state["messages"][-1].tool_calls
    result: ToolMessage = double.invoke(asked)
    return {"messages": [result]}


def ask(_state: State):
    return {"log": [f"answer: {interrupt('which one?')}"]}


def fail(_state: State):
    raise ValueError("too far")


async def steps(state: State):
    write = get_stream_writer()
    for i in range(1, state["count"] + 1):
        write({"step": i})
        await asyncio.sleep(0.005)
    return {"log": [f"{state['count']} steps"]}


async def wait(_state: State):
    await asyncio.sleep(3600)


def settings(_state: State, config: RunnableConfig):
    given = config["configurable"]
    return {"log": [f"{given.get('tone')} {given.get('assistant_id')}"]}


def first(state: State) -> str:
    return {"tool": "call", "send": "fan"}.get(state["do"], state["do"])


builder = StateGraph(State)
for name, node in {
    "chat": chat,
    "call": call,
    "tools": tools,
    "ask": ask,
    "inner": build_inner(),
    "fan": lambda _state: {},
    "work": lambda state: {"log": [f"part {state['part']}"]},
    "fail": fail,
    "steps": steps,
    "wait": wait,
    "settings": settings,
}.items():
    builder.add_node(name, node)
builder.add_conditional_edges(START, first)
builder.add_conditional_edges("fan", lambda _state: [Send("work", {"part": part}) for part in (1, 2, 3)])
builder.add_edge("call", "tools")
builder.add_edge("tools", END)
graph = builder.compile()

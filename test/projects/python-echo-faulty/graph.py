"""Does what its input asks for: speaks for a while, or misbehaves in one of the ways an agent can. The same as
test/projects/echo-faulty."""

import asyncio
import operator
import os
import signal
from typing import Annotated, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import StreamWriter


class State(TypedDict, total=False):
    act: str
    # Events to send in all, so many in a step, with a pause after every ten.
    events: int
    step_size: int
    pause_ms: int
    # Characters of each event.
    size: int
    sent: int
    said: Annotated[list[str], operator.add]


BEFORE_DEED_S = 0.02

hoard = []


async def leave():
    os._exit(3)


async def spin():
    while True:
        pass


def spin_later():
    while True:
        pass


async def wait_for_cancel():
    await asyncio.sleep(60)


async def stop():
    os.kill(os.getpid(), signal.SIGSTOP)
    await asyncio.sleep(60)


async def flood():
    line = "flood " * 200
    for i in range(100_000):
        print(line)
        if i % 1000 == 0:
            await asyncio.sleep(0)


async def leak():
    while True:
        hoard.append([{"i": i} for i in range(1000)])


async def leak_buffers():
    while True:
        hoard.append(bytearray(os.urandom(1024)) * 8192)
        await asyncio.sleep(0.01)


wrongdoings = {
    "exit": leave,
    "spin": spin,
    "spin_after_cancel": wait_for_cancel,
    "stop": stop,
    "flood": flood,
    "leak": leak,
    "leak_buffers": leak_buffers,
}


async def behave(state: State, writer: StreamWriter):
    if state.get("act") == "spin_after_cancel":
        # Before anybody can cancel: a cancel ends this node at its next await.
        asyncio.get_running_loop().call_later(1, spin_later)
    # Said, and sent, before the deed: afterwards the process may never speak again.
    writer({"about_to": state.get("act"), "pid": os.getpid()})
    await asyncio.sleep(BEFORE_DEED_S)
    if deed := wrongdoings.get(state.get("act", "")):
        await deed()
    return {"said": [f"did {state.get('act')}"]}


async def speak(state: State, writer: StreamWriter):
    sent, size, pause_ms = state.get("sent", 0), state.get("size", 0), state.get("pause_ms", 0)
    end = min(state["events"], sent + state.get("step_size", 100))
    for i in range(sent, end):
        writer({"i": i, "text": "x" * size})
        if i % 10 == 9:
            await asyncio.sleep(pause_ms / 1000)
    return {"sent": end}


def more(state: State):
    return "speak" if state.get("sent", 0) < state.get("events", 0) else END


graph = (
    StateGraph(State)
    .add_node("behave", behave)
    .add_node("speak", speak)
    .add_edge(START, "behave")
    .add_conditional_edges("behave", more)
    .add_conditional_edges("speak", more)
    .compile()
)

"""A crew, and a flow that calls it, which do everything that becomes an event. The model is a provider on loopback that calls
the tool a task names."""

import asyncio
import os
import time
from pathlib import Path

from crewai import Agent, Crew, Task
from crewai.events import crewai_event_bus
from crewai.events.base_events import BaseEvent
from crewai.flow.flow import Flow, listen, router, start
from crewai.flow.human_feedback import human_feedback
from crewai.tools import tool
from pydantic import BaseModel


class Progress(BaseEvent):
    type: str = "progress"
    percent: int


@tool
def double(n: int) -> str:
    """Doubles"""
    print("a line")
    crewai_event_bus.emit(None, Progress(percent=50))
    return str(2 * n)


@tool
def broken(n: int) -> str:
    """Breaks"""
    raise ValueError("it broke")


@tool
def heed(file: str) -> str:
    """Waits"""
    try:
        while True:
            time.sleep(0.01)
    except BaseException as told:
        Path(file).write_text(type(told).__name__)
        raise


@tool
def ignore(file: str) -> str:
    """Waits"""
    Path(file).write_text(str(os.getpid()))
    time.sleep(3600)
    return ""


def crew() -> Crew:
    """Two tasks that do what the input says, and a file."""
    worker = Agent(
        role="Worker",
        goal="Work",
        backstory="You work.",
        llm="openai/gpt-4o-mini",
        tools=[double, broken, heed, ignore],
    )
    first = Task(name="first", description="{first}", expected_output="A word.", agent=worker)
    second = Task(
        name="second",
        description="{second}",
        expected_output="A word.",
        agent=worker,
        output_file="out.md",
    )
    return Crew(agents=[worker], tasks=[first, second])


class State(BaseModel):
    act: str = ""
    file: str = ""
    said: str = ""


class Everything(Flow[State]):
    @start()
    def begin(self):
        return self.state.act

    @router(begin)
    def choose(self):
        return self.state.act

    @listen("all")
    def work(self):
        inputs = {"first": 'call double {"n": 21}', "second": 'call broken {"n": 1}'}
        self.state.said = crew().kickoff(inputs).raw

    @listen("heed")
    async def wait(self):
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError as told:
            Path(self.state.file).write_text(type(told).__name__)
            raise

    @listen("ignore")
    def sleep(self):
        Path(self.state.file).write_text(str(os.getpid()))
        time.sleep(3600)

    @listen("fail")
    def refuse(self):
        crew().kickoff({"first": "refuse this", "second": ""})

    @listen("ask")
    @human_feedback(message="How?")
    def question(self):
        return "how?"

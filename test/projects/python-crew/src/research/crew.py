"""A researcher with a tool, and a writer who leaves a file. The input can ask for what goes wrong."""

import time

from crewai import Agent, Crew, Task
from crewai.project import CrewBase, agent, before_kickoff, crew, task
from crewai.tools import tool


@tool
def look_up(subject: str) -> str:
    """Says what is known about a subject."""
    if subject == "nothing":
        raise LookupError("nothing is known about nothing")
    while subject == "slowness":
        time.sleep(0.02)
    print(f"looked up {subject}")
    return f"{subject} is old"


@CrewBase
class Research:
    @agent
    def researcher(self) -> Agent:
        return Agent(config=self.agents_config["researcher"], tools=[look_up])

    @agent
    def writer(self) -> Agent:
        return Agent(config=self.agents_config["writer"])

    @task
    def find(self) -> Task:
        return Task(config=self.tasks_config["find"])

    @task
    def write(self) -> Task:
        return Task(config=self.tasks_config["write"])

    @before_kickoff
    def prepare(self, inputs):
        if inputs.get("ask"):
            self.find().human_input = True
        return inputs

    @crew
    def crew(self) -> Crew:
        return Crew(agents=self.agents, tasks=self.tasks)

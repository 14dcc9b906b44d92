"""Two agents: one looks a subject up, the other writes the report. There is nothing of Crewship in here: a run's input and
the conversation so far arrive as {message} and {history} in config/tasks.yaml."""

from crewai import Agent, Crew, Process, Task
from crewai.project import CrewBase, agent, crew, task

from crewai_research.library import look_up
from crewai_research.model import research_model


@CrewBase
class ResearchCrew:
    agents_config = "config/agents.yaml"
    tasks_config = "config/tasks.yaml"

    @agent
    def researcher(self) -> Agent:
        return Agent(config=self.agents_config["researcher"], tools=[look_up], llm=research_model())

    @agent
    def writer(self) -> Agent:
        return Agent(config=self.agents_config["writer"], llm=research_model())

    @task
    def research(self) -> Task:
        return Task(config=self.tasks_config["research"])

    @task
    def report(self) -> Task:
        return Task(config=self.tasks_config["report"])

    @crew
    def crew(self) -> Crew:
        return Crew(agents=self.agents, tasks=self.tasks, process=Process.sequential)

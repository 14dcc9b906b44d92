"""A flow whose crew writes a draft, and which asks a person about it. The input can ask for what goes wrong."""

import asyncio

from crewai import Agent, Crew, Task
from crewai.flow.flow import Flow, listen, or_, router, start
from crewai.flow.human_feedback import human_feedback
from crewai.flow.persistence import persist
from pydantic import BaseModel


class Draft(BaseModel):
    topic: str
    words: int


class State(BaseModel):
    topic: str = ""
    mode: str = ""
    drafts: list[Draft] = []
    published: int = 0
    remark: str | None = None


@persist()
class Review(Flow[State]):
    @start()
    def begin(self):
        if self.state.mode == "ask":
            return self.ask("Which topic?")
        return self.state.topic

    @router(begin)
    def choose(self):
        if self.state.mode == "fail":
            raise ValueError("no such luck")
        return "pause" if self.state.mode == "wait" else "write"

    @listen("pause")
    async def wait(self):
        try:
            await asyncio.sleep(60)
        finally:
            print("wait ended")

    @listen(or_("write", "rejected"))
    @human_feedback(message="Publish it?", emit=["approved", "rejected"], llm="openai/gpt-4o-mini")
    def draft(self):
        writer = Agent(role="Writer", goal="Write", backstory="You write.", llm="openai/gpt-4o-mini")
        write = Task(
            name="write",
            description=f"Write about {self.state.topic}",
            expected_output="A page.",
            agent=writer,
        )
        text = Crew(agents=[writer], tasks=[write]).kickoff().raw
        self.state.drafts.append(Draft(topic=self.state.topic, words=len(text.split())))
        return {"text": text, "number": len(self.state.drafts)}

    @listen("approved")
    def publish(self):
        self.state.published += 1
        self.state.remark = self.last_human_feedback.feedback
        return f"published draft {len(self.state.drafts)}"

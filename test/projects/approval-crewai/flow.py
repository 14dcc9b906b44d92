"""Pays only what a person has approved. The answers are its options, so no model has to find out what is meant."""

from crewai.flow.flow import Flow, listen, start
from crewai.flow.human_feedback import human_feedback
from pydantic import BaseModel


class State(BaseModel):
    amount: int = 0
    payments: list[int] = []
    outcome: str = ""


class Payments(Flow[State]):
    @start()
    @human_feedback(message="Pay it?", emit=["yes", "no"], llm="openai/gpt-4o-mini")
    def ask(self):
        return f"Pay {self.state.amount}?"

    @listen("yes")
    def pay(self):
        self.state.payments.append(self.state.amount)
        self.state.outcome = "paid"

    @listen("no")
    def refuse(self):
        self.state.outcome = "refused"

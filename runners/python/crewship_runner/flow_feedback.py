"""The questions of a flow. `@human_feedback` stops it until a later run brings the answer; what waits at a terminal cannot
be answered here, and says so."""

from __future__ import annotations

import json
import types
from typing import Any

from .questions import answer_in

try:
    from crewai.flow.async_feedback.providers import ConsoleProvider
    from crewai.flow.async_feedback.types import HumanFeedbackPending, PendingFeedbackContext
    from crewai.flow.flow_config import flow_config
except ImportError:
    # The flows of an older CrewAI ask nobody.
    ConsoleProvider = PendingFeedbackContext = flow_config = None

    class HumanFeedbackPending(Exception):  # type: ignore[no-redef]
        pass


class NoTerminal(BaseException):
    """Not an Exception: CrewAI turns those into an answer of None."""


class ThreadFeedback:
    """In the place of the terminal: the flow pauses, and its thread waits for the answer."""

    def request_feedback(self, context: PendingFeedbackContext, flow: Any) -> str:
        raise HumanFeedbackPending(context=context)

    def request_input(self, message: str, flow: Any, metadata: Any = None) -> None:
        raise NoTerminal(
            f"The flow called ask({message!r:.200}), which waits in the middle of a method, and nobody sits at a terminal "
            "here. Return from the method and decorate it with @human_feedback instead: its question becomes an "
            "interrupt, and the thread's next run answers it with command.resume."
        )


def answer_for_terminal() -> None:
    if flow_config is None:
        return
    provider = ThreadFeedback()
    flow_config.hitl_provider = provider
    flow_config.input_provider = provider
    # Whoever names the terminal means it too.
    ConsoleProvider.request_feedback = ThreadFeedback.request_feedback
    ConsoleProvider.request_input = ThreadFeedback.request_input


def question_of(context: PendingFeedbackContext, id: str) -> dict:
    method = str(context.method_name)
    output = context.to_dict()["method_output"]
    value = {
        "message": context.message,
        "method": method,
        "output": output,
        "options": list(context.emit or []),
    }
    return {"id": id, "value": value, "task": method}


def feedback_in(resume: Any, question_id: str) -> str:
    """The answer as the text that CrewAI calls feedback."""
    answer = answer_in(resume, question_id)
    if answer is None:
        return ""
    return answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)


def choose_exactly(flow: Any) -> None:
    """An answer that is one of the options needs no model to find out which one is meant."""
    collapse = getattr(flow, "_collapse_to_outcome", None)
    if collapse is None:
        return

    def chosen(self: Any, feedback: str, outcomes: Any, llm: Any) -> str:
        exact = [outcome for outcome in outcomes if outcome.lower() == feedback.strip().lower()]
        return exact[0] if exact else collapse(feedback=feedback, outcomes=outcomes, llm=llm)

    object.__setattr__(flow, "_collapse_to_outcome", types.MethodType(chosen, flow))

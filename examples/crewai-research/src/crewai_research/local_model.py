"""A model without a network: a few rules over what it is asked, always the same answer to the same words, streamed word by
word. It extends CrewAI's BaseLLM, so the crew cannot tell it from a real one."""

import json
import re
import time
from typing import Any

from crewai import BaseLLM
from crewai.events.types.llm_events import LLMCallType
from crewai.llms.base_llm import llm_call_context

from crewai_research.library import NOTES

WORD_DELAY_S = 0.02
# For a question that says "slowly": time enough to watch, cancel, or kill the server in the middle of an answer.
SLOW_WORD_DELAY_S = 0.5
MAX_NOTES = 3


class LocalModel(BaseLLM):
    def call(
        self, messages: Any, *args: Any, from_task: Any = None, from_agent: Any = None, **kwargs: Any
    ) -> str:
        words = [str(message["content"]) for message in messages]
        reply = answer(words)
        delay = SLOW_WORD_DELAY_S if "slowly" in words[1] else WORD_DELAY_S
        spoken = re.findall(r"\S+\s*", reply)
        with llm_call_context():
            self._emit_call_started_event(messages, from_task=from_task, from_agent=from_agent)
            for word in spoken if self.stream else ():
                time.sleep(delay)
                self._emit_stream_chunk_event(word, from_task, from_agent)
            read = len(" ".join(words).split())
            usage = {
                "prompt_tokens": read,
                "completion_tokens": len(spoken),
                "total_tokens": read + len(spoken),
            }
            self._track_token_usage_internal(usage)
            self._emit_call_completed_event(
                reply, LLMCallType.LLM_CALL, from_task, from_agent, messages=messages, usage=usage
            )
        return reply

    def get_context_window_size(self) -> int:
        return 100_000

    def get_input_tokens_count(self, messages: Any, *args: Any, **kwargs: Any) -> int:
        return len(str(messages).split())


def answer(words: list[str]) -> str:
    """`words` are those of the system, of the task, and of what has been done for it so far."""
    task = words[1]
    asked = re.search(
        r"Somebody asks: (.*?)\n\s*What was said before:(.*?)\n\s*Look up the subject", task, re.DOTALL
    )
    if asked is None:
        return report(task)
    question, history = asked.groups()
    seen = re.search(r"Observation: (.*)", "\n".join(words[2:]), re.DOTALL)
    if seen is not None:
        return final(notes_from(seen.group(1), history))
    subject = subject_of(question) or subject_of(history)
    if subject is None:
        return final(f"The library has notes on {', '.join(NOTES)}. Which of them do you mean?")
    return f"Thought: I look it up.\nAction: look_up\nAction Input: {json.dumps({'subject': subject})}"


def final(text: str) -> str:
    return f"Thought: I now know the final answer\nFinal Answer: {text}"


def subject_of(text: str) -> str | None:
    """The one that was spoken of last."""
    found = [(text.lower().rfind(subject.rstrip("s")), subject) for subject in NOTES]
    place, subject = max(found)
    return None if place < 0 else subject


def notes_from(observation: str, history: str) -> str:
    known = [note for notes in NOTES.values() for note in notes]
    fresh = [note for note in known if note in observation and note not in history]
    return "\n".join(f"- {note}" for note in fresh[:MAX_NOTES]) or "That is all the library knows about it."


def report(task: str) -> str:
    found = re.search(r"context you're working with:\n(.*?)\n\s*Provide your complete", task, re.DOTALL)
    text = found.group(1).strip() if found else "There is nothing to report."
    subject = next((name for name, notes in NOTES.items() if any(note in text for note in notes)), None)
    return text if subject is None else f"# {subject.capitalize()}\n\n{text}"

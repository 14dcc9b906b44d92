"""The conversation a crew continues: what a run's input and the thread's values become as the crew's inputs, and what the
thread keeps of them afterwards."""

from __future__ import annotations

import json
from typing import Any

from .crew_output import as_json
from .errors import CodedError

MESSAGES, HISTORY, OUTPUT = "messages", "history", "output"
ROLES = {"human": "user", "ai": "assistant"}


class Turn:
    """One run's part of the conversation."""

    def __init__(self, given: Any, values: dict[str, Any], input_key: str | None) -> None:
        if given is not None and not isinstance(given, dict):
            raise CodedError(
                "bad_input",
                f"A crew takes a JSON object as its input, and this is {json.dumps(given):.100}. Send "
                f'{{"{input_key or "message"}": …}}, or the names its templates use.',
            )
        self._given: dict[str, Any] = given or {}
        self._key = next((key for key in (input_key, "message") if key in self._given), None)
        self._messages = _messages_in(values)

    def inputs(self, values: dict[str, Any]) -> dict[str, Any]:
        """As JSON: CrewAI takes nothing else. `messages` and `history` are always there: a name that a template uses and
        the inputs lack is an error."""
        conversation = {MESSAGES: self._messages, HISTORY: _as_text(self._messages)}
        return as_json({**values, **conversation, **self._given})

    def kept(self) -> dict[str, Any]:
        """What of the input stays in the thread: all but the user's message and what the run itself says."""
        spoken = {self._key, MESSAGES, HISTORY, OUTPUT}
        return {key: value for key, value in self._given.items() if key not in spoken}

    def after(self, answer: str, answer_id: str, run_id: str) -> list[Any]:
        """The messages with this turn's question, if there was one, and its answer."""
        question = self._question()
        asked = [] if question is None else [{"id": f"{run_id}-input", "role": "user", "content": question}]
        return [*self._messages, *asked, {"id": answer_id, "role": "assistant", "content": answer}]

    def _question(self) -> str | None:
        if not self._given:
            return None
        asked = self._given if self._key is None else self._given[self._key]
        return asked if isinstance(asked, str) else json.dumps(asked, ensure_ascii=False)


def _messages_in(values: dict[str, Any]) -> list[Any]:
    messages = values.get(MESSAGES) or []
    if not isinstance(messages, list):
        raise CodedError(
            "bad_input",
            f'The thread\'s "{MESSAGES}" must be the list of its messages, and it is {messages!r:.100}. '
            "Give the thread other values, or keep yours under another name.",
        )
    return messages


def _as_text(messages: list[Any]) -> str:
    lines = []
    for message in as_json(messages):
        if not isinstance(message, dict):
            continue
        role = message.get("role") or message.get("type") or "user"
        content = message.get("content")
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        lines.append(f"{str(ROLES.get(role, role)).capitalize()}: {text}")
    return "\n".join(lines)

"""Questions of a plain function. It cannot stop in its middle, so a run that asks ends, and the one that answers calls the
function again: with the same input, from the same state, and with the answers so far."""

from __future__ import annotations

import threading
from typing import Any

from .decode import unescape_tags


class Interrupted(BaseException):
    """What `context.interrupt` raises: not an Exception, so that code which catches errors lets it pass. The run ends here
    whether or not it is caught."""

    def __init__(self) -> None:
        super().__init__("The run stops here to ask; the thread's next run goes on with the answer.")


class Questions:
    def __init__(self, answers: list[Any]) -> None:
        self._answers = answers
        self._given = 0
        self._lock = threading.Lock()
        # The question nobody has answered yet. Of several at once only the first is asked; the others follow.
        self.open: dict[str, Any] | None = None

    def ask(self, value: Any) -> Any:
        """The answer to this question, counted from the function's first. Raises Interrupted when there is none yet."""
        with self._lock:
            if self.open is None and self._given < len(self._answers):
                self._given += 1
                return unescape_tags(self._answers[self._given - 1])
            if self.open is None:
                self.open = {"value": value}
        raise Interrupted


def answer_in(resume: Any, question_id: str) -> Any:
    """The value of `command.resume`, or the one under the question's id in it."""
    by_id = isinstance(resume, dict) and set(resume) == {question_id}
    return resume[question_id] if by_id else resume

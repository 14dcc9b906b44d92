"""A flow's persistence, which is the thread: CrewAI's own is a SQLite file on one machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crewai.flow.persistence.base import FlowPersistence


class ThreadPersistence(FlowPersistence):
    """Saves what `@persist` asks for as a checkpoint of the run, and hands a flow the question it waits at."""

    _save: Any = None
    _pending: Any = None

    @classmethod
    def of_run(cls, save: Callable[[Any], None], pending: Any = None) -> ThreadPersistence:
        """`pending` is the state and the context of the question a resumed flow stopped at."""
        persistence = cls()
        persistence._save = save
        persistence._pending = pending
        return persistence

    def init_db(self) -> None:
        """There is nothing to prepare."""

    def save_state(self, flow_uuid: str, method_name: str, state_data: Any) -> None:
        if self._save is not None:
            self._save(state_data)

    def load_state(self, flow_uuid: str) -> None:
        """The thread's values are the flow's inputs: nothing else is to be loaded."""

    def save_pending_feedback(self, flow_uuid: str, context: Any, state_data: Any) -> None:
        """The run keeps the question with the state it returns."""

    def load_pending_feedback(self, flow_uuid: str) -> Any:
        return self._pending


def replace_default_persistence() -> None:
    """For `@persist` without a store of its own: it would make its file while the project is imported."""
    try:
        from crewai.flow.persistence.factory import set_flow_persistence_factory
    except ImportError:
        # An older CrewAI makes its file, and nothing is read from it.
        return
    set_flow_persistence_factory(ThreadPersistence)

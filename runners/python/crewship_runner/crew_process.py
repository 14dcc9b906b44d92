"""What CrewAI does once per process, done our way: where its events go, its threads, its persistence, its questions."""

from __future__ import annotations

import logging
import os
from typing import Any

import crewai
from crewai.events.event_bus import crewai_event_bus
from crewai.events.utils.console_formatter import ConsoleFormatter
from crewai.utilities.task_output_storage_handler import TaskOutputStorageHandler

from .crew_events import take_events
from .crew_loops import adopt_threads
from .flow_feedback import answer_for_terminal
from .flow_persistence import replace_default_persistence

_adapted = False


def adapt() -> None:
    global _adapted
    if _adapted:
        return
    _adapted = True
    adopt_threads()
    take_events(crewai_event_bus)
    _keep_no_kickoff()
    _print_no_flow_panels()
    _log_less()
    answer_for_terminal()
    replace_default_persistence()


def _keep_no_kickoff() -> None:
    """CrewAI keeps the last kickoff's outputs in one SQLite file per user and folder, which runs at the same time would
    fight over. Only its command line reads it."""

    def nothing(*_arguments: Any, **_named: Any) -> None:
        return None

    for method in ("__init__", "update", "add", "reset", "load"):
        setattr(TaskOutputStorageHandler, method, nothing)


def _print_no_flow_panels() -> None:
    """They are printed even when nobody asked for output, and say what the run's events say."""
    print_panel = ConsoleFormatter.print_panel

    def print_asked(self: Any, *arguments: Any, is_flow: bool = False, **named: Any) -> None:
        if not is_flow:
            print_panel(self, *arguments, **named)

    ConsoleFormatter.print_panel = print_asked


def _log_less() -> None:
    """What CrewAI and its client say of each call of a model is no news to anybody; the project can ask for it again."""
    for library in ("crewai", "httpx", "httpx2"):
        logging.getLogger(library).setLevel(logging.WARNING)
    logging.getLogger("crewai.llms.base_llm").setLevel(logging.ERROR)
    home = os.path.dirname(crewai.__file__) + os.sep

    def is_news(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING or not record.pathname.startswith(home)

    # Of what is logged without a logger's name.
    logging.root.addFilter(is_news)
    try:
        from crewai.events.event_context import MismatchBehavior, _default_config
    except ImportError:
        return
    # A task or method that fails leaves the pairs of CrewAI's own events open.
    _default_config.mismatch_behavior = _default_config.empty_pop_behavior = MismatchBehavior.SILENT

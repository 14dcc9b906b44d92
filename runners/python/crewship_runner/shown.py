"""What a person sees of a checkpoint, from what LangGraph says of it: visible channels, what comes next, tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from .encode import EncodingError, safely
from .errors import message_of
from .tuples import LiveTuple


class Task(NamedTuple):
    id: str
    name: str
    # Each {id, value}.
    interrupts: list[dict]
    error: Any


class Report(NamedTuple):
    """What LangGraph's stream says of a checkpoint, or a snapshot of the state."""

    values: Any
    next: list[str]
    tasks: list[Task]

    @classmethod
    def of(cls, said: Any) -> Report:
        tasks = [_task(task) for task in _field(said, "tasks") or ()]
        return cls(_field(said, "values"), [str(name) for name in _field(said, "next") or ()], tasks)


def to_shown(
    report: Report, held: LiveTuple | None, single: str | None, encode_value: Callable[[Any, str], Any]
) -> dict:
    """
    `held` is the checkpoint being described: values that are the very ones it stores are not repeated. `single` names
    the channel when the graph's state is one value instead of a dict.
    """
    stored = {} if held is None else held.checkpoint["channel_values"]
    keys, differing = [], {}
    for key, value in visible_values(report.values, single).items():
        if key not in stored or stored[key] is not value:
            try:
                differing[key] = encode_value(value, f'the channel "{key}"')
            except EncodingError:
                # A channel that is never stored may hold anything; it is simply not shown.
                continue
        keys.append(key)
    shown = {"keys": keys, "next": report.next, "tasks": [_shown_task(task) for task in report.tasks]}
    return {**shown, "values": differing} if differing else shown


def visible_values(values: Any, single: str | None) -> dict[str, Any]:
    if single is not None:
        return {} if values is None or is_internal(single) else {single: values}
    if not isinstance(values, dict):
        return {}
    return {key: value for key, value in values.items() if not is_internal(key)}


def is_internal(channel: str) -> bool:
    """Channels of LangGraph's own. `__root__` and `__end__` hold the state of graphs whose state is one value."""
    if channel in ("__root__", "__end__"):
        return False
    return channel.startswith(("__", "branch:", "start:", "join:"))


def _task(task: Any) -> Task:
    task_id = str(_field(task, "id"))
    interrupts = [
        {"id": _interrupt_id(entry, task_id), "value": _field(entry, "value")}
        for entry in _flat(_field(task, "interrupts") or ())
    ]
    return Task(task_id, str(_field(task, "name")), interrupts, _field(task, "error"))


def _interrupt_id(entry: Any, task_id: str) -> str:
    """The oldest versions give a question no id, but its task asks one at a time."""
    own = _field(entry, "id") or _field(entry, "interrupt_id")
    return str(own) if own and own != "placeholder-id" else task_id


def _shown_task(task: Task) -> dict:
    shown: dict[str, Any] = {"id": task.id, "name": task.name}
    if task.interrupts:
        shown["interrupts"] = [safely(interrupt) for interrupt in task.interrupts]
    if task.error is not None:
        error = task.error
        shown["error"] = message_of(error) if isinstance(error, BaseException) else str(error)
    return shown


def _flat(entries: Iterable[Any]) -> Iterable[Any]:
    for entry in entries:
        if isinstance(entry, (list, tuple)):
            yield from _flat(entry)
        else:
            yield entry


def _field(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else getattr(value, name, None)

"""The results of crews and flows, and their values, as CrewAI and people take them."""

from __future__ import annotations

import datetime
from typing import Any

from crewai import CrewOutput, TaskOutput
from pydantic import BaseModel

# A task without a name is called by its description.
MAX_NAME_CHARACTERS = 200


def crew_output(raw: str, structured: Any, tasks: list[TaskOutput]) -> dict[str, Any]:
    """`structured` is the output, of the crew or its last task, whose JSON or model is `json`."""
    return {"raw": raw, "json": _json(structured), "tasks_output": [_task_output(task) for task in tasks]}


def flow_output(result: Any) -> Any:
    """What a flow's last method returned. A crew that was called in it looks like a crew's own output."""
    if isinstance(result, CrewOutput):
        return crew_output(result.raw, result, result.tasks_output)
    return result


def flow_values(state: Any) -> dict[str, Any]:
    """A flow's state, a model or a dict, as the thread's values."""
    if isinstance(state, BaseModel):
        return {name: getattr(state, name) for name in type(state).model_fields}
    return dict(state)


def as_json(value: Any) -> Any:
    """A value as CrewAI takes it among a crew's inputs: plain JSON, and text for what is none."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, dict):
        return {str(key): as_json(child) for key, child in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [as_json(child) for child in value]
    if isinstance(value, BaseModel):
        return as_json(value.model_dump())
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    return str(value)


def _task_output(task: TaskOutput) -> dict[str, Any]:
    # Not its description: with the conversation in it, each turn would store all turns before it once more.
    name = (task.name or task.description).strip()[:MAX_NAME_CHARACTERS]
    return {"name": name, "agent": task.agent.strip(), "raw": task.raw, "json": _json(task)}


def _json(output: Any) -> Any:
    return output.json_dict if output.pydantic is None else as_json(output.pydantic)

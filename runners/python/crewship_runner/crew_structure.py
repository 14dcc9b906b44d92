"""What a crew or a flow is made of: its tasks or methods drawn, its agents, and the inputs its words ask for."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from pydantic import BaseModel

from .crew_chat import HISTORY, MESSAGES
from .structure import all_schemas, as_object, attempt, edge, structure

START, END = "__start__", "__end__"
# As CrewAI reads its templates.
PLACEHOLDER = re.compile(r"{([A-Za-z_][A-Za-z0-9_-]*)}")
# Which the server gives by itself.
GIVEN = {MESSAGES, HISTORY}


def describe_crew(crew: Any, input_key: str | None) -> dict[str, Any]:
    names = _task_names(crew.tasks)
    told = {
        "process": str(getattr(crew.process, "value", crew.process)),
        "agents": [_agent(agent) for agent in crew.agents],
        "tasks": [_task(task, names) for task in crew.tasks],
    }
    return structure([_draw_tasks(told["tasks"])], all_schemas(input=_inputs(crew, input_key)), crew=told)


def _task_names(tasks: list[Any]) -> dict[int, str]:
    """Each task's name by its identity; one without a name, or with another's, goes by its place."""
    names: dict[int, str] = {}
    for place, task in enumerate(tasks, 1):
        name = str(getattr(task, "name", None) or f"task_{place}")
        names[id(task)] = name if name not in names.values() else f"{name}_{place}"
    return names


def _agent(agent: Any) -> dict[str, Any]:
    llm = getattr(agent, "llm", None)
    model = getattr(llm, "model", llm)
    return {
        "role": _text(agent.role),
        "goal": _text(agent.goal),
        "backstory": _text(agent.backstory),
        "llm": model if isinstance(model, str) else None,
        "tools": _tool_names(agent),
    }


def _task(task: Any, names: dict[int, str]) -> dict[str, Any]:
    context = task.context if isinstance(task.context, (list, tuple)) else ()
    return {
        "name": names[id(task)],
        "description": _text(task.description),
        "expected_output": _text(task.expected_output),
        "agent": _text(task.agent.role) if task.agent is not None else None,
        "context": [names[id(given)] for given in context if id(given) in names],
        "tools": _tool_names(task),
        "is_async": bool(task.async_execution),
    }


def _text(value: Any) -> str:
    return str(value or "").strip()


def _tool_names(owner: Any) -> list[str]:
    return [str(getattr(tool, "name", type(tool).__name__)) for tool in owner.tools or ()]


def _draw_tasks(tasks: list[dict]) -> dict:
    """In their order; what a task is given from elsewhere is an edge of its own."""
    chain = [START, *(task["name"] for task in tasks), END]
    edges = [edge(source, target) for source, target in pairwise(chain)]
    drawn = {(line["source"], line["target"]) for line in edges}
    for task in tasks:
        edges += [
            edge(given, task["name"], label="context")
            for given in task["context"]
            if (given, task["name"]) not in drawn
        ]
    nodes = [{"id": task["name"], "type": "task", "data": {"agent": task["agent"]}} for task in tasks]
    return {"nodes": _within_ends(nodes), "edges": edges}


def _within_ends(nodes: list[dict]) -> list[dict]:
    ends = [{"id": name, "type": "schema", "data": None} for name in (START, END)]
    return [ends[0], *nodes, ends[1]]


def _inputs(crew: Any, input_key: str | None) -> dict[str, Any]:
    asked = list(dict.fromkeys(_placeholders(crew)))
    wanted = [name for name in asked if name not in GIVEN]
    # A crew that reads the conversation is spoken to, under the name that the runs take for what was said.
    said = [input_key] if input_key else ["message"] if GIVEN.intersection(asked) else []
    properties = {name: {"type": "string", "title": name} for name in dict.fromkeys([*said, *wanted])}
    return {"type": "object", "properties": properties, "required": wanted}


def _placeholders(crew: Any) -> Iterator[str]:
    for task in crew.tasks:
        for text in (task.description, task.expected_output, getattr(task, "output_file", None)):
            yield from PLACEHOLDER.findall(_text(text))
    for agent in crew.agents:
        for text in (agent.role, agent.goal, agent.backstory):
            yield from PLACEHOLDER.findall(_text(text))


def describe_flow(flow: Any) -> dict[str, Any]:
    state = attempt(lambda: _state(flow), None)
    drawn = attempt(lambda: [_draw_methods(flow)], [])
    return structure(drawn, all_schemas(input=state, state=state))


def _state(flow: Any) -> dict[str, Any] | None:
    state = flow._state
    return as_object(type(state).model_json_schema()) if isinstance(state, BaseModel) else None


def _draw_methods(flow: Any) -> dict:
    from crewai.flow.visualization import build_flow_structure

    # It warns of routers whose ways it cannot know before they are taken; here they are drawn as possible.
    logging.disable(logging.WARNING)
    try:
        told = build_flow_structure(flow)
    finally:
        logging.disable(logging.NOTSET)
    methods = told["nodes"]
    edges = [edge(START, name) for name in told["start_methods"]]
    for line in told["edges"]:
        label = line.get("router_event")
        edges.append(edge(line["source"], line["target"], bool(line["is_router_event"]), label))
    open_routers = [name for name in told["router_methods"] if not methods[name].get("router_events")]
    for name, about in methods.items():
        for trigger in about.get("trigger_methods") or ():
            if trigger not in methods and not any(_comes_by(line, name, trigger) for line in edges):
                edges += [edge(router, name, True, trigger) for router in open_routers]
    sources = {line["source"] for line in edges}
    edges += [edge(name, END) for name in methods if name not in sources]
    nodes = [{"id": name, "type": "method", "data": _method(about)} for name, about in methods.items()]
    return {"nodes": _within_ends(nodes), "edges": edges}


def _comes_by(line: dict, target: str, label: str) -> bool:
    return line["target"] == target and line.get("data") == label


def _method(about: dict) -> dict[str, Any]:
    condition = about.get("trigger_condition_type")
    kind = {"kind": about["type"]}
    return {**kind, "waits_for": "all" if condition == "AND" else "any"} if condition else kind

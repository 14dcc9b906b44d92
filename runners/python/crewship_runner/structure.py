"""What an agent is made of, in the words of src/core/structure.ts. What a framework cannot say is left out: nothing here
fails the load of an agent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from .encode import safely

T = TypeVar("T")


def structure(
    drawings: list[dict],
    schemas: dict[str, Any],
    subgraphs: dict[str, dict] | None = None,
    crew: dict | None = None,
) -> dict[str, Any]:
    return {"drawings": drawings, "schemas": schemas, "subgraphs": subgraphs or {}, "crew": crew}


def all_schemas(
    input: Any = None, output: Any = None, state: Any = None, config: Any = None, context: Any = None
) -> dict[str, Any]:
    return {
        "input_schema": input,
        "output_schema": output,
        "state_schema": state,
        "config_schema": config,
        "context_schema": context,
    }


def edge(source: Any, target: Any, conditional: bool = False, label: Any = None) -> dict[str, Any]:
    drawn: dict[str, Any] = {"source": str(source), "target": str(target)}
    if conditional:
        drawn["conditional"] = True
    if label is not None:
        drawn["data"] = str(label)
    return drawn


def as_object(value: Any) -> dict[str, Any] | None:
    """JSON for people, if it is an object."""
    shown = safely(value)
    return shown if isinstance(shown, dict) else None


def attempt(work: Callable[[], T], otherwise: T) -> T:
    try:
        return work()
    except Exception:
        return otherwise

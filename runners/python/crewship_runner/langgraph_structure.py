"""What a LangGraph graph is made of: drawn, and as JSON Schemas, whatever its version can say."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any, get_type_hints

from pydantic import TypeAdapter, create_model

from .shown import is_internal
from .structure import all_schemas, as_object, attempt, edge, structure

# Subgraphs within subgraphs that are drawn open.
MAX_DEPTH = 8
MAX_SUBGRAPHS = 50


def describe_graph(graph: Any) -> dict[str, Any]:
    with warnings.catch_warnings():
        # That some of what is asked is no longer the newest way to ask.
        warnings.simplefilter("ignore")
        return structure(_drawings(graph), _schemas(graph), _subgraphs(graph))


def _drawings(graph: Any) -> list[dict]:
    """Opened one level further each time, until that changes nothing."""
    drawings: list[dict] = []
    with suppress(Exception):
        for depth in range(MAX_DEPTH + 1):
            drawn = _drawing(graph.get_graph(xray=depth).to_json())
            if drawings and drawn == drawings[-1]:
                break
            drawings.append(drawn)
    return drawings


def _drawing(drawn: Mapping[str, Any]) -> dict:
    nodes = []
    for node in drawn["nodes"]:
        # The newest versions say nothing more of a graph's start and end.
        kind = str(node.get("type", "schema"))
        shown = {"id": str(node["id"]), "type": kind, "data": as_object(node.get("data"))}
        metadata = as_object(node.get("metadata"))
        nodes.append({**shown, "metadata": metadata} if metadata else shown)
    edges = [
        edge(line["source"], line["target"], bool(line.get("conditional")), line.get("data"))
        for line in drawn["edges"]
    ]
    return {"nodes": nodes, "edges": edges}


def _subgraphs(graph: Any) -> dict[str, dict]:
    found: dict[str, dict] = {}
    with suppress(Exception):
        for namespace, inner in islice(graph.get_subgraphs(recurse=True), MAX_SUBGRAPHS):
            found[namespace] = _schemas(inner)
    return found


def _schemas(graph: Any) -> dict[str, Any]:
    return all_schemas(
        input=_asked(graph, "input"),
        output=_asked(graph, "output"),
        state=attempt(lambda: _state(graph), None),
        config=attempt(lambda: _config(graph), None),
        context=attempt(lambda: as_object(graph.get_context_jsonschema()), None),
    )


def _asked(graph: Any, side: str) -> dict[str, Any] | None:
    whole: Callable[[], Any] | None = getattr(graph, f"get_{side}_jsonschema", None)
    model: Callable[[], Any] = getattr(graph, f"get_{side}_schema")
    asked = attempt(lambda: as_object(whole() if whole else _of_model(model())), None)
    return asked or attempt(lambda: _by_hints(graph, side), None)


def _by_hints(graph: Any, side: str) -> dict[str, Any]:
    """Key by key, since one whose type pydantic does not take spoils the whole."""
    builder = graph.builder
    kind = getattr(builder, f"{side}_schema", None) or getattr(builder, side)
    return _of_fields(get_type_hints(kind))


def _config(graph: Any) -> dict[str, Any] | None:
    """What `configurable` may hold, without what LangGraph itself puts there."""
    schema = getattr(graph, "context_schema", None) or getattr(graph, "config_type", None)
    return as_object(TypeAdapter(schema).json_schema()) if schema is not None else None


def _state(graph: Any) -> dict[str, Any]:
    names = [name for name in graph.stream_channels_list if not is_internal(name)]
    return _of_fields({name: graph.channels[name].ValueType for name in names})


def _of_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A key whose type has no JSON Schema may hold anything."""
    schema: dict[str, Any] = {"type": "object", "properties": {}}
    for name, kind in fields.items():
        field = attempt(lambda: _field(kind), {})  # noqa: B023
        schema["properties"][name] = {**field.get("properties", {}).get("value", {}), "title": name}
        for definitions in ("$defs", "definitions"):
            if definitions in field:
                schema.setdefault(definitions, {}).update(field[definitions])
    return schema


def _field(kind: Any) -> dict[str, Any]:
    model = create_model("Field", value=(kind, ...))
    return as_object(_of_model(model)) or {}


def _of_model(model: Any) -> Any:
    return model.model_json_schema() if hasattr(model, "model_json_schema") else model.schema()

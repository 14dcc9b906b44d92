"""A compiled graph, whatever the entrypoint names: it, its builder, or a function that makes one. And what `loaded` says
of it: its drawing and its schemas."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.base import RunnableBindingBase
from langchain_core.runnables.config import merge_configs

from .encode import safely
from .errors import CodedError, message_of

# What a function that makes a graph left open, such as a database: for the life of the process.
_open_contexts: list[Any] = []


async def to_graph(value: Any, entrypoint: str) -> tuple[Any, RunnableConfig]:
    """The graph, and the config that was bound to it from outside."""
    config: RunnableConfig = {}
    candidate = value
    if callable(candidate) and not _is_graph(candidate) and not hasattr(candidate, "compile"):
        candidate = await _make(candidate, entrypoint)
    if not _is_graph(candidate) and callable(getattr(candidate, "compile", None)):
        candidate = candidate.compile()
    # Before 0.2.20, with_config() wraps the graph.
    while isinstance(candidate, RunnableBindingBase):
        config = merge_configs(candidate.config, config)
        candidate = candidate.bound
    if _is_graph(candidate):
        return candidate, config
    raise CodedError(
        "load_failed",
        f'The entrypoint "{entrypoint}" is not a LangGraph graph but {_describe(candidate)}. Name what .compile() '
        "returns, its StateGraph, or a function that returns one of them.",
    )


def drawing(graph: Any) -> Any:
    return _attempt(lambda: graph.get_graph().to_json())


def schemas(graph: Any) -> dict[str, Any] | None:
    found = {"input": _schema(graph, "input"), "output": _schema(graph, "output")}
    known = {name: schema for name, schema in found.items() if schema is not None}
    return known or None


async def _make(function: Callable[..., Any], entrypoint: str) -> Any:
    try:
        made = function({"configurable": {}}) if _takes_config(function) else function()
        if inspect.isawaitable(made):
            made = await made
        if hasattr(made, "__aenter__"):
            _open_contexts.append(made)
            made = await made.__aenter__()
        elif hasattr(made, "__enter__"):
            _open_contexts.append(made)
            made = made.__enter__()
        return made
    except Exception as error:
        raise CodedError(
            "load_failed", f'Calling the entrypoint "{entrypoint}" failed: {message_of(error)}'
        ) from error


def _takes_config(function: Callable[..., Any]) -> bool:
    """True when it needs an argument, or names one `config`."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    positional = [
        parameter
        for parameter in parameters
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    return bool(positional) and (
        positional[0].default is inspect.Parameter.empty or positional[0].name == "config"
    )


def _is_graph(value: Any) -> bool:
    methods = ("astream", "aget_state", "aupdate_state")
    return all(callable(getattr(value, name, None)) for name in methods) and hasattr(value, "channels")


def _schema(graph: Any, side: str) -> Any:
    whole = getattr(graph, f"get_{side}_jsonschema", None)
    if whole is not None:
        return _attempt(whole)
    model = getattr(graph, f"get_{side}_schema")
    return _attempt(lambda: getattr(model(), "model_json_schema", model().schema)())


def _attempt(work: Callable[[], Any]) -> Any:
    """What is only shown to people fails no load."""
    try:
        return safely(work())
    except Exception:
        return None


def _describe(value: Any) -> str:
    return f"a {type(value).__name__}" if not isinstance(value, type) else f"the class {value.__name__}"

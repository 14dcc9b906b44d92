"""A compiled graph, whatever the entrypoint names: it, its builder, or a function that makes one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.base import RunnableBindingBase
from langchain_core.runnables.config import merge_configs

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


def _describe(value: Any) -> str:
    return f"a {type(value).__name__}" if not isinstance(value, type) else f"the class {value.__name__}"

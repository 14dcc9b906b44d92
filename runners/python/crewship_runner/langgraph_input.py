"""What a run starts with, as LangGraph takes it: input or command, config, options of its stream."""

from __future__ import annotations

import re
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import merge_configs

from .decode import unescape_tags
from .pipe import RunPipe
from .stream import callbacks_with

DURABILITIES = ("sync", "async", "exit")
# What is the server's to say, not the caller's.
OWN_CONFIGURABLE = re.compile(r"^(run_id|thread_id|thread_ts|checkpoint.*|__pregel.*)$")
# LangGraph takes a run for a continued one when metadata.run_id is that of the checkpoint's.
OWN_METADATA = re.compile(r"^(run_id|thread_id)$")


class Start:
    def __init__(self, start: dict, graph: Any, bound: RunnableConfig, ability: Any) -> None:
        self.thread_id: str = start["thread_id"] or start["run_id"]
        self._start = start
        self._graph = graph
        self._bound = bound
        self._ability = ability
        given = unescape_tags(start["config"])
        self._given: dict[str, Any] = given if isinstance(given, dict) else {}
        self.durability: str = self._given.get("durability") or "async"
        if self.durability not in DURABILITIES:
            raise ValueError(
                f"config.durability must be one of {', '.join(DURABILITIES)}, not {self.durability!r}."
            )

    def address(self, checkpoint_id: str | None, namespace: str = "") -> RunnableConfig:
        configurable = {"thread_id": self.thread_id, "checkpoint_ns": namespace}
        if checkpoint_id is not None:
            configurable["checkpoint_id"] = checkpoint_id
        return {"configurable": configurable}

    def input(self) -> Any:
        command = self._start["command"]
        if not isinstance(command, dict):
            return unescape_tags(self._start["input"])
        try:
            from langgraph.types import Command
        except ImportError:
            raise ValueError(
                "This version of LangGraph has no commands; they need 0.2.24 or newer."
            ) from None
        fields = unescape_tags(command)
        if "resume" in fields and fields["resume"] is None:
            raise ValueError("command.resume cannot be null: LangGraph takes null for no answer.")
        given = {name: fields[name] for name in ("resume", "update") if fields.get(name) is not None}
        targets = fields.get("goto")
        if targets:
            given["goto"] = [
                _target(target) for target in (targets if isinstance(targets, list) else [targets])
            ]
        return Command(**given)

    def config(self, handlers: list[BaseCallbackHandler], checkpoint_id: str | None) -> RunnableConfig:
        given, graph_config = self._given, getattr(self._graph, "config", None) or {}
        bound = merge_configs(graph_config, self._bound)
        limit, tags = given.get("recursion_limit"), given.get("tags")
        config: RunnableConfig = {
            "configurable": {
                **_without(given.get("configurable"), OWN_CONFIGURABLE),
                **self.address(checkpoint_id)["configurable"],
            },
            "metadata": _without(given.get("metadata"), OWN_METADATA),
            "tags": tags if isinstance(tags, list) else [],
        }
        if type(limit) is int:
            config["recursion_limit"] = limit
        config = merge_configs(self._bound, config)
        config["callbacks"] = callbacks_with(bound.get("callbacks"), handlers)
        return config

    def options(self, pipe: RunPipe) -> dict[str, Any]:
        """The stream's own arguments, as far as this version has them."""
        start, ability, context = self._start, self._ability, self._given.get("context")
        options: dict[str, Any] = {}
        if ability.subgraphs:
            options["subgraphs"] = True
        if start["interrupt_before"] is not None:
            options["interrupt_before"] = start["interrupt_before"]
        if start["interrupt_after"] is not None:
            options["interrupt_after"] = start["interrupt_after"]
        if ability.durability:
            options["durability"] = self.durability
        elif ability.checkpoint_during:
            options["checkpoint_during"] = self.durability != "exit"
        elif self.durability == "exit":
            pipe.log("warning", 'This version of LangGraph has no durability "exit": each step is stored.')
        if context is not None and ability.context:
            options["context"] = context
        elif context is not None:
            pipe.log("warning", "config.context is ignored: it needs LangGraph 0.6 or newer.")
        return options


def _target(target: Any) -> Any:
    from langgraph.types import Send

    if isinstance(target, dict) and isinstance(target.get("node"), str):
        given = target.get("input")
        return Send(target["node"], target.get("args") if given is None else given)
    return target


def _without(given: Any, names: re.Pattern) -> dict[str, Any]:
    fields = given if isinstance(given, dict) else {}
    return {name: value for name, value in fields.items() if not names.match(name)}

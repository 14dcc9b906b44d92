"""Questions, tasks and stream writers under Python 3.10. They find the config of the node they are called in by a context
variable, which LangGraph sets for async runs only from Python 3.11 on: before, no task could be given a context. Each node
has a task of its own, so it can be set in there."""

from __future__ import annotations

import functools
import sys
from typing import Any

from langchain_core.runnables.config import var_child_runnable_config

from .classes import find

# Where LangGraph has had the class of a node's function.
MODULES = ("langgraph._internal._runnable", "langgraph.utils.runnable")


def keep_config_in_context() -> None:
    if sys.version_info >= (3, 11):
        return
    for module in MODULES:
        runnable = find(module, "RunnableCallable")
        if runnable is not None and not hasattr(runnable.ainvoke, "__wrapped__"):
            runnable.ainvoke = _with_config(runnable.ainvoke)
            return


def _with_config(ainvoke: Any) -> Any:
    @functools.wraps(ainvoke)
    async def invoke_with_config(self: Any, input: Any, config: Any = None, **given: Any) -> Any:
        if config is None:
            return await ainvoke(self, input, config, **given)
        token = var_child_runnable_config.set(config)
        try:
            return await ainvoke(self, input, config, **given)
        finally:
            var_child_runnable_config.reset(token)

    return invoke_with_config

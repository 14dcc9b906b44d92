"""Makes CrewAI a guest of this process: it asks no terminal, calls nobody but the model, and its crew or flow gets a host."""

from __future__ import annotations

import inspect
import os
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from .errors import CodedError, message_of
from .host import Host
from .threads import in_thread

# CREWAI_TESTING: the only word with which old versions of CrewAI leave out its question about traces, which waits 20 s.
QUIET = {
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_DISABLE_TRACKING": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "CREWAI_DISABLE_VERSION_CHECK": "true",
    "CREWAI_TESTING": "true",
    "ANONYMIZED_TELEMETRY": "False",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
}

NAMES = "a @CrewBase class, a Crew, a Flow, or a function without parameters that returns a Crew or a Flow"


def prepare_environment() -> None:
    """Before the project is imported, here or in the process this one is forked from: CrewAI reads its settings while it is
    imported, and the project's decorators ask it for what this process puts in its place."""
    os.environ.update(QUIET)
    try:
        from .crew_process import adapt
    except ImportError:
        # The project's own import says what is missing.
        return
    adapt()


async def open_crewai(value: Any, entrypoint: str, chat: dict) -> Host:
    """Makes the crew or flow once, as every run will: what is wrong with it shows now, and not in the first run."""
    from crewai import Crew
    from crewai.flow.flow import Flow

    from .crew_host import CrewHost
    from .crew_process import adapt
    from .flow_host import FlowHost

    adapt()
    build = _builder(value)
    if build is None:
        raise CodedError(
            "load_failed", f'The entrypoint "{entrypoint}" must name {NAMES}; it is {value!r:.100}.'
        )
    try:
        made = await build()
    except Exception as error:
        raise CodedError(
            "load_failed", f'The entrypoint "{entrypoint}" failed: {message_of(error)}'
        ) from error
    if isinstance(made, Flow):
        return FlowHost(build)
    if isinstance(made, Crew):
        return CrewHost(build, chat, entrypoint)
    message = (
        f'The function "{entrypoint}" returned {made!r:.100}. Let it return a Crew or a Flow, and not run it.'
    )
    raise CodedError("load_failed", message)


def _builder(value: Any) -> Callable[[], Awaitable[Any]] | None:
    """What makes a crew or flow of its own for each run. Several may be under way at once."""
    from crewai import Crew
    from crewai.flow.flow import Flow

    is_class = isinstance(value, type)
    make: Callable[[], Any]
    if isinstance(value, Flow):
        make = partial(_flow_like, value)
    elif isinstance(value, Crew):
        make = value.copy
    elif callable(value) and (not is_class or issubclass(value, Flow)):
        make = value
    elif is_class and callable(getattr(value, "crew", None)):
        make = partial(_crew_of, value)
    else:
        return None

    async def build() -> Any:
        made = await in_thread(make)
        return await made if inspect.isawaitable(made) else made

    return build


def _flow_like(flow: Any) -> Any:
    from .flow_host import flow_fields

    return type(flow)(**flow_fields(flow))


def _crew_of(crew_class: Any) -> Any:
    return crew_class().crew()

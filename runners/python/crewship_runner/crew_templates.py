"""A crew's template names an input that is not there: says which, in which file and line, and what to do."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from .errors import CodedError

# What CrewAI says of a task's description, and of everything else.
MISSING = re.compile(r"[Tt]emplate variable '(?:Template variable ')?([\w-]+)'")
MAX_PLACES = 5


def explain_template(error: Exception, entrypoint: str, inputs: dict[str, Any]) -> Exception:
    """The error itself when it is another one."""
    found = MISSING.search(str(error)) if isinstance(error, (ValueError, KeyError)) else None
    if found is None:
        return error
    name = found.group(1)
    places = "; ".join(islice(_places(f"{{{name}}}", entrypoint), MAX_PLACES))
    explained = CodedError(
        "agent_error",
        f"The crew's templates name {{{name}}}{f' ({places})' if places else ''}, and neither the run's input nor the "
        f'thread\'s values have "{name}": they have {", ".join(sorted(inputs))}. Send it in the input, or take it out of '
        "the templates.",
    )
    explained.__cause__ = error
    return explained


def _places(text: str, entrypoint: str) -> Iterator[str]:
    for file in _files(entrypoint):
        shown = os.path.relpath(file) if file.is_relative_to(os.getcwd()) else file
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if text in line:
                yield f"{shown}, line {number}"


def _files(entrypoint: str) -> Iterator[Path]:
    """Where a crew's words stand: beside its module, or in it."""
    module = getattr(sys.modules.get(entrypoint.partition(":")[0]), "__file__", None)
    if module is not None:
        folder = Path(module).parent
        yield from sorted(folder.glob("config/*.y*ml"))
        yield from sorted(folder.glob("*.y*ml"))
        yield Path(module)

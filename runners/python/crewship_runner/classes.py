"""Classes by name, so that a stored value can come back as an instance of the project's own class."""

from __future__ import annotations

import importlib
import sys
from typing import Any

_found: dict[str, type | None] = {}


def class_path(cls: type) -> str | None:
    """`module:Qualified.Name` when the class can be found there again, else None, as for a class made in a function."""
    module = sys.modules.get(cls.__module__)
    path = f"{cls.__module__}:{cls.__qualname__}"
    return path if module is not None and _attribute(module, cls.__qualname__) is cls else None


def find_class(path: str) -> type | None:
    """The class of a path, its module imported if need be; None when it is gone."""
    if path not in _found:
        module, _, name = path.partition(":")
        found = find(module, name)
        _found[path] = found if isinstance(found, type) else None
    return _found[path]


def find(module: str, name: str) -> Any:
    """What a module calls `name`; None when there is no such thing."""
    try:
        return _attribute(sys.modules.get(module) or importlib.import_module(module), name)
    except Exception:
        # Whatever a module of the project raises while it is imported: its classes are not to be had.
        return None


def _attribute(module: Any, name: str) -> Any:
    for part in name.split("."):
        module = getattr(module, part, None)
    return module


def named_in_bases(cls: type, names: dict[tuple[str, str], Any]) -> Any:
    """What the table says of the class or the nearest of its bases that it names, as (module, name)."""
    for base in cls.__mro__:
        found = names.get((base.__module__, base.__qualname__))
        if found is not None:
            return found
    return None

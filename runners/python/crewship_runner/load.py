"""Imports the user's module and finds in it what the entrypoint names. Errors say what to do."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from types import ModuleType
from typing import Any

from .errors import CodedError, message_of


def load_entrypoint(directory: str, entrypoint: str) -> Any:
    """`entrypoint` is `pkg.module:attr`. The project's folder and its `src` come first on the path."""
    module_name, _, attribute = entrypoint.partition(":")
    if not module_name or not attribute.isidentifier():
        raise CodedError("load_failed", f'The entrypoint "{entrypoint}" must look like "pkg.module:attr".')
    source = os.path.join(directory, "src")
    sys.path[:0] = [directory, source] if os.path.isdir(source) else [directory]
    return load_attribute(entrypoint, directory)


def load_attribute(name: str, directory: str = "the project") -> Any:
    """What `pkg.module:attr` names, the project being on the path."""
    module_name, _, attribute = name.partition(":")
    module = _import(module_name, directory)
    try:
        return getattr(module, attribute)
    except AttributeError:
        raise CodedError("load_failed", _missing(module, attribute)) from None


def _import(name: str, directory: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except SystemExit as error:
        message = (
            f"Importing {name} ended the process (sys.exit({error.code!r})). Let it only define the agent."
        )
        raise CodedError("load_failed", message) from error
    except BaseException as error:
        raise CodedError("load_failed", _advice(error, name, directory)) from error


def _advice(error: BaseException, name: str, directory: str) -> str:
    message = f"Importing {name} failed: {message_of(error)}"
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return message
    if name == error.name or name.startswith(f"{error.name}."):
        return f'The entrypoint\'s module "{name}" does not exist in {directory}, nor in its src folder.'
    package = error.name.partition(".")[0]
    if package in sys.modules or importlib.util.find_spec(package) is not None:
        return message
    return (
        f'The package that provides "{package}" is not installed: add it to requirements.txt or to the dependencies '
        f"in pyproject.toml. ({message})"
    )


def _missing(module: ModuleType, attribute: str) -> str:
    own = [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and not isinstance(value, ModuleType)
        and getattr(value, "__module__", module.__name__) == module.__name__
    ]
    return f'{module.__name__} has no "{attribute}". It defines: {", ".join(own) or "nothing"}.'

"""Values that only a library's own bytes can hold: numpy's arrays as its files, and whatever else LangGraph's own
serializer takes and gives back. Nothing is ever pickled."""

from __future__ import annotations

import base64
import io
import sys
from typing import Any

from .classes import find

_SERIALIZER = "langgraph.checkpoint.serde.jsonplus"


def opaque_form(value: Any) -> tuple[str, str, str] | None:
    """Its name, the format and the bytes in base64; None when nobody can store it."""
    kind = type(value)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if name == "numpy.ndarray":
        content = _array_bytes(value)
        return None if content is None else (name, "npy", base64.b64encode(content).decode("ascii"))
    if callable(value) or _SERIALIZER not in sys.modules:
        return None
    serializer = sys.modules[_SERIALIZER].JsonPlusSerializer()
    try:
        format, content = serializer.dumps_typed(value)
        # It takes some values as something else, an unknown iterable or the text of an error; those would be lost.
        if type(serializer.loads_typed((format, content))) is not kind:
            return None
    except Exception:
        return None
    return name, format, base64.b64encode(content).decode("ascii")


def revive_opaque(format: str, content: str) -> Any:
    data = base64.b64decode(content)
    if format == "npy":
        load = find("numpy", "load")
        if load is None:
            raise RuntimeError("The stored state has a numpy array, but numpy is not installed.")
        return load(io.BytesIO(data), allow_pickle=False)
    serializer = find(_SERIALIZER, "JsonPlusSerializer")
    if serializer is None:
        raise RuntimeError(
            "The stored state has a value only LangGraph can read, but LangGraph is not installed."
        )
    return serializer().loads_typed((format, data))


def _array_bytes(array: Any) -> bytes | None:
    file = io.BytesIO()
    try:
        find("numpy", "save")(file, array, allow_pickle=False)
    except ValueError:
        # An array of Python objects.
        return None
    return file.getvalue()

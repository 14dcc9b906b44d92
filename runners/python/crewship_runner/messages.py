"""LangChain messages as their class's name and the fields that are not empty; they come back without validation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .classes import class_path, find, find_class, named_in_bases
from .models import MAX_SHAPES, MISSING, Shape, shape_of

MODULE = "langchain_core.messages"

# In this order a message is shown, as in runners/node/messages.ts; the fields of other classes follow.
_ORDER = (
    "content",
    "id",
    "name",
    "additional_kwargs",
    "response_metadata",
    "tool_calls",
    "invalid_tool_calls",
    "tool_call_chunks",
    "usage_metadata",
    "tool_call_id",
    "status",
    "artifact",
    "metadata",
    "role",
)
# Left out while they are what the class makes them anyway; the API shows the type by the class.
_UNSAID = ("type", "example")


class MessageShape:
    """One class of messages: which fields it has, and what they are when they were left out."""

    def __init__(self, cls: type) -> None:
        inner = shape_of(cls)
        if inner is None:
            raise TypeError(f"{cls.__name__} is no pydantic model.")
        base = _langchain_class(cls)
        self.name = base.__name__
        # Only a subclass of the user's own needs to be named; it may have private attributes, too.
        self.path = None if cls.__module__.startswith(MODULE) else class_path(cls)
        self._inner: Shape = inner
        self._defaults = {name: inner.default(name) for name in inner.names}
        self._is_v1 = not hasattr(cls, "__pydantic_decorators__")
        names = [name for name in _ORDER if name in inner.known]
        names += [name for name in inner.names if name not in names]
        # A field and the value it is left out at.
        self._fields = [(name, self._left_out(name)) for name in names]

    def _left_out(self, name: str) -> Any:
        default = self._defaults[name]
        empty = default is None or (type(default) in (list, dict) and not default)
        return default if empty or name in _UNSAID else MISSING

    def take(self, message: Any) -> dict[str, Any]:
        own = message.__dict__
        fields = {}
        for name, left_out in self._fields:
            value = own.get(name, MISSING)
            if value is MISSING or value is left_out:
                continue
            if left_out is not MISSING and type(value) is type(left_out) and value == left_out:
                continue
            fields[name] = value
        extra = own if self._is_v1 else message.__pydantic_extra__
        if extra:
            known = self._inner.known
            fields.update((name, value) for name, value in extra.items() if name not in known)
        return fields

    def private(self, message: Any) -> Mapping[str, Any]:
        return self._inner.take(message).private if self.path else {}

    def revive(self, fields: dict[str, Any], kept: Mapping[str, Any]) -> Any:
        return self._inner.revive(fields, kept)


_shapes: dict[type, MessageShape] = {}


def is_message_class(cls: type) -> bool:
    return bool(named_in_bases(cls, {(MODULE + ".base", "BaseMessage"): True}))


def message_shape(cls: type) -> MessageShape:
    shape = _shapes.get(cls)
    if shape is None:
        if len(_shapes) >= MAX_SHAPES:
            _shapes.clear()
        shape = _shapes[cls] = MessageShape(cls)
    return shape


def is_for_reducer(value: Any) -> bool:
    """What a reducer makes of something else, so that it never stands in a state itself: a message that still lacks its
    id, plain data that becomes a message, a RemoveMessage. Asked of values that were just encoded, so that the classes of
    messages are known."""
    kind = type(value)
    if kind is dict:
        return value.get("content") is not None and ("role" in value or "type" in value)
    if kind is tuple or kind is list:
        return len(value) == 2 and isinstance(value[0], str)
    return kind in _shapes and (not value.id or value.type == "remove")


def revive_message(name: str, fields: dict[str, Any], path: str | None, kept: Mapping[str, Any]) -> Any:
    """Rebuilds a message with the project's own class; without LangChain installed it stays the dict of its fields."""
    cls = find_class(path) if path else None
    if cls is None or not is_message_class(cls):
        cls = find(MODULE, name)
    return message_shape(cls).revive(fields, kept) if isinstance(cls, type) else fields


def _langchain_class(cls: type) -> type:
    """The nearest class of LangChain's own; a subclass of the user's goes by its name."""
    for base in cls.__mro__:
        if base.__module__.startswith(MODULE) and base.__name__ != "BaseMessage":
            return base
    return cls

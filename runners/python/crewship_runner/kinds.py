"""How each kind of value that is no plain JSON is encoded, by the value's class."""

from __future__ import annotations

import base64
import datetime
import uuid
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

from .classes import class_path, named_in_bases
from .constructors import constructor_of
from .json_types import TAG, Json, JsonObject, json_text, tagged
from .messages import is_message_class, message_shape
from .models import MAX_SHAPES, shape_of
from .opaque import opaque_form
from .unstorable import Unstorable

if TYPE_CHECKING:
    from .encode import Encoder

Kind: TypeAlias = "Callable[[Encoder, Any, bool], Json]"


def _dict(encoder: Encoder, value: dict[Any, Any], itemize: bool) -> Json:
    for key in value:
        if type(key) is not str or "0" <= key < ":":
            return _uncommon_dict(encoder, value, itemize)
    return _escaped(encoder.fields(value, value, itemize))


def _escaped(fields: JsonObject) -> Json:
    return tagged("object", fields) if TAG in fields else fields


def _uncommon_dict(encoder: Encoder, value: dict[Any, Any], itemize: bool) -> Json:
    """A dict is an object when its keys are text and in the order JavaScript keeps them in, else a map."""
    keys = [str.__str__(key) if isinstance(key, str) and not isinstance(key, Enum) else None for key in value]
    if None not in keys and keys == sorted(keys, key=_javascript_order):
        fields = dict(zip(keys, value.values()))
        return _escaped(encoder.fields(fields, value, itemize))  # type: ignore[arg-type]
    entries: list[Json] = []
    for key, child in value.items():
        try:
            entries.append([encoder.value(key, False), encoder.value(child, False)])
        except Unstorable as refused:
            raise refused.under(key, value)
    return tagged("map", entries)


def _javascript_order(key: str | None) -> tuple[int, int]:
    """JavaScript puts keys that are array indexes first, by their number."""
    if key and key.isascii() and key.isdigit() and (key == "0" or key[0] != "0") and len(key) <= 10:
        number = int(key)
        if number < 2**32 - 1:
            return 0, number
    return 1, 0


def _list(encoder: Encoder, value: list[Any], itemize: bool) -> Json:
    return encoder.sequence(value, itemize)


def _tuple(encoder: Encoder, value: tuple[Any, ...], itemize: bool) -> Json:
    return tagged("tuple", encoder.sequence(value, itemize))


def _set(encoder: Encoder, value: set[Any], itemize: bool) -> Json:
    # In an order of their own: that of a set differs from process to process, and an equal element would be a new item.
    elements = sorted(encoder.elements(value, value), key=json_text)
    return tagged("set", elements, "frozenset") if isinstance(value, frozenset) else tagged("set", elements)


def _bytes(encoder: Encoder, value: bytes, itemize: bool) -> Json:
    return tagged("bytes", base64.b64encode(value).decode("ascii"))


def _bytearray(encoder: Encoder, value: bytearray | memoryview, itemize: bool) -> Json:
    return tagged("bytes", base64.b64encode(bytes(value)).decode("ascii"), "bytearray")


def _datetime(encoder: Encoder, value: datetime.datetime, itemize: bool) -> Json:
    zone = _zone_key(value.tzinfo)
    iso = datetime.datetime.isoformat(value)
    if value.fold:
        return tagged("date", iso, zone, 1)
    return tagged("date", iso, zone) if zone else tagged("date", iso)


def _zone_key(zone: Any) -> str | None:
    key = getattr(zone, "key", None)
    return key if isinstance(key, str) and type(zone).__module__ == "zoneinfo" else None


def _date(encoder: Encoder, value: datetime.date, itemize: bool) -> Json:
    return tagged("date", datetime.date.isoformat(value), "date")


def _time(encoder: Encoder, value: datetime.time, itemize: bool) -> Json:
    iso = datetime.time.isoformat(value)
    # Without a day, the offset of a zone is not known.
    zone = encoder.value(value.tzinfo, False) if value.tzinfo and value.utcoffset() is None else None
    if value.fold or zone:
        return tagged("date", iso, "time", value.fold, zone)
    return tagged("date", iso, "time")


def _uuid(encoder: Encoder, value: uuid.UUID, itemize: bool) -> Json:
    return tagged("uuid", str(value))


def _enum(encoder: Encoder, value: Any, itemize: bool) -> Json:
    cls = type(value)
    path, depth = class_path(cls), encoder.depth
    try:
        # An IntEnum's value is a number, and a StrEnum's is text.
        content = encoder.value(value.value, False)
    except Unstorable:
        if path is None or value.name is None:
            raise
        encoder.depth, content = depth, value.name
    return tagged("enum", cls.__name__, content, *([path, value.name] if path else []))


def _message(encoder: Encoder, value: Any, itemize: bool) -> Json:
    shape = message_shape(type(value))
    fields = encoder.fields(shape.take(value), value)
    if shape.path is None:
        return tagged("message", shape.name, fields)
    private, _ = encoder.storable(shape.private(value))
    return tagged("message", shape.name, fields, shape.path, *([{"private": private}] if private else []))


def _model(encoder: Encoder, value: Any, itemize: bool) -> Json:
    shape = shape_of(type(value))
    assert shape is not None
    parts = shape.take(value)
    fields = encoder.fields(parts.fields, value)
    content = fields["root"] if shape.is_root else _escaped(fields)
    if shape.path is None:
        return tagged("model", shape.name, content)
    kept: JsonObject = {}
    attributes, complete = encoder.storable(parts.attributes)
    if not complete:
        kept["init"] = True
    if attributes:
        kept["attributes"] = attributes
    private, _ = encoder.storable(parts.private)
    if private:
        kept["private"] = private
    if parts.set_names is not None:
        kept["set"] = list(parts.set_names)
    return tagged("model", shape.name, content, shape.path, *([kept] if kept else []))


def _interrupt(encoder: Encoder, value: Any, itemize: bool) -> Json:
    shape = shape_of(type(value))
    if shape is None or shape.path is None:
        raise Unstorable("is an interrupt of an unknown kind")
    fields = shape.take(value).fields
    # A question reaches people with its JSON schema, if it has one; the class it was made of is nothing to store.
    if fields.get("response_schema") is None or isinstance(fields["response_schema"], type):
        fields.pop("response_schema", None)
    return tagged("model", shape.name, encoder.fields(fields, value), shape.path)


def _constructed(encoder: Encoder, value: Any, itemize: bool) -> Json:
    found = constructor_of(type(value))
    assert found is not None
    path, constructor = found
    return tagged("constructor", list(path), encoder.value(constructor.take(value), False))


def _exception(encoder: Encoder, value: BaseException, itemize: bool) -> Json:
    cls = type(value)
    try:
        message = str(value)
    except Exception:
        message = cls.__name__
    path = class_path(cls)
    if path is None:
        return tagged("error", cls.__name__, message)
    held, complete = encoder.storable({"args": value.args})
    attributes, _ = encoder.storable(getattr(value, "__dict__", {}))
    if not complete or (len(value.args) == 1 and type(value.args[0]) is str and value.args[0] == message):
        held = {}
    if attributes:
        held["attributes"] = attributes
    return tagged("error", cls.__name__, message, path, *([held] if held else []))


def send(encoder: Encoder, value: Any, itemize: bool) -> Json:
    timeout = getattr(value, "timeout", None)
    fields = {"args": value.arg} if timeout is None else {"args": value.arg, "timeout": timeout}
    encoded = encoder.fields(fields, value, itemize)
    return tagged("send", value.node, *encoded.values())


def _command(encoder: Encoder, value: Any, itemize: bool) -> Json:
    fields = {name: getattr(value, name, None) for name in ("graph", "update", "resume", "goto")}
    given = {name: held for name, held in fields.items() if held is not None and held != ()}
    return tagged("command", encoder.fields(given, value, itemize))


def _overwrite(encoder: Encoder, value: Any, itemize: bool) -> Json:
    return tagged(
        "constructor", ["langgraph", "Overwrite"], encoder.fields({"value": value.value}, value, itemize)
    )


def _delta_snapshot(encoder: Encoder, value: Any, itemize: bool) -> Json:
    path: list[Json] = ["langgraph_checkpoint", "DeltaSnapshot"]
    return tagged("constructor", path, encoder.fields({"value": value.value}, value, itemize))


def _plain_text(encoder: Encoder, value: str, itemize: bool) -> Json:
    return str.__str__(value)


def _plain_integer(encoder: Encoder, value: int, itemize: bool) -> Json:
    return encoder.value(int.__int__(value), False)


def _plain_float(encoder: Encoder, value: float, itemize: bool) -> Json:
    return encoder.value(float.__float__(value), False)


def _other(encoder: Encoder, value: Any, itemize: bool) -> Json:
    opaque = opaque_form(value)
    if opaque is not None:
        return tagged("opaque", *opaque)
    kind = type(value)
    if isinstance(value, type):
        raise Unstorable(f"is the class {value.__name__}")
    name = (
        kind.__name__
        if kind.__module__ in ("builtins", "types")
        else f"{kind.__module__}.{kind.__qualname__}"
    )
    raise Unstorable(f"is {'an' if name[0].lower() in 'aeiou' else 'a'} {name}")


# By exact class: the first and nearly always the only look.
KINDS: dict[type, Kind] = {
    dict: _dict,
    list: _list,
    tuple: _tuple,
    set: _set,
    frozenset: _set,
    str: _plain_text,
    bytes: _bytes,
    datetime.datetime: _datetime,
    datetime.date: _date,
    datetime.time: _time,
    uuid.UUID: _uuid,
}
_BUILT_IN_KINDS = len(KINDS)

# LangGraph's own, wherever a version defines them.
_LANGGRAPH: dict[tuple[str, str], Kind] = {
    ("langgraph.types", "Send"): send,
    ("langgraph.constants", "Send"): send,
    ("langgraph.types", "Command"): _command,
    ("langgraph.types", "Interrupt"): _interrupt,
    ("langgraph.types", "Overwrite"): _overwrite,
    ("langgraph.checkpoint.serde.types", "_DeltaSnapshot"): _delta_snapshot,
}

# Subclasses of these are stored as these, in this order.
_BASES: tuple[tuple[type, Kind], ...] = (
    (BaseException, _exception),
    (uuid.UUID, _uuid),
    (datetime.datetime, _datetime),
    (datetime.date, _date),
    (datetime.time, _time),
    (bytes, _bytes),
    (bytearray, _bytearray),
    (memoryview, _bytearray),
    (str, _plain_text),
    (int, _plain_integer),
    (float, _plain_float),
    (dict, _dict),
    (list, _list),
    (tuple, _tuple),
    (set, _set),
    (frozenset, _set),
)


def kind_of(cls: type) -> Kind:
    kind = _find_kind(cls)
    if len(KINDS) < MAX_SHAPES + _BUILT_IN_KINDS:
        KINDS[cls] = kind
    return kind


def _find_kind(cls: type) -> Kind:
    if issubclass(cls, Enum):
        return _enum
    own = named_in_bases(cls, _LANGGRAPH)
    if own is not None:
        return own
    if is_message_class(cls):
        return _message
    if shape_of(cls) is not None:
        return _model
    if constructor_of(cls) is not None:
        return _constructed
    return next((kind for base, kind in _BASES if issubclass(cls, base)), _other)

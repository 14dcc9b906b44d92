"""Tagged JSON → Python values, with the project's own classes. Only what a runner stored is revived; what a client
sent is unescape_tags and otherwise taken as the data it is."""

from __future__ import annotations

import base64
import datetime
import decimal
import uuid
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Any

from .classes import find, find_class
from .constructors import PYTHON, construct
from .items import Place
from .json_types import TAG, Json, tag_of
from .memory import ThreadMemory
from .messages import revive_message
from .models import shape_of
from .opaque import revive_opaque

_SHARED = frozenset((str, int, float, bool, type(None)))


class Decoder:
    def __init__(self, memory: ThreadMemory, items: Iterable[Sequence[Any]]) -> None:
        """`items` are the stored items the values refer to, each [log, number, body]."""
        self._memory = memory
        self._bodies: dict[Place, Json] = {}
        for log, number, body in items:
            self._bodies[log, number] = body
            memory.ledger.remember((log, number), body)

    def decode(self, json: Json) -> Any:
        return self.value(json)

    def value(self, json: Any) -> Any:
        kind = type(json)
        if kind is dict:
            tag = json.get(TAG)
            if tag is not None and type(tag) is list and tag and type(tag[0]) is str:
                revive = _TAGS.get(tag[0])
                if revive is None:
                    raise ValueError(
                        f'The stored state has a value of kind "{tag[0]}", which this version cannot read.'
                    )
                return revive(self, tag)
            return self.fields(json)
        return self.sequence(json) if kind is list else json

    def fields(self, json: dict[str, Json]) -> dict[str, Any]:
        fields = {}
        for key, child in json.items():
            fields[key] = self.value(child) if type(child) is dict or type(child) is list else child
        return fields

    def sequence(self, elements: list[Json]) -> list[Any]:
        values = []
        for element in elements:
            if type(element) is dict:
                tag = element.get(TAG)
                if tag is not None and type(tag) is list and tag and tag[0] == "items":
                    _, log, first, count = tag
                    values.extend(self._item((log, number)) for number in range(first, first + count))
                    continue
            values.append(self.value(element))
        return values

    def _item(self, place: Place) -> Any:
        body = self._bodies.get(place)
        if body is None:
            log, number = place
            raise ValueError(f"The stored state refers to item {number} of log {log}, which is missing.")
        value = self.value(body)
        # Small values are shared all over Python: the object says nothing of where it came from.
        if type(body) is str or type(value) not in _SHARED:
            self._memory.know_first(value, place)
        return value


def unescape_tags(json: Json) -> Any:
    """Client JSON as it was before the door escaped it. Every other tag stays the plain data it is."""
    if type(json) is list:
        return [unescape_tags(element) for element in json]
    if type(json) is not dict:
        return json
    tag = tag_of(json)
    escaped = tag[1] if tag and tag[0] == "object" and len(tag) > 1 else None
    source = escaped if isinstance(escaped, dict) else json
    return {key: unescape_tags(child) for key, child in source.items()}


def _object(decoder: Decoder, tag: list[Any]) -> Any:
    return decoder.fields(tag[1])


def _message(decoder: Decoder, tag: list[Any]) -> Any:
    path = tag[3] if len(tag) > 3 else None
    kept = decoder.fields(tag[4]) if len(tag) > 4 else {}
    return revive_message(tag[1], decoder.fields(tag[2]), path, kept)


def _tuple(decoder: Decoder, tag: list[Any]) -> Any:
    return tuple(decoder.sequence(tag[1]))


def _set(decoder: Decoder, tag: list[Any]) -> Any:
    elements = decoder.sequence(tag[1])
    try:
        return frozenset(elements) if tag[2:] == ["frozenset"] else set(elements)
    except TypeError:
        # Elements whose class is gone are dicts by now.
        return elements


def _map(decoder: Decoder, tag: list[Any]) -> Any:
    entries = []
    for key, child in tag[1]:
        entries.append((decoder.value(key), decoder.value(child)))
    try:
        return dict(entries)
    except TypeError:
        return entries


def _number(decoder: Decoder, tag: list[Any]) -> Any:
    return float(tag[1])


def _bigint(decoder: Decoder, tag: list[Any]) -> Any:
    return int(decimal.Decimal(tag[1]))


def _undefined(decoder: Decoder, tag: list[Any]) -> Any:
    return None


def _bytes(decoder: Decoder, tag: list[Any]) -> Any:
    content = base64.b64decode(tag[1])
    return bytearray(content) if tag[2:] == ["bytearray"] else content


def _uuid(decoder: Decoder, tag: list[Any]) -> Any:
    return uuid.UUID(tag[1])


def _date(decoder: Decoder, tag: list[Any]) -> Any:
    iso: str = tag[1]
    kind, fold, zone = (*tag[2:], None, None, None)[:3]
    if kind == "date":
        return datetime.date.fromisoformat(iso)
    if kind == "time":
        time = datetime.time.fromisoformat(iso).replace(fold=fold or 0)
        return time.replace(tzinfo=decoder.value(zone)) if zone else time
    try:
        moment = datetime.datetime.fromisoformat(iso[:-1] + "+00:00" if iso.endswith("Z") else iso)
    except ValueError:
        # One of JavaScript's that Python has no date for, such as an invalid one.
        return iso
    if kind is not None:
        # Without the zone's data the offset alone remains.
        found = construct("zoneinfo", "ZoneInfo", kind)
        moment = moment.replace(tzinfo=moment.tzinfo if isinstance(found, str) else found)
    return moment.replace(fold=1) if fold else moment


def _enum(decoder: Decoder, tag: list[Any]) -> Any:
    content = decoder.value(tag[2])
    path, name = (*tag[3:], None, None)[:2]
    cls = find_class(path) if path else None
    if cls is None or not issubclass(cls, Enum):
        return content
    if name in cls.__members__:
        return cls[name]
    try:
        return cls(content)
    except ValueError:
        # A member that is no longer one.
        return content


def _model(decoder: Decoder, tag: list[Any]) -> Any:
    content = decoder.value(tag[2])
    cls = find_class(tag[3]) if len(tag) > 3 else None
    shape = shape_of(cls) if cls else None
    if shape is None:
        return content
    return shape.revive(content, decoder.fields(tag[4]) if len(tag) > 4 else {})


def _error(decoder: Decoder, tag: list[Any]) -> Any:
    name, message = tag[1], tag[2]
    cls = find_class(tag[3]) if len(tag) > 3 else find("builtins", name)
    kept = decoder.fields(tag[4]) if len(tag) > 4 else {}
    if not isinstance(cls, type) or not issubclass(cls, BaseException):
        cls = type(name, (Exception,), {})
    args = kept.get("args", (message,))
    try:
        # The constructor of a class of the user's own may take anything.
        error = cls.__new__(cls, *args)
    except Exception:
        error = type(name, (Exception,), {})(message)
    error.args = args
    for key, value in kept.get("attributes", {}).items():
        setattr(error, key, value)
    return error


def _send(decoder: Decoder, tag: list[Any]) -> Any:
    node, args = tag[1], decoder.value(tag[2])
    send = find("langgraph.types", "Send") or find("langgraph.constants", "Send")
    if send is None:
        return {"node": node, "args": args}
    return send(node, args, timeout=decoder.value(tag[3])) if len(tag) > 3 else send(node, args)


def _command(decoder: Decoder, tag: list[Any]) -> Any:
    fields = decoder.fields(tag[1])
    command = find("langgraph.types", "Command")
    return fields if command is None else command(**fields)


def _constructor(decoder: Decoder, tag: list[Any]) -> Any:
    path, content = tag[1], decoder.value(tag[2]) if len(tag) > 2 else {}
    if path[0] == PYTHON and len(path) == 3:
        return construct(path[1], path[2], content)
    if path == ["langgraph", "Overwrite"]:
        overwrite = find("langgraph.types", "Overwrite")
        return {"__overwrite__": content["value"]} if overwrite is None else overwrite(content["value"])
    if path == ["langgraph_checkpoint", "DeltaSnapshot"]:
        snapshot = find("langgraph.checkpoint.serde.types", "_DeltaSnapshot")
        return content["value"] if snapshot is None else snapshot(content["value"])
    # What a JavaScript agent stored and only JavaScript can rebuild.
    return content


def _opaque(decoder: Decoder, tag: list[Any]) -> Any:
    return revive_opaque(tag[2], tag[3])


_TAGS: dict[str, Callable[[Decoder, list[Any]], Any]] = {
    "object": _object,
    "message": _message,
    "tuple": _tuple,
    "set": _set,
    "map": _map,
    "float": _number,
    "number": _number,
    "bigint": _bigint,
    "undefined": _undefined,
    "bytes": _bytes,
    "uuid": _uuid,
    "date": _date,
    "enum": _enum,
    "model": _model,
    "error": _error,
    "send": _send,
    "command": _command,
    "constructor": _constructor,
    "opaque": _opaque,
}

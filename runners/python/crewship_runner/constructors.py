"""Kinds of values that are made again by calling their class: of the standard library, of numpy, of pydantic. Each is
stored as `constructor(["python", module, name], shown)`; no module is imported before there is such a value."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from .classes import class_path, find, find_class, named_in_bases

# What distinguishes these from the constructors of LangChain's own serializer.
PYTHON = "python"


class Constructor(NamedTuple):
    """`take` gives what is stored and shown of a value; `make` makes a value of the class of it."""

    take: Callable[[Any], Any]
    make: Callable[[Any, Any], Any]


def constructor_of(cls: type) -> tuple[list[str], Constructor] | None:
    """The stored path of a class and how its values are taken apart; None when it is none of these kinds."""
    constructor = named_in_bases(cls, CONSTRUCTORS)
    if constructor is None:
        return None
    if cls.__module__.startswith("pathlib"):
        # Since 3.13 the classes are defined in a module of another name, and the concrete ones depend on the system.
        name = cls.__name__ if cls.__name__.startswith("Pure") else "Path"
        return [PYTHON, "pathlib", name], constructor
    path = class_path(cls)
    if path is None or (cls.__module__, cls.__qualname__) in CONSTRUCTORS:
        known = next(base for base in cls.__mro__ if (base.__module__, base.__qualname__) in CONSTRUCTORS)
        return [PYTHON, known.__module__, known.__qualname__], constructor
    return [PYTHON, *path.split(":")], constructor


def construct(module: str, name: str, shown: Any) -> Any:
    """The value a path and what was shown of it stand for; where it can no longer be made, it is what was shown."""
    cls = find_class(f"{module}:{name}")
    constructor = named_in_bases(cls, CONSTRUCTORS) if cls else None
    try:
        return shown if constructor is None else constructor.make(cls, shown)
    except Exception:
        return shown


def _call(cls: Any, shown: Any) -> Any:
    return cls(shown)


def _attributes(*names: str) -> Callable[[Any], dict[str, Any]]:
    return lambda value: {name: getattr(value, name) for name in names}


def _call_with_values(cls: Any, shown: dict[str, Any]) -> Any:
    return cls(*shown.values())


def _call_with_names(cls: Any, shown: dict[str, Any]) -> Any:
    return cls(**shown)


def _compile(_cls: Any, shown: dict[str, Any]) -> Any:
    return re.compile(shown["pattern"], shown["flags"])


def _take_timezone(zone: Any) -> Any:
    offset = datetime.datetime(2000, 1, 1, tzinfo=zone).isoformat()[19:]
    arguments = zone.__getinitargs__()
    return offset if len(arguments) == 1 else {"offset": offset, "name": arguments[1]}


def _make_timezone(cls: Any, shown: Any) -> Any:
    offset = shown if isinstance(shown, str) else shown["offset"]
    zone = datetime.datetime.fromisoformat(f"2000-01-01T00:00:00{offset}").tzinfo
    return zone if isinstance(shown, str) else cls(zone.utcoffset(None), shown["name"])  # type: ignore[union-attr]


def _take_deque(queue: Any) -> Any:
    return list(queue) if queue.maxlen is None else {"elements": list(queue), "maxlen": queue.maxlen}


def _make_deque(cls: Any, shown: Any) -> Any:
    return cls(shown) if isinstance(shown, list) else cls(shown["elements"], shown["maxlen"])


def _take_defaultdict(values: Any) -> Any:
    factory = values.default_factory
    # One that cannot be found again, such as a lambda, is not kept; the data is what counts.
    path = class_path(factory) if isinstance(factory, type) else None
    return {"default_factory": path, "values": dict(values)}


def _make_defaultdict(cls: Any, shown: Any) -> Any:
    path = shown["default_factory"]
    return cls(find_class(path) if path else None, shown["values"])


def _make_path(cls: Any, shown: str) -> Any:
    try:
        return cls(shown)
    except NotImplementedError:
        # One of another operating system.
        return find("pathlib", "PureWindowsPath")(shown)


_BY_TEXT = Constructor(str, _call)
_BY_RANGE = Constructor(_attributes("start", "stop", "step"), _call_with_values)
_BY_ITEM = Constructor(lambda scalar: scalar.item(), _call)
_BY_ENTRIES = Constructor(dict, _call)
_BY_PATH = Constructor(str, _make_path)

# By module and name of the class or of one of its bases.
CONSTRUCTORS: dict[tuple[str, str], Constructor] = {
    ("builtins", "complex"): Constructor(_attributes("real", "imag"), _call_with_values),
    ("builtins", "range"): _BY_RANGE,
    ("builtins", "slice"): _BY_RANGE,
    ("collections", "Counter"): _BY_ENTRIES,
    ("collections", "OrderedDict"): _BY_ENTRIES,
    ("collections", "defaultdict"): Constructor(_take_defaultdict, _make_defaultdict),
    ("collections", "deque"): Constructor(_take_deque, _make_deque),
    ("datetime", "timedelta"): Constructor(_attributes("days", "seconds", "microseconds"), _call_with_names),
    ("datetime", "timezone"): Constructor(_take_timezone, _make_timezone),
    ("decimal", "Decimal"): _BY_TEXT,
    ("fractions", "Fraction"): _BY_TEXT,
    ("ipaddress", "IPv4Address"): _BY_TEXT,
    ("ipaddress", "IPv4Network"): _BY_TEXT,
    ("ipaddress", "IPv4Interface"): _BY_TEXT,
    ("ipaddress", "IPv6Address"): _BY_TEXT,
    ("ipaddress", "IPv6Network"): _BY_TEXT,
    ("ipaddress", "IPv6Interface"): _BY_TEXT,
    ("pathlib", "PurePath"): _BY_PATH,
    ("pathlib._local", "PurePath"): _BY_PATH,
    ("pydantic.networks", "_BaseUrl"): _BY_TEXT,
    ("pydantic.networks", "_BaseMultiHostUrl"): _BY_TEXT,
    ("pydantic_core._pydantic_core", "Url"): _BY_TEXT,
    ("pydantic_core._pydantic_core", "MultiHostUrl"): _BY_TEXT,
    ("re", "Pattern"): Constructor(_attributes("pattern", "flags"), _compile),
    ("zoneinfo", "ZoneInfo"): Constructor(lambda zone: zone.key, _call),
    **{
        ("numpy", name): _BY_ITEM
        for kind, sizes in (
            ("int", "8 16 32 64"),
            ("uint", "8 16 32 64"),
            ("float", "16 32 64"),
            ("complex", "64 128"),
        )
        for name in (kind + size for size in sizes.split())
    },
    ("numpy", "bool"): _BY_ITEM,
    ("numpy", "bool_"): _BY_ITEM,
}

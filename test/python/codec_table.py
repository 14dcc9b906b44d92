"""Values of every kind with what the API shows of them. Run as a script, it prints them encoded, for the test that asks
the server's own code to show them."""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import fractions
import ipaddress
import json
import math
import pathlib
import re
import sys
import uuid
import zoneinfo
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from crewship_runner.encode import encode


class Colour(enum.Enum):
    RED = "red"
    PAIR = (1, 2)


class Level(enum.IntEnum):
    LOW = 1


class Mode(str, enum.Enum):
    FAST = "fast"


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


class Position(NamedTuple):
    x: int
    y: int = 0


@dataclass
class Point:
    x: int
    tags: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Frozen:
    name: str
    inner: Any = None


@dataclass
class Slotted:
    __slots__ = ("a", "b")
    a: int
    b: object


@dataclass
class Cached:
    size: int

    def __post_init__(self) -> None:
        self.twice = self.size * 2


class Odd(Exception):
    """Its constructor takes something else than what it hands on."""

    def __init__(self, code: int, *, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code


UTC = datetime.timezone.utc
PARIS = zoneinfo.ZoneInfo("Europe/Paris")
ID = uuid.UUID("12345678-1234-5678-1234-567812345678")
BIG = 2**53

TABLE: list[tuple[str, Any, Any]] = [
    ("text", "hé\0llo\ud800", "hé\0llo\ud800"),
    ("numbers", [1, -1, 1.5, BIG - 1, 0.1], [1, -1, 1.5, BIG - 1, 0.1]),
    ("a large integer", [BIG, -BIG, 10**30], [str(BIG), str(-BIG), str(10**30)]),
    ("whole floats", [1.0, -3.0, 0.0, 1e20, 1e22, 1e300], [1, -3, 0, 1e20, 1e22, 1e300]),
    ("odd floats", [math.inf, -math.inf, -0.0], ["Infinity", "-Infinity", "-0"]),
    ("nothing", [None, True, False], [None, True, False]),
    ("a dict", {"a": {"b": []}, "": {}, "__proto__": 1}, {"a": {"b": []}, "": {}, "__proto__": 1}),
    ("the reserved key", {"$crewship": ["date", "x"]}, {"$crewship": ["date", "x"]}),
    ("keys of other kinds", {1: "a", (1, 2): "b", None: 3}, [[1, "a"], [[1, 2], "b"], [None, 3]]),
    ("keys of an enum", {Mode.FAST: 1}, {"fast": 1}),
    ("keys JavaScript would sort", {"b": 1, "2": 2, "10": 3, "1": 4}, {"b": 1, "2": 2, "10": 3, "1": 4}),
    ("tuples", ((), (1, [2, (3,)])), [[], [1, [2, [3]]]]),
    ("a set", {3, 1, 2}, [1, 2, 3]),
    ("a frozenset", frozenset(["b", "a", (1, 2)]), ["a", "b", [1, 2]]),
    ("bytes", [b"\0\xff", bytearray(b"ab")], ["AP8=", "YWI="]),
    ("a datetime", datetime.datetime(2026, 1, 31, 10, 30, 5, 123456), "2026-01-31T10:30:05.123456"),
    ("a datetime in UTC", datetime.datetime(2026, 1, 31, 10, tzinfo=UTC), "2026-01-31T10:00:00+00:00"),
    ("a datetime in a zone", datetime.datetime(2026, 7, 1, tzinfo=PARIS), "2026-07-01T00:00:00+02:00"),
    (
        "the second 2:30 of a night",
        datetime.datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=PARIS),
        "2026-10-25T02:30:00+01:00",
    ),
    ("a date", datetime.date(2026, 1, 31), "2026-01-31"),
    ("a time", datetime.time(10, 30, 1), "10:30:01"),
    ("a time in a zone", datetime.time(10, 30, tzinfo=PARIS, fold=1), "10:30:00"),
    ("a timedelta", datetime.timedelta(days=-1, seconds=2), {"days": -1, "seconds": 2, "microseconds": 0}),
    (
        "time zones",
        [UTC, datetime.timezone(datetime.timedelta(hours=2), "there"), PARIS],
        ["+00:00", {"offset": "+02:00", "name": "there"}, "Europe/Paris"],
    ),
    ("a UUID", ID, str(ID)),
    ("enums", [Colour.RED, Colour.PAIR, Level.LOW, Mode.FAST], ["red", [1, 2], 1, "fast"]),
    ("flags", [Rights.READ, Rights.READ | Rights.WRITE], [1, 3]),
    ("a named tuple", Position(1), {"x": 1, "y": 0}),
    ("a dataclass", Point(1, ["a"]), {"x": 1, "tags": ["a"]}),
    ("a frozen dataclass", Frozen("a", Frozen("b")), {"name": "a", "inner": {"name": "b", "inner": None}}),
    ("a dataclass with slots", Slotted(1, (2,)), {"a": 1, "b": [2]}),
    ("a dataclass that holds more", Cached(4), {"size": 4}),
    ("decimals", [decimal.Decimal("1.50"), fractions.Fraction(1, 3)], ["1.50", "1/3"]),
    ("a complex number", complex(1, -2.5), {"real": 1, "imag": -2.5}),
    ("paths", [pathlib.Path("a/b"), pathlib.PureWindowsPath("c:\\d")], ["a/b", "c:\\d"]),
    ("a pattern", re.compile(r"a+", re.IGNORECASE), {"pattern": "a+", "flags": 34}),
    ("ranges", [range(1, 9, 2)], [{"start": 1, "stop": 9, "step": 2}]),
    (
        "deques",
        [collections.deque([1, (2,)]), collections.deque([1], 3)],
        [[1, [2]], {"elements": [1], "maxlen": 3}],
    ),
    (
        "kinds of dicts",
        [collections.OrderedDict(b=1, a=2), collections.Counter("aab")],
        [{"b": 1, "a": 2}, {"a": 2, "b": 1}],
    ),
    (
        "a dict with defaults",
        collections.defaultdict(list, {1: [2]}),
        {"default_factory": "builtins:list", "values": [[1, [2]]]},
    ),
    (
        "addresses",
        [
            ipaddress.ip_address("::1"),
            ipaddress.ip_network("10.0.0.0/8"),
            ipaddress.ip_interface("10.0.0.1/8"),
        ],
        ["::1", "10.0.0.0/8", "10.0.0.1/8"],
    ),
]


def importable(module: str) -> bool:
    try:
        __import__(module)
    except ImportError:
        return False
    return True


if importable("pydantic"):
    import pydantic
    from pydantic import BaseModel

    class Person(BaseModel):
        name: str
        age: int = 3
        friends: list[Person] = []
        born: datetime.date | None = None

    TABLE += [
        (
            "a pydantic model",
            Person(name="a", friends=[Person(name="b", born=datetime.date(2020, 1, 1))]),
            {
                "name": "a",
                "age": 3,
                "friends": [{"name": "b", "age": 3, "friends": [], "born": "2020-01-01"}],
                "born": None,
            },
        ),
    ]
    if not pydantic.VERSION.startswith("1."):
        from pydantic import ConfigDict, PrivateAttr, RootModel

        class Open(BaseModel):
            model_config = ConfigDict(extra="allow", frozen=True)
            a: int
            _private: list[int] = PrivateAttr(default_factory=lambda: [1])

        class Names(RootModel[dict[int, str]]):
            pass

        class Page(BaseModel):
            url: pydantic.HttpUrl

        TABLE += [
            ("a pydantic model with extra fields", Open(a=1, b={"c": (1,)}), {"a": 1, "b": {"c": [1]}}),
            ("a pydantic model of one value", Names({1: "a"}), [[1, "a"]]),
            ("a pydantic URL", Page(url="http://example.test/a"), {"url": "http://example.test/a"}),
        ]

if importable("langchain_core.messages"):
    from langchain_core import messages as lc
    from langchain_core.documents import Document

    class Marked(lc.AIMessage):
        """A message class of a user's own."""

        mark: str = "none"
        scores: list[int] = [1]  # noqa: RUF012

    CALL = {"name": "f", "args": {"x": 1}, "id": "c", "type": "tool_call"}
    TABLE += [
        (
            "a human message",
            lc.HumanMessage("hi", id="1", name="bob", more={"a": (1,)}),
            {"type": "human", "role": "user", "content": "hi", "id": "1", "name": "bob", "more": {"a": [1]}},
        ),
        (
            "a system message",
            lc.SystemMessage("be good"),
            {"type": "system", "role": "system", "content": "be good"},
        ),
        (
            "an AI message",
            lc.AIMessage(
                [{"type": "text", "text": "hi"}],
                id="2",
                tool_calls=[CALL],
                response_metadata={"model": "m"},
                usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
            ),
            {
                "type": "ai",
                "role": "assistant",
                "content": [{"type": "text", "text": "hi"}],
                "id": "2",
                "response_metadata": {"model": "m"},
                "tool_calls": [CALL],
                "usage_metadata": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
            },
        ),
        (
            "a chunk of an AI message",
            lc.AIMessageChunk(
                "",
                tool_call_chunks=[
                    {"name": "f", "args": '{"x":1}', "id": "c", "index": 0, "type": "tool_call_chunk"}
                ],
            ),
            {
                "type": "ai",
                "role": "assistant",
                "content": "",
                "tool_calls": [CALL],
                "tool_call_chunks": [
                    {"name": "f", "args": '{"x":1}', "id": "c", "index": 0, "type": "tool_call_chunk"}
                ],
            },
        ),
        (
            "a tool's message",
            lc.ToolMessage("42", tool_call_id="c", status="error", artifact={"big": {1}}, name="f"),
            {
                "type": "tool",
                "role": "tool",
                "content": "42",
                "name": "f",
                "tool_call_id": "c",
                "status": "error",
                "artifact": {"big": [1]},
            },
        ),
        (
            "a chat message",
            lc.ChatMessage("x", role="critic"),
            {"type": "generic", "role": "critic", "content": "x"},
        ),
        (
            "the removal of a message",
            lc.RemoveMessage(id="1"),
            {"type": "remove", "role": "remove", "content": "", "id": "1"},
        ),
        (
            "a message of the user's own class",
            Marked("x", mark="good", scores=[]),
            {"type": "ai", "role": "assistant", "content": "x", "mark": "good", "scores": []},
        ),
        (
            "a document",
            Document("text", metadata={"source": pathlib.Path("a")}),
            {"id": None, "metadata": {"source": "a"}, "page_content": "text", "type": "Document"},
        ),
    ]

if importable("langgraph.graph"):
    from langgraph.constants import Send

    lg: Any = sys.modules["langgraph.types"] if importable("langgraph.types") else None

    TABLE += [
        ("a pushed task", Send("node", {"a": (1,)}), {"node": "node", "args": {"a": [1]}}),
    ]
    if hasattr(lg, "Command"):
        TABLE += [
            (
                "a command",
                lg.Command(update={"a": 1}, goto=[lg.Send("n", 1)]),
                {"update": {"a": 1}, "goto": [{"node": "n", "args": 1}]},
            ),
        ]
    if hasattr(lg, "Interrupt"):
        TABLE += [
            ("a question", (lg.Interrupt("why?", id="q"),), [{"value": "why?", "id": "q"}]),
        ]
    if hasattr(lg, "Overwrite"):
        TABLE += [("an overwritten value", lg.Overwrite([1]), {"value": [1]})]

if importable("numpy"):
    import numpy

    TABLE += [
        ("numpy's scalars", [numpy.float32(0.5), numpy.int64(3), numpy.float64(2)], [0.5, 3, 2]),
    ]

if __name__ == "__main__":
    # Under its own name, as an agent's modules are.
    import codec_table

    for name, value, shown in codec_table.TABLE:
        line = [name, encode(value, name), shown]
        sys.stdout.write(json.dumps(line) + "\n")

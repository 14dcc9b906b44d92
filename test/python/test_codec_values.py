"""Every kind of value comes back equal and of its own class, through JSON text and JavaScript's way with numbers."""

from __future__ import annotations

import collections
import datetime
import json
import math
import random
import sys
import unittest
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "runners/python")]

import codec_table
from crewship_runner.decode import Decoder, unescape_tags
from crewship_runner.encode import EncodingError, encode, safely
from crewship_runner.json_types import TAG
from crewship_runner.memory import ThreadMemory


def as_javascript(value: Any) -> Any:
    """The JSON value after JavaScript has parsed and printed it: whole floats lose their point."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return int(value)
    if isinstance(value, list):
        return [as_javascript(element) for element in value]
    if not isinstance(value, dict):
        return value
    indexes = sorted(
        (key for key in value if key.isascii() and key.isdigit() and str(int(key)) == key), key=int
    )
    order = [*indexes, *(key for key in value if key not in indexes)]
    return {key: as_javascript(value[key]) for key in order}


def round_trip(value: Any, printed: Callable[[Any], Any] = as_javascript) -> Any:
    """Through JSON text and a second process's memory, as everything stored goes."""
    memory = ThreadMemory(1, 0)
    encoded = encode(value, "the value", memory, "store")
    new = memory.ledger.take_new()
    encoded, bodies = printed(json.loads(json.dumps([encoded, new["bodies"] if new else []])))
    decoder = Decoder(ThreadMemory(1, len(bodies)), [[1, number, body] for number, body in enumerate(bodies)])
    return decoder.decode(encoded)


def described(value: Any) -> Any:
    """A value with the class of everything in it, to tell 1 from 1.0 and from True."""
    kind = type(value)
    if isinstance(value, dict):
        return kind, [(described(key), described(child)) for key, child in value.items()]
    if isinstance(value, (set, frozenset)):
        return kind, sorted(repr(described(child)) for child in value)
    if isinstance(value, (list, tuple, collections.deque)):
        return kind, [described(child) for child in value]
    if isinstance(value, datetime.datetime):
        return kind, value.isoformat(), str(value.tzinfo), value.fold
    if isinstance(value, float):
        return kind, repr(value)
    if kind in (int, str, bool, bytes):
        return kind, value
    own = getattr(value, "__dict__", None)
    return kind, described(own) if own else repr(value)


class Values(unittest.TestCase):
    def test_every_kind_of_value_comes_back_equal_and_of_its_own_class(self):
        for name, value, _shown in codec_table.TABLE:
            with self.subTest(name):
                for held in (value, [value], {"a": [[value]]}):
                    back = round_trip(held)
                    self.assertEqual(back, held)
                    self.assertEqual(described(back), described(held))

    def test_what_came_back_is_encoded_to_the_same_text(self):
        for name, value, _shown in codec_table.TABLE:
            with self.subTest(name):
                encoded = json.dumps(as_javascript(encode(value, name)))
                self.assertEqual(json.dumps(as_javascript(encode(round_trip(value), name))), encoded)

    def test_not_a_number_comes_back(self):
        self.assertTrue(math.isnan(round_trip(math.nan)))

    def test_an_integer_longer_than_python_prints_comes_back(self):
        huge = 7**20_000
        self.assertEqual(round_trip(huge), huge)

    def test_any_nesting_of_plain_values_comes_back(self):
        generator = random.Random(3)
        for _ in range(400):
            value = any_value(generator, 4)
            self.assertEqual(described(round_trip(value)), described(value))

    def test_two_halves_of_a_character_are_that_character(self):
        self.assertEqual(round_trip("\ud83d\ude00"), "\U0001f600")

    def test_subclasses_of_plain_types_come_back_as_those(self):
        class Text(str):
            pass

        class Table(dict):
            pass

        class Row(list):
            pass

        back = round_trip({"a": Text("b"), "t": Table({Text("k"): Row([1])})})
        self.assertEqual(described(back), described({"a": "b", "t": {"k": [1]}}))

    def test_a_subclass_of_datetime_comes_back_as_the_moment(self):
        class Stamp(datetime.datetime):
            pass

        back = round_trip(Stamp(2026, 1, 1))
        self.assertIs(type(back), datetime.datetime)
        self.assertEqual(back, datetime.datetime(2026, 1, 1))

    def test_errors_come_back_with_their_class_and_what_they_hold(self):
        for error in (
            ValueError("no"),
            KeyError("k"),
            OSError(2, "gone"),
            ValueError(1, (2,)),
            codec_table.Odd(7, reason="x"),
        ):
            back = round_trip({"error": error})["error"]
            self.assertIs(type(back), type(error))
            self.assertEqual((back.args, str(back), vars(back)), (error.args, str(error), vars(error)))
        self.assertEqual(encode(KeyError("k"), "x")[TAG][1:3], ["KeyError", "'k'"])

    def test_an_error_that_holds_no_data_comes_back_with_its_message(self):
        back = round_trip(ValueError("bad", print))
        self.assertIs(type(back), ValueError)
        self.assertIn("bad", str(back))

    def test_a_class_made_in_a_function_comes_back_as_the_dict_of_its_fields(self):
        from dataclasses import dataclass
        from enum import Enum

        @dataclass
        class Hidden:
            a: int

        class Choice(Enum):
            A = "a"

        self.assertEqual(round_trip([Hidden(1), Choice.A]), [{"a": 1}, "a"])

    def test_a_class_that_is_gone_comes_back_as_its_data(self):
        for tag in (
            {TAG: ["model", "Gone", {"a": 1}, "codec_table:Gone", {"set": []}]},
            {TAG: ["model", "Gone", {"a": 1}, "no_such_module:Gone"]},
            {TAG: ["model", "Gone", {"a": 1}, "json:dumps"]},
        ):
            self.assertEqual(decode(tag), {"a": 1})
        self.assertEqual(decode({TAG: ["enum", "Gone", 1, "codec_table:Gone", "A"]}), 1)
        self.assertEqual(decode({TAG: ["enum", "Colour", "blue", "codec_table:Colour", "BLUE"]}), "blue")
        self.assertEqual(decode({TAG: ["set", [{TAG: ["model", "Gone", {"a": 1}]}]]}), [{"a": 1}])
        self.assertEqual(str(decode({TAG: ["error", "Gone", "why", "codec_table:Gone"]})), "why")
        self.assertEqual(decode({TAG: ["constructor", ["python", "nowhere", "Gone"], "1.5"]}), "1.5")

    def test_a_field_its_class_got_later_has_its_default(self):
        tag = {TAG: ["model", "Point", {"x": 1, "dropped": 2}, "codec_table:Point"]}
        self.assertEqual(decode(tag), codec_table.Point(1, []))

    def test_a_dataclass_that_holds_what_cannot_be_stored_makes_it_again(self):
        value = codec_table.Cached(3)
        value.twice = lambda: 0
        back = round_trip(value)
        self.assertEqual((back.size, back.twice), (3, 6))

    def test_what_a_javascript_agent_stored_can_be_read(self):
        moment = datetime.datetime(2026, 1, 31, 10, 30, 5, 123000, tzinfo=codec_table.UTC)
        self.assertEqual(decode({TAG: ["date", "2026-01-31T10:30:05.123Z"]}), moment)
        self.assertEqual(decode({TAG: ["date", "Invalid Date"]}), "Invalid Date")
        self.assertEqual(decode({TAG: ["undefined"]}), None)
        self.assertEqual(decode({TAG: ["bytes", "YQ==", "Buffer"]}), b"a")
        self.assertEqual(
            decode({TAG: ["constructor", ["URL"], {"href": "http://a.test/"}]}), {"href": "http://a.test/"}
        )
        self.assertEqual(decode({TAG: ["model", "Point", {"x": 1}]}), {"x": 1})

    def test_an_unknown_tag_is_an_error_that_names_it(self):
        with self.assertRaisesRegex(ValueError, 'of kind "later", which this version cannot read'):
            decode({TAG: ["later", 1]})

    def test_what_a_client_sent_comes_back_as_the_data_it_was(self):
        forged = {TAG: ["date", "2020-01-01"]}
        self.assertEqual(unescape_tags(forged), forged)
        self.assertEqual(
            unescape_tags([{TAG: ["object", {TAG: ["items", 1, 0, 1], "a": [1]}]}]),
            [{TAG: ["items", 1, 0, 1], "a": [1]}],
        )


class Refusals(unittest.TestCase):
    def refused(self, value: Any, message: str) -> None:
        with self.assertRaisesRegex(EncodingError, message):
            encode(value, 'the channel "x"', ThreadMemory(1, 0), "store")

    def test_what_has_no_json_form_is_refused_with_the_place_where_it_stands(self):
        self.refused(
            {"a": [1, {"run": len}]},
            r'^The value of the channel "x" cannot be stored: its \.a\[1\]\.run is a builtin_function_or_method, '
            r"which has no JSON form\. Keep only data in the state\.$",
        )
        self.refused(lambda: 1, "it is a function")
        self.refused([iter([])], r"\[0\] is a list_iterator")
        self.refused({1: object()}, r"its \[1\] is an object")
        self.refused((Exception,), r"\[0\] is the class Exception")
        self.refused([{"p": codec_table.Point(1, [len])}], r"\[0\]\.p\.tags\[0\] is a builtin")
        self.refused({"s": {print}}, r"\.s\[0\] is a builtin")

        async def work():
            pass

        task = work()
        self.refused([task], r"\[0\] is a coroutine")
        task.close()

    def test_a_value_that_contains_itself_is_refused(self):
        cycle: dict[str, Any] = {"a": []}
        cycle["a"].append(cycle)
        self.refused(cycle, r"its \.a\[0\] contains itself")
        point = codec_table.Slotted(1, None)
        point.b = (point,)
        self.refused([point], r"its \[0\]\.b\[0\] contains itself")
        keyed: dict[Any, Any] = {}
        keyed[1] = keyed
        self.refused(keyed, r"its \[1\] contains itself")

    def test_nesting_ends_at_two_hundred_levels_in_every_kind(self):
        makers = [
            lambda inner: [inner],
            lambda inner: {"a": inner},
            lambda inner: {1: inner},
            lambda inner: (inner,),
            lambda inner: codec_table.Frozen("a", inner),
            lambda inner: frozenset([inner]),
            lambda inner: collections.deque([inner]),
        ]
        for make in makers:
            value: Any = None
            for _ in range(200):
                value = make(value)
            if not isinstance(value, collections.deque):
                self.assertEqual(repr(round_trip(value, lambda stored: stored)), repr(value))
            for _ in range(10):
                value = make(value)
            self.refused([value], "is nested more than 200 levels deep")

    def test_an_event_shows_the_text_of_what_has_no_json_form(self):
        class Sullen:
            def __str__(self):
                raise RuntimeError("no")

        self.assertEqual(safely({"a": (1,)}), {"a": {TAG: ["tuple", [1]]}})
        self.assertRegex(safely(len), "built-in function len")
        self.assertEqual(safely(Sullen()), "<Sullen>")

    def test_no_value_is_pickled(self):
        class Trap:
            def __reduce__(self):
                raise AssertionError("pickled")

            __reduce_ex__ = __getstate__ = __reduce__

        self.refused([Trap()], r"\[0\] is a .*Trap")


def decode(json_value: Any) -> Any:
    return Decoder(ThreadMemory(1, 0), []).decode(json_value)


def any_value(generator: random.Random, depth: int) -> Any:
    kind = generator.randrange(12 if depth > 0 else 7)
    if kind == 0:
        return "".join(
            chr(generator.choice((0, 34, 92, 233, 0xD800, 0x1F600, 65)))
            for _ in range(generator.randrange(40))
        )
    if kind == 1:
        return generator.choice((0, 1, -1, 2**53, -(2**53), 2**53 - 1, 10**25)) + generator.randrange(9)
    if kind == 2:
        return generator.choice(
            (0.0, -0.0, 1.0, 1e20, 1.2345678901234567e20, 1e21, 1e-7, 2.0**60, 0.1)
        ) * generator.choice((1, -1))
    if kind == 3:
        return generator.choice((None, True, False))
    if kind == 4:
        return bytes(generator.randrange(256) for _ in range(generator.randrange(20)))
    if kind == 5:
        minutes = generator.randrange(-700, 800)
        zone = generator.choice(
            (None, datetime.timezone(datetime.timedelta(minutes=minutes)), codec_table.PARIS)
        )
        return datetime.datetime(2026, 1, 1, tzinfo=zone) + datetime.timedelta(
            microseconds=generator.randrange(10**14)
        )
    if kind == 6:
        return generator.choice(
            (codec_table.Colour.RED, uuid.UUID(int=generator.randrange(2**128)), datetime.date(2026, 2, 3))
        )
    inner = [any_value(generator, depth - 1) for _ in range(generator.randrange(5))]
    if kind == 7:
        return inner
    if kind == 8:
        return tuple(inner)
    if kind == 9:
        keys = ("a", TAG, "__proto__", "2", "10", "constructor", "toString")
        return {generator.choice(keys): value for value in inner}
    if kind == 10:
        return {
            generator.choice((1, 2, None, (1, "a"), "a", codec_table.Mode.FAST, 1.5)): value
            for value in inner
        }
    return codec_table.Frozen("f", inner)


if __name__ == "__main__":
    unittest.main()

"""Lists become ranges of items, and a turn costs what it added."""

from __future__ import annotations

import json
import random
import sys
import time
import unittest
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "runners/python")]

import codec_table
from crewship_runner.decode import Decoder
from crewship_runner.encode import encode
from crewship_runner.items import ItemLedger, ListBuilder
from crewship_runner.json_types import TAG
from crewship_runner.memory import ThreadMemory

LONG = "a text long enough to become an item of its own"


def items(log: int, first: int, count: int) -> dict:
    return {TAG: ["items", log, first, count]}


def bodies(memory: ThreadMemory) -> list:
    new = memory.ledger.take_new()
    return new["bodies"] if new else []


class Items(unittest.TestCase):
    def test_two_thousand_known_elements_are_one_range_and_take_no_time(self):
        memory = ThreadMemory(1, 0)
        elements = [{"i": i, "text": "x" * 400} for i in range(2000)]
        encode(elements, "x", memory, "store")
        bodies(memory)
        started = time.perf_counter()
        encoded = encode(list(elements), "x", memory, "store")
        self.assertLess(time.perf_counter() - started, 0.02)
        self.assertEqual(encoded, [items(1, 0, 2000)])
        self.assertEqual(bodies(memory), [])

    def test_an_element_that_a_node_returned_is_encoded_again_whatever_was_known_of_it(self):
        memory = ThreadMemory(1, 0)
        element = {"text": "before"}
        encode([element], "x", memory, "store")
        element["text"] = "after"
        encode([element], "x", memory, "write")
        self.assertEqual(encode([element], "x", memory, "store"), [items(1, 1, 1)])
        self.assertEqual(bodies(memory), [{"text": "before"}, {"text": "after"}])

    def test_an_element_returned_deep_inside_a_write_is_no_longer_known(self):
        memory = ThreadMemory(1, 0)
        element = [1, 2]
        encode([element], "x", memory, "store")
        element.append(3)
        encode({"a": {"b": {1: element}}}, "x", memory, "write")
        self.assertEqual(encode([element], "x", memory, "store"), [items(1, 1, 1)])

    def test_an_equal_element_is_the_same_item(self):
        memory = ThreadMemory(1, 0)
        self.assertEqual(
            encode([{"a": 1}, {"a": 1}, {"a": True}], "x", memory, "store"), [items(1, 0, 1), items(1, 0, 2)]
        )
        self.assertEqual(bodies(memory), [{"a": 1}, {"a": True}])

    def test_an_element_that_differs_from_an_equal_one_in_its_types_only_is_another_item(self):
        memory = ThreadMemory(1, 0)
        encode([[1], [1.0], [True], (1,), {1}, frozenset([1])], "x", memory, "store")
        self.assertEqual(len(bodies(memory)), 6)

    def test_numbers_and_short_texts_stay_in_the_list(self):
        memory = ThreadMemory(1, 0)
        values = [1, 2.0, 2**70, None, True, "short", LONG, LONG]
        encoded = encode(values, "x", memory, "store")
        self.assertEqual(len(encoded), 8)
        self.assertEqual(encoded[6:], [items(1, 0, 1), items(1, 0, 1)])

    def test_an_item_never_refers_to_items(self):
        memory = ThreadMemory(1, 0)
        value = [[LONG], {"a": [LONG, (LONG,)]}, (LONG, [LONG])]
        encode({"deep": [value, value], "tuple": (value,)}, "x", memory, "store")
        self.assertNotIn('"items"', json.dumps(bodies(memory)))

    def test_a_tuple_is_itemized_as_a_list_is(self):
        memory = ThreadMemory(1, 0)
        encoded = encode(({"a": 1}, {"a": 2}), "x", memory, "store")
        self.assertEqual(encoded, {TAG: ["tuple", [items(1, 0, 2)]]})
        decoder = Decoder(ThreadMemory(1, 2), [[1, 0, {"a": 1}], [1, 1, {"a": 2}]])
        self.assertEqual(decoder.decode(encoded), ({"a": 1}, {"a": 2}))

    def test_a_value_has_one_form_in_every_process(self):
        words = {f"word {number}" for number in range(50)}
        self.assertEqual(encode(words, "x"), {TAG: ["set", sorted(words)]})
        # What JavaScript's JSON.stringify makes of these numbers.
        for value, printed in (
            (1.0, "1"),
            (1e20, "100000000000000000000"),
            (1.2345678901234567e20, "123456789012345670000"),
        ):
            self.assertEqual(json.dumps(encode(value, "x")[TAG]), f'["float", {printed}]')

    def test_what_was_loaded_is_known_and_refers_to_its_log(self):
        memory = ThreadMemory(2, 5)
        decoder = Decoder(memory, [[1, 0, {"a": 1}], [1, 1, LONG], [2, 4, {"b": 2.5}]])
        loaded = decoder.decode([items(1, 0, 2), items(2, 4, 1), 7])
        self.assertEqual(loaded, [{"a": 1}, LONG, {"b": 2.5}, 7])
        grown = [*loaded, {"c": 3}, {"a": 1}]
        self.assertEqual(
            encode(grown, "x", memory, "store"),
            [items(1, 0, 2), items(2, 4, 1), 7, items(2, 5, 1), items(1, 0, 1)],
        )
        self.assertEqual(memory.ledger.take_new(), {"first": 5, "bodies": [{"c": 3}]})

    def test_a_missing_item_is_an_error_that_names_it(self):
        with self.assertRaisesRegex(ValueError, "item 3 of log 1, which is missing"):
            Decoder(ThreadMemory(1, 9), []).decode([items(1, 3, 1)])

    def test_a_small_value_out_of_an_item_is_no_item_wherever_else_it_stands(self):
        memory = ThreadMemory(1, 2)
        decoder = Decoder(memory, [[1, 0, {TAG: ["undefined"]}], [1, 1, {TAG: ["enum", "Gone", "red"]}]])
        nothing, red = decoder.decode([items(1, 0, 2)])
        self.assertEqual(encode([nothing, red, None], "x", memory, "store"), [None, "red", None])

    def test_memory_holds_one_object_for_an_item(self):
        memory = ThreadMemory(1, 3)
        page = [[1, number, {"i": number}] for number in range(3)]
        first = Decoder(memory, page).decode([items(1, 0, 3)])
        for _ in range(5):
            Decoder(memory, page).decode([items(1, 0, 3)])
        self.assertEqual(len(memory.places), 3)
        self.assertTrue(all(id(element) in memory.places for element in first))
        for _ in range(5):
            encode([{"i": number} for number in range(3)], "x", memory, "store")
        self.assertEqual(len(memory.places), 3)

    def test_plain_data_a_reducer_makes_a_message_of_stays_in_the_list_until_it_is_one(self):
        memory = ThreadMemory(1, 0)
        for unfinished in ({"role": "user", "content": LONG}, ("user", LONG), ["user", LONG]):
            for mode in ("input", "write"):
                encoded = encode([unfinished], "x", memory, mode)
                self.assertNotIn('"items"', json.dumps(encoded))
        self.assertEqual(bodies(memory), [])

    def test_inline_refers_to_no_items(self):
        memory = ThreadMemory(1, 0)
        value = [{"a": [LONG]}]
        encode(value, "x", memory, "store")
        self.assertEqual(encode(value, "x", memory), value)
        self.assertEqual(encode(value, "x"), value)

    def test_any_course_of_changes_reads_back_as_what_was_put(self):
        generator = random.Random(11)
        for _ in range(60):
            stored: dict[tuple[int, int], Any] = {}
            memory = ThreadMemory(1, 0)
            channel: Any = []
            for _ in range(30):
                channel = changed(generator, channel)
                body = encode({"channel": channel}, "x", memory, "store")
                new = memory.ledger.take_new()
                if new:
                    for number, item in enumerate(new["bodies"], new["first"]):
                        self.assertNotIn((1, number), stored)
                        stored[1, number] = json.loads(json.dumps(item))
                if generator.random() < 0.2:
                    # Another process goes on with it.
                    memory = ThreadMemory(1, memory.ledger.next)
                decoder = Decoder(memory, [[*place, item] for place, item in stored.items()])
                back = decoder.decode(json.loads(json.dumps(body)))["channel"]
                self.assertEqual(repr(back), repr(channel))
                if generator.random() < 0.5:
                    channel = back


def changed(generator: random.Random, channel: Any) -> Any:
    """A new list or tuple, its elements the same objects except for what is new."""
    elements = list(channel)
    made = generator.choice(
        (
            {"n": generator.randrange(9)},
            LONG + str(generator.randrange(9)),
            codec_table.Point(1, ["a"]),
            [1.0],
            5,
        )
    )
    what = generator.randrange(4)
    if what == 0 or not elements:
        elements.append(made)
    elif what == 1:
        elements[generator.randrange(len(elements))] = made
    elif what == 2:
        elements.insert(generator.randrange(len(elements)), made)
    else:
        del elements[: generator.randrange(3)]
    return tuple(elements) if generator.random() < 0.2 else elements


class Ledger(unittest.TestCase):
    def test_neighbouring_items_are_one_range_and_nothing_but_a_neighbour_joins_it(self):
        builder = ListBuilder()
        for place in ((1, 0), (1, 1), (2, 2), (2, 3), (2, 5), (2, 4)):
            builder.add_item(place)
        builder.add_inline("between")
        builder.add_item((2, 5))
        self.assertEqual(
            builder.finish(),
            [items(1, 0, 2), items(2, 2, 2), items(2, 5, 1), items(2, 4, 1), "between", items(2, 5, 1)],
        )

    def test_numbers_go_on_without_a_gap_and_are_handed_out_once(self):
        ledger = ItemLedger(3, 7)
        self.assertEqual(ledger.place({"a": 1}), (3, 7))
        self.assertEqual(ledger.place("x" * 23), None)
        self.assertEqual(ledger.place("x" * 24), (3, 8))
        self.assertEqual(ledger.place({"a": 1}), (3, 7))
        self.assertEqual(ledger.take_new(), {"first": 7, "bodies": [{"a": 1}, "x" * 24]})
        self.assertEqual(ledger.take_new(), None)
        self.assertEqual(ledger.place([]), (3, 9))
        self.assertEqual(ledger.take_new(), {"first": 9, "bodies": [[]]})
        self.assertEqual(ledger.next, 10)
        self.assertEqual(ledger.characters, len('{"a":1}') + 26 + 2)

    def test_text_that_is_no_valid_unicode_has_its_place(self):
        ledger = ItemLedger(1, 0)
        ledger.remember((1, 0), "\ud800" * 100)
        self.assertEqual(ledger.place("\ud800" * 100), (1, 0))


if __name__ == "__main__":
    unittest.main()

"""What a LangGraph entrypoint may name."""

from __future__ import annotations

import asyncio
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "runners/python"), str(ROOT / "test/projects/python-langgraph")]

import entries
from crewship_runner.errors import CodedError, describe_error
from crewship_runner.langgraph_load import to_graph
from echo import graph


def load(value: object):
    return asyncio.run(to_graph(value, "agent:graph"))


class Entries(unittest.TestCase):
    def test_a_compiled_graph_is_taken_as_it_is(self):
        self.assertIs(load(graph)[0], graph)

    def test_a_builder_and_functions_that_make_a_graph_are_taken(self):
        for value in (
            entries.builder,
            entries.make,
            entries.make_builder,
            entries.make_later,
            entries.make_open,
        ):
            self.assertEqual(type(load(value)[0]), type(graph), value)

    def test_a_config_bound_to_the_graph_stays(self):
        found, config = load(entries.bound)
        bound = getattr(found, "config", None) or config
        self.assertEqual((bound["tags"], bound["recursion_limit"]), (["bound"], 7))

    def test_a_function_that_fails_says_so_with_its_frames(self):
        with self.assertRaises(CodedError) as raised:
            load(entries.fails)
        described = describe_error(raised.exception)
        self.assertEqual(described["code"], "load_failed")
        self.assertIn(
            'Calling the entrypoint "agent:graph" failed: RuntimeError: no database', described["message"]
        )
        self.assertIn("entries.py", described["traceback"])

    def test_anything_else_is_refused_with_what_to_name(self):
        for value in (entries.not_a_graph, {"nodes": []}, 3):
            with self.assertRaises(CodedError) as raised:
                load(value)
            self.assertRegex(
                str(raised.exception),
                'The entrypoint "agent:graph" is not a LangGraph graph but a (dict|int)',
            )
            self.assertIn(".compile()", str(raised.exception))


if __name__ == "__main__":
    unittest.main()

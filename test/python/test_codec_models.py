"""Pydantic models, LangChain messages and LangGraph's own values come back as pickle would bring them back. Each part
runs where its library is installed."""

from __future__ import annotations

import json
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "runners/python")]

import codec_table
from codec_table import importable
from crewship_runner.encode import EncodingError, encode
from crewship_runner.json_types import TAG
from crewship_runner.memory import ThreadMemory
from test_codec_values import decode, round_trip

PYDANTIC = importable("pydantic") and importable("pydantic.v1")
LANGCHAIN = importable("langchain_core.messages")
LANGGRAPH = importable("langgraph.types")

if PYDANTIC:
    from typing import Generic, TypeVar

    import pydantic
    import pydantic.v1

    T = TypeVar("T")

    class Guarded(pydantic.BaseModel):
        """What it validates once must not be validated again."""

        even: int
        held: Any = None
        _log: list[str] = pydantic.PrivateAttr(default_factory=list)
        _tool: Any = pydantic.PrivateAttr(default=None)
        made: int = 0

        @pydantic.field_validator("even")
        @classmethod
        def _check(cls, value: int) -> int:
            if value % 2:
                raise ValueError("odd")
            return value

        def model_post_init(self, context: Any, /) -> None:
            self.made += 1

    class Box(pydantic.BaseModel, Generic[T]):
        content: T

    class Old(pydantic.v1.BaseModel):
        a: int
        b: list = []
        _hidden: int = pydantic.v1.PrivateAttr(1)

        class Config:
            extra = "allow"


@unittest.skipUnless(PYDANTIC, "pydantic is not installed")
class Pydantic(unittest.TestCase):
    def test_a_model_comes_back_without_its_validators_and_with_everything_it_held(self):
        value = Guarded(even=2)
        value.even = 3
        value._log.append("seen")
        back = round_trip([value])[0]
        self.assertEqual(back, value)
        self.assertEqual((back.even, back.made, back._log), (3, 1, ["seen"]))
        self.assertEqual(back.model_fields_set, value.model_fields_set)
        back.even = 4
        self.assertEqual(back.model_dump(exclude_unset=True), {"even": 4, "made": 1})

    def test_a_private_attribute_that_is_no_data_is_its_default_again(self):
        value = Guarded(even=2)
        value._tool = len
        back = round_trip(value)
        self.assertEqual(back._tool, None)

    def test_a_field_that_is_no_data_is_refused(self):
        with self.assertRaisesRegex(EncodingError, r"its \[0\]\.held is a builtin_function"):
            encode([Guarded(even=2, held=len)], "x")

    def test_a_model_that_holds_itself_is_refused(self):
        value = Guarded(even=2)
        value.held = value
        with self.assertRaisesRegex(EncodingError, r"its \[0\]\.held contains itself"):
            encode([value], "x")

    def test_a_field_its_class_lost_is_dropped_and_a_new_one_has_its_default(self):
        back = decode({TAG: ["model", "Person", {"name": "a", "gone": 1}, "codec_table:Person"]})
        self.assertEqual(back, codec_table.Person(name="a"))

    def test_a_generic_model_comes_back_as_an_equal_one(self):
        self.assertEqual(round_trip(Box[int](content=1)), Box[int](content=1))

    def test_models_of_pydantic_1_come_back(self):
        value = Old(a=1, c=(2,))
        value._hidden = 5
        back = round_trip(value)
        self.assertIs(type(back), Old)
        self.assertEqual(back, value)
        self.assertEqual((back._hidden, back.c, back.__fields_set__), (5, (2,), {"a", "c"}))

    def test_each_model_gets_its_own_defaults(self):
        tag = {TAG: ["model", "Person", {"name": "a"}, "codec_table:Person"]}
        one, two = decode(tag), decode(tag)
        self.assertIsNot(one.friends, two.friends)


@unittest.skipUnless(LANGCHAIN, "langchain-core is not installed")
class Messages(unittest.TestCase):
    def test_empty_fields_are_left_out_and_have_their_defaults_again(self):
        from langchain_core.messages import AIMessage

        message = AIMessage("hi", id="1")
        self.assertEqual(encode(message, "x"), {TAG: ["message", "AIMessage", {"content": "hi", "id": "1"}]})
        one, two = round_trip([message]), round_trip([message])
        self.assertEqual(one, [message])
        self.assertEqual((one[0].tool_calls, one[0].type, one[0].usage_metadata), ([], "ai", None))
        self.assertIsNot(one[0].tool_calls, two[0].tool_calls)

    def test_tool_calls_are_not_parsed_a_second_time(self):
        from langchain_core.messages import AIMessage

        raw = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        message = AIMessage("", additional_kwargs={"tool_calls": [raw]})
        message.tool_calls = []
        self.assertEqual(round_trip(message).tool_calls, [])

    def test_a_message_is_known_by_its_identity(self):
        from langchain_core.messages import HumanMessage

        memory = ThreadMemory(1, 0)
        messages = [HumanMessage("hi " * 20, id=str(i)) for i in range(3)]
        encode(messages, "x", memory, "store")
        memory.ledger.take_new()
        messages[1].content = "changed where nobody looks"
        self.assertEqual(encode(messages, "x", memory, "store"), [{TAG: ["items", 1, 0, 3]}])
        encode([messages[1]], "x", memory, "write")
        self.assertEqual(memory.ledger.take_new()["first"], 3)

    def test_a_message_without_an_id_becomes_an_item_when_it_has_one(self):
        from langchain_core.messages import HumanMessage

        memory = ThreadMemory(1, 0)
        message = HumanMessage("hi " * 20)
        for mode in ("input", "write"):
            self.assertNotIn('"items"', json.dumps(encode([message], "x", memory, mode)))
        message.id = "1"
        self.assertEqual(encode([message], "x", memory, "store"), [{TAG: ["items", 1, 0, 1]}])

    def test_what_removes_messages_takes_no_number_between_theirs(self):
        from langchain_core.messages import HumanMessage, RemoveMessage

        memory = ThreadMemory(1, 0)
        messages = [HumanMessage("hi " * 20, id=str(i)) for i in range(3)]
        encode(messages[:2], "x", memory, "store")
        encode([RemoveMessage(id="0")], "x", memory, "write")
        self.assertEqual(encode(messages[1:], "x", memory, "store"), [{TAG: ["items", 1, 1, 2]}])

    def test_a_message_class_of_the_users_own_that_is_gone_is_langchains(self):
        from langchain_core.messages import AIMessage

        back = decode({TAG: ["message", "AIMessage", {"content": "x"}, "codec_table:Gone"]})
        self.assertEqual(back, AIMessage("x"))

    def test_what_a_javascript_agent_said_can_be_answered(self):
        from langchain_core.messages import ToolMessage

        back = decode(
            {TAG: ["message", "ToolMessage", {"content": "42", "tool_call_id": "c", "metadata": {"a": 1}}]}
        )
        self.assertIsInstance(back, ToolMessage)
        self.assertEqual((back.status, back.artifact, back.metadata), ("success", None, {"a": 1}))


@unittest.skipUnless(LANGGRAPH, "langgraph is not installed")
class LangGraph(unittest.TestCase):
    def test_a_pushed_task_stays_in_its_list_and_its_own_lists_refer_to_items(self):
        from langgraph.types import Send

        memory = ThreadMemory(1, 0)
        conversation = [{"text": "x" * 40, "i": i} for i in range(3)]
        encode(conversation, "x", memory, "store")
        sends = [Send("node", {"messages": conversation}), Send("node", {"messages": conversation[1:]})]
        encoded = encode(sends, "x", memory, "store")
        self.assertEqual(
            encoded,
            [
                {TAG: ["send", "node", {"messages": [{TAG: ["items", 1, 0, 3]}]}]},
                {TAG: ["send", "node", {"messages": [{TAG: ["items", 1, 1, 2]}]}]},
            ],
        )
        self.assertEqual(round_trip(sends), sends)

    def test_a_question_keeps_its_id_and_its_value(self):
        from langgraph.types import Interrupt

        asked = Interrupt({"why": ("a",)}, id="q")
        self.assertEqual(round_trip((asked,)), (asked,))
        typed = (
            Interrupt("how many?", id="q", response_schema=int)
            if "response_schema" in vars(Interrupt)
            else asked
        )
        self.assertEqual(round_trip(typed).id, "q")

    def test_a_snapshot_of_a_channel_of_changes_comes_back(self):
        try:
            from langgraph.checkpoint.serde.types import _DeltaSnapshot
        except ImportError:
            self.skipTest("this LangGraph has no such channels")
        memory = ThreadMemory(1, 0)
        snapshot = _DeltaSnapshot([{"text": "x" * 40}])
        encoded = encode(snapshot, "x", memory, "store")
        self.assertEqual(
            encoded,
            {
                TAG: [
                    "constructor",
                    ["langgraph_checkpoint", "DeltaSnapshot"],
                    {"value": [{TAG: ["items", 1, 0, 1]}]},
                ]
            },
        )
        back = round_trip(snapshot)
        self.assertIs(type(back), _DeltaSnapshot)
        self.assertEqual(back, snapshot)

    def test_what_only_langgraphs_serializer_takes_is_opaque_and_comes_back(self):
        from langgraph.checkpoint.serde import jsonplus  # noqa: F401
        from pydantic import SecretStr

        encoded = encode([SecretStr("s")], "x")
        self.assertEqual(encoded[0][TAG][:3], ["opaque", "pydantic.types.SecretStr", "msgpack"])
        self.assertEqual(round_trip([SecretStr("s")]), [SecretStr("s")])


@unittest.skipUnless(importable("numpy"), "numpy is not installed")
class Numpy(unittest.TestCase):
    def test_arrays_come_back_with_their_type_and_shape(self):
        import numpy

        array = numpy.arange(6, dtype="int16").reshape(2, 3)
        encoded = encode(array, "x")
        self.assertEqual(encoded[TAG][:3], ["opaque", "numpy.ndarray", "npy"])
        back = round_trip({"a": array})["a"]
        self.assertEqual((back.dtype, back.shape), (array.dtype, array.shape))
        self.assertTrue((back == array).all())
        with self.assertRaisesRegex(EncodingError, "is a numpy.ndarray"):
            encode(numpy.array([object()]), "x")


class Start(unittest.TestCase):
    def test_nothing_of_the_users_is_imported_before_it_is_needed(self):
        code = (
            "import sys; from crewship_runner import encode, decode, memory; "
            "value = encode.encode({'a': [1.5, (1,), {2}]}, 'x'); "
            "decode.Decoder(memory.ThreadMemory(1, 0), []).decode(value); "
            "heavy = {'pydantic', 'langchain_core', 'langgraph', 'numpy', 'pathlib', 'zoneinfo', 'fractions'}; "
            "sys.exit(repr(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
        )
        runner = str(Path(__file__).parents[2] / "runners/python")
        done = subprocess.run(
            [sys.executable, "-S", "-c", f"import sys; sys.path.insert(0, {runner!r}); {code}"],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()

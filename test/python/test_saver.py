"""What our LangGraph checkpointer keeps, in which order, and what it gives back."""

from __future__ import annotations

import asyncio
import sys
import threading
import unittest
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [
    str(Path(__file__).parent),
    str(ROOT / "runners/python"),
    str(ROOT / "test/projects/python-langgraph"),
]

from crewship_runner.cancel import Cancel
from crewship_runner.encode import EncodingError
from crewship_runner.langgraph_host import open_graph
from crewship_runner.memory import ThreadMemory
from crewship_runner.output import changes
from crewship_runner.saver import CrewshipSaver
from crewship_runner.saver_state import SaverState
from crewship_runner.tuples import LiveTuple
from crewship_runner.warm import WarmStates
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.base import empty_checkpoint
from memory_store import MemoryLog, MemoryPipe

try:
    from langgraph.types import Send
except ImportError:
    from langgraph.constants import Send


class Thread:
    """A thread in memory, and the savers that open it."""

    def __init__(self, **given):
        self.log = MemoryLog(1)
        self.pipe = MemoryPipe(self.log)
        self.failures: list[BaseException] = []
        self.given = given
        self.saver = self.open()

    def open(self, **given) -> CrewshipSaver:
        def describe(_live):
            return {"keys": [], "next": [], "tasks": []}
            yield

        self.memory = ThreadMemory(1, len(self.log.items))
        defaults = {"thread_id": "t", "fresh": False, "durability": "sync", "deltas": False}
        self.state = SaverState(
            **{**defaults, **self.given, **given},
            memory=self.memory,
            store=self.pipe,
            describe=describe,
            failed=self.failures.append,
        )
        self.saver = CrewshipSaver(self.state)
        return self.saver

    def put(
        self, id: str, values: dict, versions: dict, new: dict | None = None, parent="", namespace="", **about
    ):
        checkpoint = {**empty_checkpoint(), "id": id, "channel_values": values, "channel_versions": versions}
        checkpoint.update(about.pop("checkpoint", {}))
        config = address(parent, namespace)
        metadata = {"source": "loop", "step": 1, **about}
        return self.saver.put(config, checkpoint, metadata, versions if new is None else new)


def address(checkpoint_id="", namespace="", thread="t") -> dict:
    configurable = {"thread_id": thread, "checkpoint_ns": namespace}
    return {
        "configurable": {**configurable, "checkpoint_id": checkpoint_id} if checkpoint_id else configurable
    }


def ids(found) -> list[str]:
    return [one.checkpoint["id"] for one in found]


class Reading(unittest.TestCase):
    def test_a_list_is_newest_first_by_id_with_before_limit_and_filter(self):
        thread = Thread()
        parent = ""
        for i in range(45):
            id = f"1-{i:03}"
            thread.put(id, {"a": i}, {"a": i + 1}, parent=parent, tens=i // 10, writes={"a": i})
            parent = id
        saver = thread.open()
        everything = ids(saver.list(address()))
        self.assertEqual(everything, [f"1-{i:03}" for i in reversed(range(45))])
        self.assertEqual(ids(saver.list(None, limit=2)), ["1-044", "1-043"])
        self.assertEqual(ids(saver.list(address(), limit=0)), [])
        self.assertEqual(ids(saver.list(address(), before=address("1-003"))), ["1-002", "1-001", "1-000"])
        self.assertEqual(ids(saver.list(address(), filter={"tens": 1}, limit=3)), ["1-019", "1-018", "1-017"])
        self.assertEqual(ids(saver.list(address("1-007"))), ["1-007"])

        async def listed():
            return [one.checkpoint["id"] async for one in saver.alist(address(), limit=21)]

        self.assertEqual(asyncio.run(listed()), everything[:21])
        self.assertNotIn("writes", next(iter(saver.list(address()))).metadata)

    def test_only_what_changed_is_stored_and_all_of_it_comes_back(self):
        thread = Thread()
        thread.put("1", {"a": "x", "b": ["y"]}, {"a": 1, "b": 1})
        thread.put("2", {"a": "z", "b": ["y"]}, {"a": 2, "b": 1}, {"a": 2}, parent="1")
        thread.put("3", {"b": ["y"]}, {"a": 3, "b": 1}, {"a": 3}, parent="2")
        self.assertEqual(
            [list(kept["sent"]["channels"]) for kept in thread.log.checkpoints], [["a", "b"], ["a"], []]
        )
        self.assertEqual(thread.log.checkpoints[2]["sent"]["removed"], ["a"])
        saver = thread.open()
        self.assertEqual(saver.get_tuple(address("2")).checkpoint["channel_values"], {"a": "z", "b": ["y"]})
        self.assertEqual(saver.get_tuple(address()).checkpoint["channel_values"], {"b": ["y"]})

    def test_an_update_that_names_no_new_versions_is_stored_all_the_same(self):
        thread = Thread()
        thread.put("1", {"a": "x"}, {"a": 1})
        thread.put("2", {"a": "y"}, {"a": 2}, {}, parent="1")
        self.assertEqual(thread.open().get_tuple(address()).checkpoint["channel_values"], {"a": "y"})

    def test_a_checkpoint_put_again_under_its_id_as_its_own_parent_replaces_itself(self):
        thread = Thread()
        for count in (1, 2, 3):
            thread.put("1", {"a": count}, {"a": count}, parent="1", namespace="inner")
        saver = thread.open()
        found = saver.get_tuple(address("1", "inner"))
        self.assertEqual((found.checkpoint["channel_values"], found.parent_config), ({"a": 3}, None))
        self.assertEqual(ids(saver.list(address(namespace="inner"))), ["1"])

    def test_what_is_given_back_may_be_changed(self):
        thread = Thread()
        thread.put("1", {"a": "x"}, {"a": 1}, checkpoint={"versions_seen": {"n": {"a": 1}}})
        for _ in range(2):
            found = thread.saver.get_tuple(address())
            self.assertEqual(found.checkpoint["versions_seen"], {"n": {"a": 1}})
            found.checkpoint["versions_seen"]["n"]["a"] = 2
            found.checkpoint["channel_values"].clear()

    def test_pushed_tasks_of_a_version_3_checkpoint_are_its_parents_writes(self):
        thread = Thread()
        thread.put("1", {}, {"a": 1}, checkpoint={"v": 3})
        thread.saver.put_writes(address("1"), [("a", 1), ("__pregel_tasks", Send("n", 2))], "task b", "~2")
        thread.saver.put_writes(address("1"), [("__pregel_tasks", Send("n", 1))], "task a", "~1")
        checkpoint = {"v": 3}
        thread.put("2", {}, {"a": 2}, parent="1", checkpoint=checkpoint)
        for kept in thread.log.checkpoints:
            kept["state"].pop("pending_sends", None)
        found = thread.open().get_tuple(address())
        self.assertEqual(found.checkpoint["pending_sends"], [Send("n", 1), Send("n", 2)])


class Writing(unittest.TestCase):
    def test_writes_come_back_in_the_order_of_task_path_task_and_index(self):
        thread = Thread()
        thread.put("1", {}, {})
        thread.saver.put_writes(address("1"), [("a", 1), ("b", 2)], "task 2", "~2")
        thread.saver.put_writes(address("1"), [("a", 3)], "task 3", "~1")
        thread.saver.put_writes(address("1"), [("a", 4)], "task 1")
        expected = [("task 1", "a", 4), ("task 3", "a", 3), ("task 2", "a", 1), ("task 2", "b", 2)]
        self.assertEqual(thread.saver.get_tuple(address()).pending_writes, expected)
        self.assertEqual(thread.open().get_tuple(address()).pending_writes, expected)

    def test_of_special_channels_the_newest_write_counts_and_of_others_the_first(self):
        thread = Thread()
        thread.put("1", {}, {})
        for said in ("one", "two"):
            thread.saver.put_writes(address("1"), [("a", said), ("__resume__", said)], "task")
        expected = [("task", "__resume__", "two"), ("task", "a", "one")]
        self.assertEqual(thread.saver.get_tuple(address()).pending_writes, expected)
        self.assertEqual(thread.open().get_tuple(address()).pending_writes, expected)

    def test_writes_may_come_before_their_checkpoint(self):
        thread = Thread()
        thread.saver.put_writes(address("1"), [("a", 1)], "task")
        thread.put("1", {}, {})
        self.assertEqual(thread.saver.get_tuple(address()).pending_writes, [("task", "a", 1)])
        self.assertEqual([sent["type"] for sent in thread.pipe.sent], ["writes", "checkpoint"])

    def test_values_are_encoded_when_they_are_handed_over(self):
        thread = Thread(durability="async")
        value = {"list": ["a text that is long enough to be an item"]}
        thread.put("1", {"a": value}, {"a": 1})
        value["list"].append("later")
        thread.saver.put_writes(address("1"), [("a", value)], "task")
        value["list"].append("latest")
        self.assertEqual(thread.pipe.sent, [], "the checkpoint waits for its report")
        thread.state.journal.report("", "1", lambda held: {"keys": ["a"], "next": [], "tasks": []})
        self.assertEqual([sent["type"] for sent in thread.pipe.sent], ["checkpoint", "writes"])
        found = thread.open().get_tuple(address())
        self.assertEqual(len(found.checkpoint["channel_values"]["a"]["list"]), 1)
        self.assertEqual(len(found.pending_writes[0][2]["list"]), 2)

    def test_a_message_changed_in_place_is_stored_as_it_became_once_a_node_returns_it(self):
        thread = Thread()
        messages = [HumanMessage("first message, long enough", id="1"), HumanMessage("second", id="2")]
        thread.put("1", {"messages": messages}, {"messages": 1})
        messages[0].content = "changed"
        thread.saver.put_writes(address("1"), [("messages", messages[:1])], "task")
        thread.put("2", {"messages": list(messages)}, {"messages": 2}, parent="1")
        stored = [
            found.checkpoint["channel_values"]["messages"][0].content
            for found in thread.open().list(address())
        ]
        self.assertEqual(stored, ["changed", "first message, long enough"])
        self.assertEqual(len(thread.log.items), 3)

    def test_what_cannot_be_stored_is_reported_at_once(self):
        thread = Thread()
        with self.assertRaises(EncodingError):
            thread.put("1", {"a": lambda: 1}, {"a": 1})
        self.assertEqual(len(thread.failures), 1)
        self.assertIn('channel "a"', str(thread.failures[0]))

    def test_another_threads_state_and_the_threads_own_end_are_refused(self):
        thread = Thread()
        config = address(thread="another")
        with self.assertRaisesRegex(ValueError, "keeps the thread of its run only"):
            thread.saver.put(config, empty_checkpoint(), {}, {})
        with self.assertRaisesRegex(ValueError, "keeps the thread of its run only"):
            thread.saver.put_writes(address("1", thread="another"), [("a", 1)], "task")
        with self.assertRaisesRegex(RuntimeError, "DELETE /v1/threads"):
            thread.saver.delete_thread("t")
        with self.assertRaisesRegex(RuntimeError, "DELETE /v1/threads"):
            asyncio.run(thread.saver.adelete_thread("t"))

    def test_many_threads_put_at_once_and_nothing_is_lost(self):
        thread = Thread()

        def work(name: str) -> None:
            for i in range(30):
                thread.put(
                    f"{i:02}", {"a": [f"{name} {i} and a text long enough"]}, {"a": i + 1}, namespace=name
                )
                thread.saver.put_writes(
                    address(f"{i:02}", name), [("a", [f"{name} {i} written, and long enough"])], "task"
                )

        workers = [threading.Thread(target=work, args=(f"n{i}",)) for i in range(6)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(30)
        self.assertEqual(len(thread.log.checkpoints), 180)
        self.assertEqual(len(thread.log.items), 360)


class Warm(unittest.TestCase):
    def start(self, head: str, next_item: int) -> dict:
        return {"log_id": 1, "head": {"checkpoint_id": head, "position": 1}, "next_item": next_item}

    def given(
        self, characters: int = 0, log: int = 1, max_bytes: int = 1000
    ) -> tuple[WarmStates, ThreadMemory]:
        warm, memory = WarmStates(max_bytes), ThreadMemory(log, 7)
        memory.root = LiveTuple("", {"id": "1"}, {}, None)
        memory.ledger.characters = characters
        warm.give(log, memory)
        return warm, memory

    def test_a_state_is_given_to_one_run_that_goes_on_from_its_head(self):
        warm, memory = self.given()
        self.assertIs(warm.take(self.start("1", 7)), memory)
        self.assertIsNone(warm.take(self.start("1", 7)))

    def test_a_state_that_something_was_committed_after_is_dropped(self):
        for head, next_item in (("2", 7), ("1", 8)):
            warm, _memory = self.given()
            self.assertIsNone(warm.take(self.start(head, next_item)))

    def test_the_longest_unused_leave_when_there_is_no_room(self):
        warm, _memory = self.given(characters=60)
        other = ThreadMemory(2, 7)
        other.root = LiveTuple("", {"id": "1"}, {}, None)
        other.ledger.characters = 80
        warm.give(2, other)
        self.assertIsNone(warm.take(self.start("1", 7)))
        self.assertIs(warm.take({**self.start("1", 7), "log_id": 2}), other)


class Output(unittest.TestCase):
    def test_a_list_shows_what_was_added_whatever_else_moved(self):
        def items(first: int, count: int) -> dict:
            return {"$crewship": ["items", 1, first, count]}

        cases = [
            ([items(0, 4)], [items(0, 6)], [items(4, 2)]),
            ([items(0, 4)], [items(2, 4)], [items(4, 2)]),
            (["a", items(0, 2)], ["a", items(0, 1), "b", items(9, 1)], ["b", items(9, 1)]),
            ([items(0, 3), "x"], [items(0, 2), "x", "x"], ["x"]),
            ([], [items(0, 2)], [items(0, 2)]),
            ([items(0, 2)], [], []),
            ([items(0, 2)], [items(0, 2), items(0, 1)], [items(0, 1)]),
        ]
        for before, after, added in cases:
            found = changes({"a": before}, {"a": after}, lambda _key: True)
            self.assertEqual(found, {"a": added}, (before, after))
        self.assertEqual(changes({"a": 1}, {"a": 1, "b": [2]}, lambda key: key == "b"), {"b": [2]})


class Sharing(unittest.TestCase):
    def test_runs_at_once_leave_the_shared_graph_as_it_is(self):
        import echo

        async def work():
            host = await open_graph(
                echo.graph,
                "echo:graph",
                1 << 20,
                {"index": None, "default_ttl": None, "refresh_on_read": True},
                None,
            )
            before = dict(vars(echo.graph))
            logs = [MemoryLog(i) for i in range(1, 6)]

            def start(log: MemoryLog) -> dict:
                message = {"role": "user", "content": f"in {log.id}"}
                return {
                    "run_id": f"run_{log.id}",
                    "thread_id": f"t{log.id}",
                    "log_id": log.id,
                    "next_item": 0,
                    "head": None,
                    "checkpoint_id": None,
                    "attempt": 1,
                    "initial_values": None,
                    "input": {"messages": [message]},
                    "command": None,
                    "config": None,
                    "interrupt_before": None,
                    "interrupt_after": None,
                    "stream_tokens": True,
                }

            runs = [host.run(start(log), MemoryPipe(log), Cancel()) for log in logs]
            for done in await asyncio.wait_for(asyncio.gather(*runs), 20):
                self.assertEqual(done["outcome"], "succeeded")
            self.assertEqual(before, dict(vars(echo.graph)))
            for log in logs:
                said = [message["content"] for message in log.values()["messages"]]
                self.assertEqual(said, [f"in {log.id}", f"echo 1: in {log.id}"])

        asyncio.run(work())


if __name__ == "__main__":
    unittest.main()

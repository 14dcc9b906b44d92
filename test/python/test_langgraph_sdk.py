"""LangGraph's own client for Python, and RemoteGraph, against a server that runs: its address and key are in the
environment, its deployment is the graph of test/projects/clients-*."""

import os
import unittest
import uuid
from typing import Any

from langgraph.pregel.remote import RemoteGraph
from langgraph.types import Command
from langgraph_sdk import get_client, get_sync_client
from langgraph_sdk.errors import ConflictError, NotFoundError

URL, KEY = os.environ["CREWSHIP_URL"], os.environ["CREWSHIP_API_KEY"]
SYSTEM_ASSISTANT = "fe096781-5601-53d2-b2f6-0d3403f7e9ca"


def user(content: str) -> list[dict]:
    return [{"role": "user", "content": content}]


def of(parts: list, event: str) -> list[Any]:
    return [part.data for part in parts if part.event == event]


class TestClient(unittest.IsolatedAsyncioTestCase):
    def setUp(self) -> None:
        self.client = get_client(url=URL, api_key=KEY)

    async def parts_of(self, thread_id: str | None, **options: Any) -> list:
        return [part async for part in self.client.runs.stream(thread_id, "agent", **options)]

    async def test_assistants_are_searched_made_changed_and_deleted(self) -> None:
        assistants = self.client.assistants
        own = await assistants.get("agent")
        self.assertEqual(own["assistant_id"], SYSTEM_ASSISTANT)
        self.assertIn(own, await assistants.search(graph_id="agent", limit=100))
        made = await assistants.create("agent", config={"configurable": {"tone": "kind"}}, name="One")
        assistant_id = made["assistant_id"]
        values = await self.client.runs.wait(None, assistant_id, input={"do": "settings"})
        self.assertEqual(values["log"], [f"kind {assistant_id}"])
        changed = await assistants.update(assistant_id, metadata={"a": 1})
        self.assertEqual((changed["version"], changed["name"]), (2, "One"))
        self.assertEqual(
            [version["version"] for version in await assistants.get_versions(assistant_id)], [2, 1]
        )
        self.assertEqual((await assistants.set_latest(assistant_id, 1))["version"], 1)
        with self.assertRaises(ConflictError):
            await assistants.create("agent", assistant_id=assistant_id)
        self.assertEqual(await assistants.count(name="one"), 1)
        await assistants.delete(assistant_id)
        with self.assertRaises(NotFoundError):
            await assistants.get(assistant_id)

    async def test_threads_live_through_all_their_methods(self) -> None:
        threads, mark = self.client.threads, str(uuid.uuid4())
        thread = await threads.create(metadata={"mark": mark}, ttl=30)
        thread_id = thread["thread_id"]
        self.assertEqual((await threads.get(thread_id))["status"], "idle")
        with self.assertRaises(ConflictError):
            await threads.create(thread_id=thread_id)
        await threads.update(thread_id, metadata={"more": True})
        await self.client.runs.wait(thread_id, "agent", input={"do": "chat", "messages": user("hello")})
        [found] = await threads.search(metadata={"mark": mark, "more": True})
        self.assertEqual(found["values"]["messages"][-1]["content"], "you said hello")
        self.assertEqual(await threads.count(metadata={"mark": mark}), 1)
        answer = await threads.update_state(thread_id, {"log": ["by hand"]}, as_node="chat")
        state = await threads.get_state(thread_id)
        self.assertEqual(state["checkpoint"]["checkpoint_id"], answer["checkpoint"]["checkpoint_id"])
        self.assertEqual(state["values"]["log"], ["by hand"])
        history = await threads.get_history(thread_id, limit=100)
        self.assertEqual(history[0]["checkpoint"], state["checkpoint"])
        earlier = await threads.get_state(thread_id, checkpoint_id=history[1]["checkpoint"]["checkpoint_id"])
        self.assertEqual(earlier["values"], history[1]["values"])
        copy = await threads.copy(thread_id)
        copied = await threads.get_history(copy["thread_id"], limit=100)
        self.assertEqual(
            [one["checkpoint"]["checkpoint_id"] for one in copied],
            [one["checkpoint"]["checkpoint_id"] for one in history],
        )
        await threads.delete(thread_id)
        with self.assertRaises(NotFoundError):
            await threads.get(thread_id)

    async def test_every_stream_mode_tells_what_it_is_for(self) -> None:
        thread = await self.client.threads.create()
        modes = ["values", "updates", "messages-tuple", "tasks", "checkpoints", "debug", "custom"]
        parts = await self.parts_of(
            thread["thread_id"], input={"do": "chat", "messages": user("hi there")}, stream_mode=modes
        )
        self.assertEqual(parts[0].event, "metadata")
        self.assertEqual([len(values["messages"]) for values in of(parts, "values")], [1, 2])
        pieces = of(parts, "messages")
        self.assertEqual("".join(message["content"] for message, _about in pieces), "you said hi there")
        self.assertEqual({about["langgraph_node"] for _message, about in pieces}, {"chat"})
        [update] = of(parts, "updates")
        self.assertEqual(update["chat"]["messages"][0]["content"], "you said hi there")
        self.assertEqual([task["name"] for task in of(parts, "tasks")], ["chat", "chat"])
        self.assertEqual([one["metadata"]["step"] for one in of(parts, "checkpoints")], [-1, 0, 1])
        self.assertEqual(len(of(parts, "debug")), 5)
        grown = await self.parts_of(
            None, input={"do": "chat", "messages": user("hi there")}, stream_mode=["messages", "events"]
        )
        self.assertEqual(of(grown, "messages/partial")[-1][0]["content"], "you said hi there")
        self.assertIn("on_chat_model_stream", [event["event"] for event in of(grown, "events")])

    async def test_subgraphs_tools_and_sends_are_told(self) -> None:
        parts = await self.parts_of(
            None, input={"do": "inner", "count": 1}, stream_mode=["updates", "custom"], stream_subgraphs=True
        )
        self.assertTrue(any(part.event.startswith("updates|inner:") for part in parts))
        self.assertTrue(any(part.event.startswith("custom|inner:") for part in parts))
        tool = await self.client.runs.wait(None, "agent", input={"do": "tool"})
        self.assertEqual(tool["messages"][-1]["content"], "42")
        sent = await self.client.runs.wait(None, "agent", input={"do": "send"})
        self.assertEqual(sent["log"], ["part 1", "part 2", "part 3"])

    async def test_a_question_is_answered_and_an_error_is_raised(self) -> None:
        thread_id = (await self.client.threads.create())["thread_id"]
        asked = await self.client.runs.wait(thread_id, "agent", input={"do": "ask"})
        self.assertEqual(asked["__interrupt__"][0]["value"], "which one?")
        self.assertEqual((await self.client.threads.get(thread_id))["status"], "interrupted")
        done = await self.client.runs.wait(thread_id, "agent", command={"resume": "this"})
        self.assertEqual(done["log"], ["answer: this"])
        failed = await self.client.runs.wait(None, "agent", input={"do": "fail"}, raise_error=False)
        self.assertIn("too far", failed["__error__"]["message"])
        with self.assertRaises(Exception) as raised:
            await self.client.runs.wait(None, "agent", input={"do": "fail"})
        self.assertIn("too far", str(raised.exception))

    async def test_runs_are_started_joined_canceled_and_deleted(self) -> None:
        runs = self.client.runs
        thread_id = (await self.client.threads.create())["thread_id"]
        run = await runs.create(thread_id, "agent", input={"do": "steps", "count": 5}, stream_mode="custom")
        parts = [part async for part in runs.join_stream(thread_id, run["run_id"], last_event_id="-1")]
        self.assertEqual([step["step"] for step in of(parts, "custom")], [1, 2, 3, 4, 5])
        self.assertEqual((await runs.join(thread_id, run["run_id"]))["log"], ["5 steps"])
        waiting = await runs.create(thread_id, "agent", input={"do": "wait"})
        with self.assertRaises(ConflictError):
            await runs.create(thread_id, "agent", input={"do": "wait"}, multitask_strategy="reject")
        await runs.cancel(thread_id, waiting["run_id"], wait=True)
        self.assertEqual((await runs.get(thread_id, waiting["run_id"]))["status"], "interrupted")
        rolled = await runs.create(thread_id, "agent", input={"do": "wait"})
        await runs.cancel(thread_id, rolled["run_id"], wait=True, action="rollback")
        with self.assertRaises(NotFoundError):
            await runs.get(thread_id, rolled["run_id"])
        self.assertEqual(len(await runs.list(thread_id)), 2)
        await runs.delete(thread_id, run["run_id"])
        self.assertEqual(len(await runs.list(thread_id)), 1)
        batch = await runs.create_batch([{"assistant_id": "agent", "input": {"do": "steps", "count": 1}}] * 3)
        self.assertEqual(len({one["run_id"] for one in batch}), 3)

    def test_the_client_that_blocks_streams_as_well(self) -> None:
        client = get_sync_client(url=URL, api_key=KEY)
        thread_id = client.threads.create()["thread_id"]
        parts = list(
            client.runs.stream(thread_id, "agent", input={"do": "steps", "count": 3}, stream_mode="custom")
        )
        self.assertEqual([step["step"] for step in of(parts, "custom")], [1, 2, 3])


class TestRemoteGraph(unittest.IsolatedAsyncioTestCase):
    def setUp(self) -> None:
        self.graph = RemoteGraph("agent", url=URL, api_key=KEY)
        client = get_sync_client(url=URL, api_key=KEY)
        self.config: Any = {"configurable": {"thread_id": client.threads.create()["thread_id"]}}

    async def test_it_invokes_streams_and_updates_state(self) -> None:
        values = await self.graph.ainvoke({"do": "chat", "messages": user("hello")}, self.config)
        self.assertEqual(values["messages"][-1]["content"], "you said hello")
        chunks = [
            chunk
            async for chunk in self.graph.astream(
                {"do": "inner", "count": 1}, self.config, stream_mode=["updates", "values"], subgraphs=True
            )
        ]
        self.assertTrue(any(namespace and mode == "updates" for namespace, mode, _data in chunks))
        config = await self.graph.aupdate_state(self.config, {"log": ["by hand"]}, as_node="chat")
        self.assertIn("checkpoint_id", config["configurable"])
        state = await self.graph.aget_state(self.config)
        self.assertEqual(state.values["log"][-1], "by hand")
        history = [one async for one in self.graph.aget_state_history(self.config)]
        self.assertEqual(
            history[0].config["configurable"]["checkpoint_id"], state.config["configurable"]["checkpoint_id"]
        )

    async def test_it_stops_at_a_question_and_resumes(self) -> None:
        chunks = [
            chunk async for chunk in self.graph.astream({"do": "ask"}, self.config, stream_mode="updates")
        ]
        self.assertEqual(chunks[-1]["__interrupt__"][0]["value"], "which one?")
        state = await self.graph.aget_state(self.config)
        self.assertEqual(state.next, ("ask",))
        self.assertEqual(state.tasks[0].interrupts[0].value, "which one?")
        values = await self.graph.ainvoke(Command(resume="this"), self.config)
        self.assertEqual(values["log"], ["answer: this"])

    async def test_an_error_of_the_graph_is_raised_here(self) -> None:
        with self.assertRaises(Exception) as raised:
            await self.graph.ainvoke({"do": "fail"}, self.config)
        self.assertIn("too far", str(raised.exception))


if __name__ == "__main__":
    unittest.main()

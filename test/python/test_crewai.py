"""Crews and flows in one process, with a model of rules: what an entrypoint may name, and what runs share."""

from __future__ import annotations

import asyncio
import contextvars
import datetime
import json
import os
import sys
import tempfile
import threading
import unittest
import uuid
from pathlib import Path
from typing import Any, ClassVar

sys.path.insert(0, str(Path(__file__).parents[2] / "runners/python"))
os.environ["HOME"] = tempfile.mkdtemp()

from crewship_runner.crew_load import open_crewai, prepare_environment

prepare_environment()

from crewai import Agent, BaseLLM, Crew, Task
from crewai.flow.flow import Flow, listen, start
from crewai.flow.human_feedback import human_feedback
from crewai.project import CrewBase, agent, crew, task, utils
from crewship_runner.cancel import Cancel
from crewship_runner.crew_chat import Turn
from crewship_runner.crew_output import as_json
from crewship_runner.decode import unescape_tags
from crewship_runner.errors import CodedError
from crewship_runner.logs import current_run
from crewship_runner.pipe import RunPipe
from crewship_runner.threads import RunWork

CHAT = {"input_key": None, "output_key": None}


class Rules(BaseLLM):
    def call(self, messages: Any, *args: Any, **named: Any) -> str:
        asked = str(messages[-1]["content"]).split("Current Task: ")[-1].splitlines()[0]
        return f"Thought: I now can give a great answer\nFinal Answer: answer to {asked}"


def worker(role: str = "Worker") -> Agent:
    return Agent(role=role, goal="Work", backstory="You work.", llm=Rules(model="rules"))


def small_crew(**tasks: Any) -> Crew:
    one = worker()
    first = Task(name="first", description="do {what}", expected_output="x", agent=one, **tasks)
    return Crew(agents=[one], tasks=[first])


class SentLines:
    """In the place of the wire."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.messages: list[dict] = []

    def send(self, message: dict) -> None:
        self.send_text(json.dumps(message))

    def send_text(self, line: str) -> None:
        with self._lock:
            self.messages.append(json.loads(line))

    def events(self, *types: str) -> list[dict]:
        sent = [
            event for message in self.messages if message["type"] == "event" for event in message["events"]
        ]
        return [event for event in sent if event["type"] in types]

    def checkpoints(self) -> list[dict]:
        return [message for message in self.messages if message["type"] == "checkpoint"]


async def run(host: Any, input: Any, **given: Any) -> tuple[dict, SentLines]:
    sent = SentLines()
    message = {
        "run_id": "run_1",
        "thread_id": "thr_1",
        "log_id": 1,
        "next_item": 0,
        "head": None,
        "checkpoint_id": None,
        "initial_values": None,
        "input": input,
        "command": None,
        "stream_tokens": True,
        "artifacts": None,
        **given,
    }
    pipe = RunPipe(sent, message["run_id"], 1 << 30, asyncio.get_running_loop(), RunWork())  # type: ignore[arg-type]

    async def work() -> dict:
        current_run.set(pipe)
        done = await host.run(message, pipe, Cancel())
        pipe.flush()
        return done

    return await asyncio.create_task(work()), sent


def opened(value: Any, chat: dict = CHAT) -> Any:
    return asyncio.run(open_crewai(value, f"{__name__}:value", chat))


@CrewBase
class Built:
    agents_config: ClassVar[dict] = {}
    tasks_config: ClassVar[dict] = {}
    made = 0

    @agent
    def one(self) -> Agent:
        return worker()

    @task
    def first(self) -> Task:
        return Task(description="do {what}", expected_output="x", agent=self.one())

    @crew
    def crew(self) -> Crew:
        Built.made += 1
        return Crew(agents=self.agents, tasks=self.tasks)


class Count(Flow):
    @start()
    def begin(self):
        self.state["count"] = self.state.get("count", 0) + 1
        self.state.pop("drop", None)

    @listen(begin)
    def call(self):
        return small_crew().kickoff(inputs={"what": "it"})


class Ask(Flow):
    @start()
    @human_feedback(message="Well?")
    def begin(self):
        return {"shown": True}

    @listen(begin)
    def after(self, answer):
        return answer.feedback


class Entrypoints(unittest.TestCase):
    def test_name_a_class_a_crew_a_flow_or_a_function_that_makes_one(self):
        async def made() -> Crew:
            return small_crew()

        for value in (Built, small_crew(), small_crew, made):
            self.assertEqual(type(opened(value)).__name__, "CrewHost", value)
        for value in (Count, Count(), lambda: Count()):
            self.assertEqual(type(opened(value)).__name__, "FlowHost", value)

    def test_that_name_something_else_are_told_what_to_name(self):
        for value, reason in (
            ({}, "must name a @CrewBase class, a Crew, a Flow, or a function"),
            (Agent, "must name a @CrewBase class"),
            (lambda: small_crew().kickoff(inputs={"what": "it"}), "and not run it"),
            (lambda topic: small_crew(), "failed: TypeError.*topic"),
            (lambda: 1 / 0, "failed: ZeroDivisionError"),
        ):
            with self.assertRaisesRegex(CodedError, reason) as raised:
                opened(value)
            self.assertEqual(raised.exception.code, "load_failed")


class Crews(unittest.TestCase):
    def test_one_crew_may_be_executed_by_many_runs_at_once(self):
        host = opened(small_crew())

        async def all_of_them() -> list:
            return await asyncio.gather(*(run(host, {"what": what}) for what in ("a", "b", "c")))

        for what, (done, sent) in zip("abc", asyncio.run(all_of_them())):
            self.assertEqual(done["output"]["raw"], f"answer to do {what}", done)
            self.assertEqual([event["data"]["task"] for event in sent.events("task.completed")], ["first"])

    def test_a_class_is_made_anew_for_each_run_and_forgotten_after_it(self):
        host = opened(Built)
        made = Built.made
        for what in "ab":
            done, _ = asyncio.run(run(host, {"what": what}))
            self.assertEqual(done["output"]["raw"], f"answer to do {what}", done)
        self.assertEqual(Built.made, made + 2)
        self.assertEqual(utils.cache._cache, {})

    def test_tasks_that_run_at_the_same_time_leave_a_checkpoint_each(self):
        def parallel() -> Crew:
            workers = [worker("A"), worker("B"), worker("C")]
            tasks = [
                Task(name=role, description=role, expected_output="x", agent=own, async_execution=role != "c")
                for role, own in zip("abc", workers)
            ]
            return Crew(agents=workers, tasks=tasks)

        done, sent = asyncio.run(run(opened(parallel), {}))
        self.assertEqual(done["outcome"], "succeeded", done)
        self.assertEqual(
            sorted(event["data"]["task"] for event in sent.events("task.completed")), ["a", "b", "c"]
        )
        self.assertEqual([checkpoint["step"] for checkpoint in sent.checkpoints()], [0, 1, 2, 3])
        self.assertEqual([task["name"] for task in done["output"]["tasks_output"]], ["a", "b", "c"])

    def test_the_user_message_is_the_input_key_or_message_or_all_of_the_input(self):
        for given, key, question, kept in (
            ({"topic": "tea", "message": "m", "depth": 2}, "topic", "tea", {"message": "m", "depth": 2}),
            ({"message": "m", "depth": 2}, "topic", "m", {"depth": 2}),
            ({"what": "tea"}, None, '{"what": "tea"}', {"what": "tea"}),
            ({"message": {"parts": [1]}}, None, '{"parts": [1]}', {}),
        ):
            turn = Turn(given, {}, key)
            asked, answer = turn.after("said", "id", "run_1")
            self.assertEqual((asked["content"], asked["role"]), (question, "user"))
            self.assertEqual(answer, {"id": "id", "role": "assistant", "content": "said"})
            self.assertEqual(turn.kept(), kept)

    def test_a_run_without_input_adds_only_the_answer(self):
        self.assertEqual(
            [m["role"] for m in Turn(None, {}, None).after("said", "id", "run_1")], ["assistant"]
        )

    def test_history_and_messages_are_always_among_the_inputs(self):
        self.assertEqual(Turn({}, {}, None).inputs({}), {"messages": [], "history": ""})
        spoken = [{"role": "user", "content": "hi"}, {"type": "ai", "content": [{"text": "ho"}]}]
        inputs = Turn({"a": 1}, {"messages": spoken}, None).inputs({"messages": spoken, "a": 0, "b": 2})
        self.assertEqual(inputs["history"], 'User: hi\nAssistant: [{"text": "ho"}]')
        self.assertEqual((inputs["a"], inputs["b"]), (1, 2))

    def test_inputs_are_json_whatever_the_values_are(self):
        day, id = datetime.date(2026, 1, 2), uuid.UUID(int=1)
        live = {"day": day, "set": {1}, "id": id, "pair": (1, None), "deep": [{1: day}]}
        plain = {
            "day": "2026-01-02",
            "set": [1],
            "id": str(id),
            "pair": [1, None],
            "deep": [{"1": "2026-01-02"}],
        }
        self.assertEqual(as_json(live), plain)

    def test_a_file_that_leads_out_of_the_artifact_folder_by_a_link_is_refused(self):
        folder = Path(tempfile.mkdtemp()).resolve()
        (folder / "artifacts").mkdir()
        (folder / "artifacts/out").symlink_to(folder)
        host = opened(lambda: small_crew(output_file="{what}/x.md"))
        for what, outcome in (("out", "failed"), ("in", "succeeded")):
            done, _ = asyncio.run(run(host, {"what": what}, artifacts=str(folder / "artifacts")))
            self.assertEqual(done["outcome"], outcome, done)
        self.assertTrue((folder / "artifacts/in/x.md").exists())
        self.assertFalse((folder / "x.md").exists())


class Flows(unittest.TestCase):
    def test_a_dict_is_the_state_and_a_crew_in_it_shows_its_tasks(self):
        first = {"count": 4, "drop": 1, "id": "flow_1"}
        done, sent = asyncio.run(run(opened(Count), {"other": 1}, initial_values=first))
        self.assertEqual(done["outcome"], "succeeded", done)
        self.assertEqual(unescape_tags(done["output"])["raw"], "answer to do it")
        tasks = [
            (event["type"], event["data"]["task"]) for event in sent.events("task.started", "task.completed")
        ]
        self.assertEqual([name for kind, name in tasks if kind == "task.started"], ["begin", "call", "first"])
        channels = sent.checkpoints()[-1]["channels"]
        self.assertEqual(channels, {"count": 5, "other": 1, "id": "flow_1"})

    def test_a_flow_that_is_an_object_is_made_anew_for_each_run(self):
        host = opened(Count())
        for _ in range(2):
            _, sent = asyncio.run(run(host, {}))
            self.assertEqual(sent.checkpoints()[-1]["channels"]["count"], 1)

    def test_a_question_keeps_what_its_answer_needs(self):
        done, sent = asyncio.run(run(opened(lambda: Ask()), {}))
        self.assertEqual(done["outcome"], "interrupted", done)
        last = sent.checkpoints()[-1]
        self.assertEqual(last["shown"]["next"], ["begin"])
        self.assertEqual(last["state"]["pending"]["method_output"], {"shown": True})
        (writes,) = [message for message in sent.messages if message["type"] == "writes"]
        self.assertEqual(writes["checkpoint_id"], last["checkpoint_id"])
        self.assertEqual(writes["task_id"], last["state"]["question"])


class Context(unittest.TestCase):
    def test_code_outside_of_a_run_emits_nothing(self):
        done, sent = asyncio.run(run(opened(small_crew), {"what": "a"}))
        self.assertEqual(done["outcome"], "succeeded", done)
        before = len(sent.messages)
        contextvars.Context().run(lambda: small_crew().kickoff(inputs={"what": "b"}))
        self.assertEqual(len(sent.messages), before)


if __name__ == "__main__":
    unittest.main()

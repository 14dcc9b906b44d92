"""Our checkpointer under LangGraph's own conformance suite: over threads kept in memory, one saver for all of them."""

from __future__ import annotations

import asyncio
import sys
import unittest
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "runners/python")]

from crewship_runner.memory import ThreadMemory
from crewship_runner.saver import CrewshipSaver
from crewship_runner.saver_state import SaverState
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.conformance import checkpointer_test, validate
from memory_store import MemoryLog, MemoryPipe

# Of a whole database, which the agent inside one thread does not see: the server copies, deletes and prunes threads.
SERVER = {"copy_thread", "delete_for_runs", "prune"}


def nothing_said(_live):
    return {"keys": [], "next": [], "tasks": []}
    yield


def raise_nothing(_error):
    pass


class AllThreadsSaver(BaseCheckpointSaver):
    """Opens the thread anew for each call, so that nothing is answered from what the saver still remembers."""

    def __init__(self):
        super().__init__()
        self._logs: dict[str, MemoryLog] = {}

    def _open(self, config) -> CrewshipSaver:
        thread_id = config["configurable"]["thread_id"]
        log = self._logs.setdefault(thread_id, MemoryLog(len(self._logs) + 1))
        state = SaverState(
            thread_id=thread_id,
            memory=ThreadMemory(log.id, len(log.items)),
            store=MemoryPipe(log),
            describe=nothing_said,
            fresh=False,
            durability="sync",
            deltas=False,
            failed=raise_nothing,
        )
        return CrewshipSaver(state)

    def get_tuple(self, config):
        return self._open(config).get_tuple(config)

    async def aget_tuple(self, config):
        return await self._open(config).aget_tuple(config)

    async def alist(self, config, *, filter=None, before=None, limit=None):
        configurable = (config or {}).get("configurable") or {}
        threads = [configurable["thread_id"]] if "thread_id" in configurable else list(self._logs)
        for thread_id in threads:
            one = {"configurable": {**configurable, "thread_id": thread_id}}
            async for found in self._open(one).alist(one, filter=filter, before=before, limit=limit):
                limit = None if limit is None else limit - 1
                yield found

    async def aput(self, config, checkpoint, metadata, new_versions):
        return await self._open(config).aput(config, checkpoint, metadata, new_versions)

    async def aput_writes(self, config, writes, task_id, task_path=""):
        await self._open(config).aput_writes(config, writes, task_id, task_path)

    async def adelete_thread(self, thread_id):
        self._logs.pop(thread_id, None)


@checkpointer_test(name="CrewshipSaver", skip_capabilities=SERVER)
async def all_threads():
    yield AllThreadsSaver()


class Conformance(unittest.TestCase):
    def test_our_checkpointer_passes_langgraphs_own_suite(self):
        report = asyncio.run(asyncio.wait_for(validate(all_threads), 60))
        failures = [failure for result in report.results.values() for failure in result.failures or []]
        self.assertEqual(failures, [])
        for capability in ("put", "put_writes", "get_tuple", "list", "delete_thread"):
            self.assertTrue(report.results[capability].passed, capability)
        self.assertGreater(sum(result.tests_passed for result in report.results.values()), 50)


if __name__ == "__main__":
    unittest.main()

"""One agent process: it loads one version's agent and executes the runs the server sends. Everything it knows comes over
the pipe; it reads no settings of its own."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import queue
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from .artifacts import FIXED, artifacts_of, provide_artifacts
from .cancel import Cancel, RunCanceled
from .embedder import Embedder, open_embedder
from .errors import describe_error
from .function_host import FunctionHost
from .host import Host
from .load import load_entrypoint
from .logs import capture_output, current_run, end_lines
from .mounts import own_mounts
from .orphan import end_with_parent
from .pipe import RunPipe
from .resident import end_above, resident_mb
from .threads import RunExecutor, RunWork
from .waits import arun_steps
from .wire import Wire

ALIVE_INTERVAL_S = 1.0
# `[store]` in crewship.toml where it says nothing.
NO_STORE_SETTINGS = {"index": None, "default_ttl": None, "refresh_on_read": True}


@dataclass
class OpenRun:
    pipe: RunPipe
    cancel: Cancel = field(default_factory=Cancel)
    work: asyncio.Task[dict] | None = None
    # The event loop itself holds its tasks weakly.
    report: asyncio.Task[None] | None = None


class AgentProcess:
    def __init__(self, pipe: socket.socket, alone: bool) -> None:
        self._alone = alone
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(RunExecutor())
        self._wire = Wire(pipe, self._receive)
        self._loads: queue.SimpleQueue[dict] = queue.SimpleQueue()
        self._runs: dict[str, OpenRun] = {}
        self._max_unacknowledged = 0
        self._host: Host | None = None
        self._embedder: Embedder | None = None
        # The event loop itself holds its tasks weakly.
        self._embedding: set[asyncio.Task[None]] = set()
        self._description: asyncio.Task[None] | None = None

    def serve(self) -> None:
        """Returns never: the process ends with its pipe."""
        asyncio.set_event_loop(self._loop)
        self._wire.start()
        self._wire.send({"type": "ready"})
        message = self._loads.get()
        try:
            # In the main thread with no loop running, as a script's imports are.
            self._host = self._load(message)
        except BaseException as error:
            described = {"code": "load_failed", **describe_error(error)}
            self._wire.send({"type": "load_failed", "error": described})
        else:
            self._wire.send({"type": "loaded"})
        self._loop.call_soon(self._stay_alive)
        self._loop.run_forever()

    def _receive(self, message: dict) -> None:
        """In the reading thread: what ends a wait or a run may not itself wait for the event loop."""
        kind = message["type"]
        if kind == "load":
            self._max_unacknowledged = message["max_unacknowledged_bytes"]
            end_above(message["max_memory_mb"])
            self._loads.put(message)
        elif kind == "describe":
            self._loop.call_soon_threadsafe(self._begin_description)
        elif kind in ("run", "update"):
            run_id = message["run_id"]
            pipe = RunPipe(self._wire, run_id, self._max_unacknowledged, self._loop, RunWork())
            self._runs[run_id] = OpenRun(pipe)
            self._loop.call_soon_threadsafe(self._begin, message)
        elif kind == "embed":
            self._loop.call_soon_threadsafe(self._begin_embed, message)
        elif run := self._runs.get(message["run_id"]):
            if kind == "ack":
                run.pipe.acknowledge(message["n"])
            elif kind in ("reply", "stored"):
                run.pipe.reply(message)
            elif kind == "cancel":
                run.cancel.abort()
                run.pipe.release()
                run.pipe.work.cancel()
                self._loop.call_soon_threadsafe(_cancel_work, run)

    def _load(self, message: dict) -> Host:
        framework, entrypoint = message["framework"], message["entrypoint"]
        if framework == "crewai":
            from .crew_load import prepare_environment

            prepare_environment()
        value = load_entrypoint(message["directory"], entrypoint)
        settings = message.get("store") or NO_STORE_SETTINGS
        if settings["index"]:
            self._embedder = open_embedder(settings["index"])
        if framework == "function":
            if not callable(value):
                raise TypeError(f'The entrypoint "{entrypoint}" is not a function: it is {value!r:.100}.')
            return FunctionHost(value, self._embedder)
        return self._loop.run_until_complete(_open(value, message, settings, self._embedder))

    def _begin_description(self) -> None:
        self._description = self._loop.create_task(self._describe())

    async def _describe(self) -> None:
        """Whatever fails here is only not said."""
        structure = None
        with suppress(Exception):
            if self._host is not None:
                structure = await self._host.describe()
        self._wire.send({"type": "described", "structure": structure})

    def _begin(self, message: dict) -> None:
        # Said before the user's code may block the loop: the run has arrived, its silence is its own.
        self._alive()
        run = self._runs[message["run_id"]]
        current_run.set(run.pipe)
        # A task of its own: a cancel ends the run's work, not the report of it.
        run.work = self._loop.create_task(self._work(message, run))
        run.report = self._loop.create_task(self._report(run))

    async def _report(self, run: OpenRun) -> None:
        """Every run and update ends with exactly one `done`."""
        assert run.work is not None
        await asyncio.wait({run.work})
        if run.cancel.aborted:
            await run.pipe.work.settled()
            done = {"outcome": "canceled"}
        else:
            done = run.work.result()
        end_lines(run.pipe)
        del self._runs[run.pipe.run_id]
        run.pipe.done(done)

    async def _work(self, message: dict, run: OpenRun) -> dict:
        try:
            if self._host is None:
                raise RuntimeError("No agent is loaded.")
            run.cancel.raise_if_aborted()
            if message["type"] == "run":
                with artifacts_of(message["run_id"], message["artifacts"], self._alone):
                    return await self._host.run(message, run.pipe, run.cancel)
            return await self._host.update(message, run.pipe)
        except (asyncio.CancelledError, RunCanceled):
            return {"outcome": "canceled"}
        except BaseException as error:
            return {"outcome": "failed", "error": describe_error(error)}

    def _begin_embed(self, message: dict) -> None:
        task = self._loop.create_task(self._embed(message))
        self._embedding.add(task)
        task.add_done_callback(self._embedding.discard)

    async def _embed(self, message: dict) -> None:
        """Answered however it goes."""
        answer: dict[str, Any]
        try:
            if self._embedder is None:
                raise RuntimeError("[store] index is not set.")
            if "query" in message:
                answer = {"vectors": [("", await arun_steps(self._embedder.query(message["query"])))]}
            else:
                steps = self._embedder.value(message["value"], message["fields"])
                answer = {"vectors": await arun_steps(steps)}
        except Exception as error:
            answer = {"error": describe_error(error)}
        self._wire.send({"type": "embedded", "request_id": message["request_id"], **answer})

    def _stay_alive(self) -> None:
        self._alive()
        self._loop.call_later(ALIVE_INTERVAL_S, self._stay_alive)

    def _alive(self) -> None:
        self._wire.send({"type": "alive", "memory_mb": resident_mb()})


def run_agent(pipe: socket.socket, alone: bool = False) -> None:
    """Serves the agent over a connected socket until the server closes it. `alone`: it will execute one run."""
    faulthandler.enable()
    capture_output()
    provide_artifacts()
    if alone and os.path.isdir(FIXED):
        own_mounts()
    end_with_parent()
    AgentProcess(pipe, alone).serve()


async def _open(value: Any, message: dict, settings: dict, embedder: Embedder | None) -> Host:
    if message["framework"] == "crewai":
        from .crew_load import open_crewai

        return await open_crewai(value, message["entrypoint"], message["chat"])
    from .langgraph_host import open_graph

    return await open_graph(value, message["entrypoint"], message["max_warm_bytes"], settings, embedder)


def _cancel_work(run: OpenRun) -> None:
    if run.work is not None:
        run.work.cancel()

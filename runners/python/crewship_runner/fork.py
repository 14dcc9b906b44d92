"""The process that agent processes are forked from: it imports the framework once and nothing of the user's, and stays
without threads and event loop, so that a child begins where a fresh process would be after its imports."""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import traceback
from typing import NoReturn

from . import PIPE_FD
from .fork_child import begin_child
from .resident import resident_mb

ALIVE_INTERVAL_S = 1.0
RECEIVE_BYTES = 64 * 1024
TASKS = "/proc/self/task"

# What a run's process imports anyway. Without the first list nothing can run; of the second some versions of a framework
# have no part. Ours import the framework's others.
REQUIRED = {
    "function": ["crewship_runner.agent"],
    "langgraph": ["crewship_runner.agent", "langgraph.graph", "langgraph.pregel", "langchain_core.messages"],
    "crewai": ["crewship_runner.agent", "crewai"],
}
OPTIONAL = {
    "function": [],
    "langgraph": [
        "crewship_runner.langgraph_host",
        "langgraph.types",
        "langgraph.func",
        "langgraph.prebuilt",
        "langchain_core.tools",
        "langchain_core.language_models",
    ],
    "crewai": ["crewship_runner.crew_process", "crewship_runner.crew_host", "crewship_runner.flow_host"],
}
# NumPy's linear algebra starts a thread for each core when it is imported, and CrewAI imports it.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def serve_forks() -> NoReturn:
    ForkParent(socket.socket(fileno=PIPE_FD)).serve()


class ForkParent:
    def __init__(self, pipe: socket.socket) -> None:
        self._pipe = pipe
        self._received = b""
        self._children: set[int] = set()
        self._environment = dict(os.environ)
        # Written to by the signal handler, so that the end of a child ends the wait for messages.
        self._woken, self._waker = socket.socketpair()

    def serve(self) -> NoReturn:
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        while True:
            readable, _, _ = select.select([self._pipe, self._woken], [], [], ALIVE_INTERVAL_S)
            if self._woken in readable:
                self._woken.recv(RECEIVE_BYTES)
            self._reap()
            if self._pipe in readable:
                self._receive()
            self._send({"type": "alive", "memory_mb": resident_mb()})

    def _receive(self) -> None:
        chunk = self._pipe.recv(RECEIVE_BYTES)
        if not chunk:
            # The server is gone or needs no more forks.
            os._exit(0)
        *lines, self._received = (self._received + chunk).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if message["type"] == "import":
                self._import(message["framework"])
            elif message["type"] == "fork":
                self._fork(message)

    def _import(self, framework: str) -> None:
        try:
            os.environ.update(ONE_THREAD)
            _import_framework(framework)
        except BaseException as error:
            # The fresh process that takes its place says it with more words.
            reason = "".join(traceback.format_exception_only(error)).strip()
            self._send({"type": "cannot_fork", "reason": reason})
            return
        if reason := _unfit():
            self._send({"type": "cannot_fork", "reason": reason})
            return
        # What is here stays; a child that collected it would copy the pages it shares.
        gc.collect()
        gc.freeze()
        self._send({"type": "ready"})

    def _fork(self, message: dict) -> None:
        if reason := _unfit():
            self._send({"type": "cannot_fork", "reason": reason})
            return
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            reason = f"the system refused to fork: {error}"
            self._send({"type": "fork_failed", "fork_id": message["fork_id"], "reason": reason})
            return
        if pid == 0:
            self._leave()
            begin_child(parent, message["socket"], message["token"])
        self._children.add(pid)
        self._send({"type": "forked", "fork_id": message["fork_id"], "pid": pid})

    def _leave(self) -> None:
        """In the child: what belongs to the parent is given up."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for own in (self._pipe, self._woken, self._waker):
            own.close()
        for name in ONE_THREAD:
            os.environ.pop(name, None)
            if name in self._environment:
                os.environ[name] = self._environment[name]

    def _reap(self) -> None:
        for pid in list(self._children):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended == 0:
                continue
            self._children.discard(pid)
            code = os.waitstatus_to_exitcode(status)
            exit = (
                {"code": None, "signal": _signal_name(-code)} if code < 0 else {"code": code, "signal": None}
            )
            self._send({"type": "exited", "pid": pid, **exit})

    def _send(self, message: dict) -> None:
        try:
            self._pipe.sendall(json.dumps(message).encode("ascii") + b"\n")
        except OSError:
            os._exit(0)


def _import_framework(framework: str) -> None:
    if framework == "crewai":
        from .crew_load import prepare_environment

        prepare_environment()
    for module in REQUIRED[framework]:
        importlib.import_module(module)
    for module in OPTIONAL[framework]:
        try:
            importlib.import_module(module)
        except ImportError:
            continue


def _unfit() -> str | None:
    """Why no child may be forked. In a child only the thread that forked lives on: whatever lock another one held at that
    moment stays locked for ever. Threads of native code, which Python does not know, count as well."""
    tasks = len(os.listdir(TASKS))
    return (
        None
        if tasks == 1
        else f"importing the framework left {tasks} threads, and a fork would lose all but one"
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

"""One run's side of the wire: batches its events, numbers what it stores, counts what is not acknowledged yet, and pairs
reads with their replies. After `done` nothing of the run leaves any more. Any thread may call any method."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from .cancel import RunCanceled
from .wire import Wire, to_text

if TYPE_CHECKING:
    from .threads import RunWork

# A batch of events leaves when it reaches this size, even if the event loop has not turned.
BATCH_CHARACTERS = 64 * 1024


class StoreError(ValueError):
    """What the store was asked it does not do; the message says why."""


class RunPipe:
    def __init__(
        self,
        wire: Wire,
        run_id: str,
        max_unacknowledged: int,
        loop: asyncio.AbstractEventLoop,
        work: RunWork,
    ) -> None:
        self.run_id = run_id
        self.work = work
        self._wire = wire
        self._max_unacknowledged = max_unacknowledged
        self._loop = loop
        # Held while sending, so that messages leave in their order. The thread that reads the pipe never takes it.
        self._sending = threading.RLock()
        self._events: list[str] = []
        self._batch_length = 0
        self._batching = False
        self._dropped_lines = 0
        self._over = False
        self._n = 0
        # What follows belongs to both sides of the pipe.
        self._counting = threading.Lock()
        self._unacknowledged: deque[int] = deque()
        self._acknowledged = 0
        self._unacknowledged_size = 0
        self._released = False
        self._waiting: list[tuple[Callable[[], bool], Future[None]]] = []
        self._requests = 0
        # Of reads and of what the store was asked.
        self._replies: dict[int, Future[dict]] = {}

    @property
    def over(self) -> bool:
        return self._over

    def emit(self, type: str, data: Any, langgraph: Any = None, items: dict | None = None) -> None:
        """
        The first event of a turn of the event loop leaves at once, those that follow in the same turn as one batch.
        `langgraph`: what LangGraph's own protocol says of it besides. `items`: what it refers to and no message has taken
        along yet.
        """
        event = {"type": type, "data": data}
        text = to_text(event if langgraph is None else {**event, "langgraph": langgraph})
        with self.work.shielded(), self._sending:
            if self._over:
                return
            self._events.append(text)
            self._batch_length += len(text)
            if items is not None:
                self.flush(items)
            elif not self._batching:
                self._batching = True
                self.flush()
                self._loop.call_soon_threadsafe(self._end_batch)
            elif self._batch_length >= BATCH_CHARACTERS:
                self.flush()

    def log(self, level: str, message: str) -> None:
        """A line that comes faster than the server reads is counted and dropped: a flood must not hold up the run."""
        if self._wire.is_full:
            self._dropped_lines += 1
            return
        self._note_dropped()
        self.emit("log", {"level": level, "message": message})

    def flush(self, items: dict | None = None) -> None:
        with self.work.shielded(), self._sending:
            if self._over or not self._events:
                return
            events, self._events, self._batch_length = self._events, [], 0
            run = to_text(self.run_id)
            taken = "" if items is None else f',"items":{to_text(items)}'
            self._wire.send_text(f'{{"type":"event","run_id":{run},"events":[{",".join(events)}]{taken}}}')

    def checkpoint(self, body: dict) -> None:
        self._store("checkpoint", body)

    def writes(self, body: dict) -> None:
        self._store("writes", body)

    def acknowledge(self, n: int) -> None:
        with self._counting:
            while self._acknowledged < n and self._unacknowledged:
                self._unacknowledged_size -= self._unacknowledged.popleft()
                self._acknowledged += 1
            waiting, self._waiting = self._waiting, []
            for waiter in waiting:
                ready, future = waiter
                if ready():
                    _resolve(future, None)
                else:
                    self._waiting.append(waiter)

    def wait_room(self) -> None:
        """Waits until the server has committed enough of what was stored."""
        self._until(self._has_room).result()

    async def room(self) -> None:
        if not self._has_room():
            await asyncio.wrap_future(self._until(self._has_room))

    def wait_settled(self) -> None:
        """Waits until everything handed over is committed."""
        self._until(self._is_settled).result()

    async def settled(self) -> None:
        if not self._is_settled():
            await asyncio.wrap_future(self._until(self._is_settled))

    def read(self, request: dict) -> dict:
        """Blocks the calling thread: also the event loop's, since replies are resolved in the reading thread."""
        return self._ask({"type": "read", **request}).result()

    async def aread(self, request: dict) -> dict:
        return await asyncio.wrap_future(self._ask({"type": "read", **request}))

    def store(self, operations: list[dict]) -> list:
        """Asks the deployment's store, as `read` does; returns once what the operations put is committed."""
        return _results(self._ask({"type": "store", "operations": operations}).result())

    async def astore(self, operations: list[dict]) -> list:
        return _results(await asyncio.wrap_future(self._ask({"type": "store", "operations": operations})))

    def reply(self, message: dict) -> None:
        with self._counting:
            future = self._replies.pop(message["request_id"], None)
        if future is not None:
            _resolve(future, message)

    def release(self) -> None:
        """The run was canceled: nothing is acknowledged or answered any more, and whoever waits for it is told."""
        with self._counting:
            self._released = True
            waiting = [future for _ready, future in self._waiting] + list(self._replies.values())
            self._waiting = []
            self._replies = {}
        for future in waiting:
            if future.set_running_or_notify_cancel():
                future.set_exception(RunCanceled())

    def done(self, done: dict) -> None:
        self._note_dropped()
        with self._sending:
            self.flush()
            self._over = True
            self._wire.send({"type": "done", "run_id": self.run_id, **done})
        self.release()

    def _note_dropped(self) -> None:
        dropped, self._dropped_lines = self._dropped_lines, 0
        if dropped:
            message = f"{dropped} lines were dropped: the agent printed faster than they could be stored."
            self.emit("log", {"level": "warning", "message": message})

    def _store(self, type: str, body: dict) -> None:
        with self.work.shielded(), self._sending:
            if self._over:
                return
            self.flush()
            self._n += 1
            line = to_text({"type": type, "run_id": self.run_id, "n": self._n, **body})
            with self._counting:
                self._unacknowledged.append(len(line))
                self._unacknowledged_size += len(line)
            self._wire.send_text(line)

    def _end_batch(self) -> None:
        with self._sending:
            self._batching = False
            self.flush()

    def _has_room(self) -> bool:
        return self._unacknowledged_size <= self._max_unacknowledged

    def _is_settled(self) -> bool:
        return not self._unacknowledged

    def _until(self, ready: Callable[[], bool]) -> Future[None]:
        future: Future[None] = Future()
        with self._counting:
            if ready() or self._over:
                future.set_result(None)
            elif self._released:
                future.set_exception(RunCanceled())
            else:
                self._waiting.append((ready, future))
        return future

    def _ask(self, request: dict) -> Future[dict]:
        if self._over:
            raise RuntimeError(
                "The run is over; neither its thread nor the store can be asked by it any more."
            )
        self.flush()
        future: Future[dict] = Future()
        with self.work.shielded():
            with self._counting:
                if self._released:
                    raise RunCanceled()
                self._requests += 1
                request_id = self._requests
                self._replies[request_id] = future
            self._wire.send({**request, "run_id": self.run_id, "request_id": request_id})
        return future


def _results(answer: dict) -> list:
    if "error" in answer:
        raise StoreError(answer["error"]["message"])
    return answer["results"]


def _resolve(future: Future, value: Any) -> None:
    """Whoever asked may have been canceled meanwhile."""
    if future.set_running_or_notify_cancel():
        future.set_result(value)

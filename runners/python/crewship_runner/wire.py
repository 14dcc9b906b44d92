"""The pipe to the server: one JSON message per line, both ways. It never reconnects: when the pipe breaks, the process
ends at once and the server's lease decides what becomes of its runs."""

from __future__ import annotations

import json
import os
import socket
import threading
import traceback
from collections import deque
from collections.abc import Callable

RECEIVE_BYTES = 256 * 1024
# Above this many bytes that the server has not read, whoever says something waits.
HIGH_WATER_BYTES = 1024 * 1024

_encoder = json.JSONEncoder(separators=(",", ":"), check_circular=False)


def to_text(value: object) -> str:
    """JSON in ASCII, so that NUL and lone surrogates stay escaped."""
    return _encoder.encode(value)


class Wire:
    """`receive` is called in a thread of its own, for one message after another."""

    def __init__(self, pipe: socket.socket, receive: Callable[[dict], None]) -> None:
        self._pipe = pipe
        self._receive = receive
        self._changed = threading.Condition()
        self._backlog: deque[memoryview] = deque()
        self._backlog_bytes = 0
        pipe.setblocking(True)
        # What the user's code starts must not hold the pipe open.
        pipe.set_inheritable(False)

    def start(self) -> None:
        threading.Thread(target=self._read, name="crewship-pipe-in", daemon=True).start()
        threading.Thread(target=self._drain, name="crewship-pipe-out", daemon=True).start()

    @property
    def is_full(self) -> bool:
        """The server reads more slowly than is said here: the next to speak would wait."""
        return self._backlog_bytes > HIGH_WATER_BYTES

    def send(self, message: dict) -> None:
        self.send_text(to_text(message))

    def send_text(self, line: str) -> None:
        """Hands the line to the system at once, or keeps what it does not take; waits while too much is kept."""
        data = memoryview(line.encode("ascii") + b"\n")
        with self._changed:
            while self._backlog_bytes > HIGH_WATER_BYTES:
                self._changed.wait()
            if not self._backlog:
                data = data[self._try_send(data) :]
            if data:
                self._backlog.append(data)
                self._backlog_bytes += len(data)
                self._changed.notify_all()

    def _try_send(self, data: memoryview) -> int:
        try:
            return self._pipe.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0
        except OSError:
            os._exit(0)

    def _drain(self) -> None:
        while True:
            with self._changed:
                while not self._backlog:
                    self._changed.wait()
                data = self._backlog[0]
            try:
                self._pipe.sendall(data)
            except OSError:
                os._exit(0)
            with self._changed:
                # Only now, so that what is said meanwhile stands behind it.
                self._backlog.popleft()
                self._backlog_bytes -= len(data)
                self._changed.notify_all()

    def _read(self) -> None:
        try:
            self._receive_all()
        except BaseException:
            # A message it cannot take leaves the process deaf, and the server waiting.
            traceback.print_exc()
            os._exit(1)

    def _receive_all(self) -> None:
        # A reply with a whole conversation comes in many pieces; joining them once keeps that linear.
        pieces: list[bytes] = []
        while True:
            try:
                chunk = self._pipe.recv(RECEIVE_BYTES)
            except OSError:
                chunk = b""
            if not chunk:
                os._exit(0)
            *lines, rest = chunk.split(b"\n")
            for line in lines:
                pieces.append(line)
                self._receive(json.loads(b"".join(pieces)))
                pieces = []
            if rest:
                pieces.append(rest)

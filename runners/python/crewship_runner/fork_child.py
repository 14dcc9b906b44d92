"""The first steps of a forked agent process: it becomes its own master, connects to the server and goes on exactly like
a fresh one."""

from __future__ import annotations

import os
import socket
import sys
import traceback
from typing import NoReturn

# The channels by the descriptor each has in a fresh process.
PIPE, STDOUT, STDERR = 3, 1, 2


def begin_child(parent: int, path: str, token: str) -> NoReturn:
    """`token` is good for this process alone, once for each channel."""
    try:
        os.setsid()
        _reseed()
        # Connected first, so that what goes wrong from here on is said where this process's errors are read.
        for channel in (STDERR, STDOUT):
            with _connect(path, token, channel) as stream:
                os.dup2(stream.fileno(), channel)
        pipe = _connect(path, token, PIPE)
        if os.getppid() == parent:
            _run(pipe)
    except BaseException:
        traceback.print_exc()
        _end(1)
    _end(0)


def _run(pipe: socket.socket) -> None:
    from .agent import run_agent

    sys.argv[1:] = []
    run_agent(pipe, alone=True)


def _connect(path: str, token: str, channel: int) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(path)
    connection.sendall(f"{token}{channel}".encode("ascii"))
    return connection


def _reseed() -> None:
    """Children must not draw the same numbers. Python reseeds its own generator after a fork; OpenSSL, `secrets` and
    `uuid.uuid4` draw from the system."""
    if numpy_random := sys.modules.get("numpy.random"):
        numpy_random.seed()


def _end(code: int) -> NoReturn:
    """Not by an exception: the stack below is the parent's, and so are its exit handlers."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue
    os._exit(code)

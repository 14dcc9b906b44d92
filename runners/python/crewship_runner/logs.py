"""What the user's code prints and logs. Inside a run it becomes that run's `log` events, line by line; outside of one it
goes to the process's own stdout and stderr, which the server logs with the version's id."""

from __future__ import annotations

import io
import logging
import sys
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .pipe import RunPipe

MAX_LINE_CHARACTERS = 8 * 1024

# The run that this context works for. A thread starts without one, unless whoever starts it copies the context.
current_run: ContextVar[RunPipe | None] = ContextVar("crewship_run", default=None)


class CapturedStream(io.TextIOBase):
    """Stands in for sys.stdout or sys.stderr. Keeps at most one bounded unfinished line for each run."""

    def __init__(self, stream: io.TextIOWrapper, level: str) -> None:
        self._stream = stream
        self._level = level
        self._lock = threading.Lock()
        self._lines: dict[str, _Line] = {}

    def write(self, text: str) -> int:
        run = current_run.get()
        if run is None or run.over:
            return self._stream.write(text)
        with run.work.shielded(), self._lock:
            line = self._lines.setdefault(run.run_id, _Line())
            finished = line.append(text)
        for message in finished:
            run.log(self._level, message)
        return len(text)

    def end(self, run: RunPipe) -> None:
        """The run is over: what it printed without a line's end is a line."""
        with self._lock:
            line = self._lines.pop(run.run_id, None)
        if line is not None and (rest := line.take()):
            run.log(self._level, rest)

    def flush(self) -> None:
        self._stream.flush()

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self._stream.fileno()

    def __getattr__(self, name: str) -> object:
        # Whatever else a stream of the system has: name, mode, reconfigure.
        return getattr(self._stream, name)

    @property
    def buffer(self) -> _CapturedBytes:  # type: ignore[override]
        return _CapturedBytes(self)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self._stream.errors


class _CapturedBytes(io.RawIOBase):
    """`sys.stdout.buffer`: what is written there is text of the same lines."""

    def __init__(self, text: CapturedStream) -> None:
        self._text = text

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        view = memoryview(data)  # type: ignore[arg-type]
        self._text.write(bytes(view).decode("utf-8", "replace"))
        return view.nbytes

    def flush(self) -> None:
        self._text.flush()

    def fileno(self) -> int:
        return self._text.fileno()


class _Line:
    """Cuts what is written into lines."""

    def __init__(self) -> None:
        self._text = ""
        self._cut = 0

    def append(self, text: str) -> list[str]:
        *whole, rest = text.split("\n")
        lines = []
        for part in whole:
            self._add(part)
            if line := self.take():
                lines.append(line)
        self._add(rest)
        return lines

    def take(self) -> str:
        note = f" … ({self._cut} more characters)" if self._cut else ""
        line = self._text.removesuffix("\r") + note
        self._text, self._cut = "", 0
        return line

    def _add(self, text: str) -> None:
        room = MAX_LINE_CHARACTERS - len(self._text)
        self._text += text[:room]
        self._cut += max(0, len(text) - room)


class _RunHandler(logging.Handler):
    """Where records go that no handler of the user's takes."""

    def emit(self, record: logging.LogRecord) -> None:
        if not _log_record(self, record):
            sys.stderr.write(f"{self.format(record)}\n")


def capture_output() -> None:
    """Takes over stdout, stderr and logging, for the life of the process."""
    # What is printed outside of runs would wait in a buffer, and be lost when the process is ended.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    sys.stdout = CapturedStream(sys.stdout, "info")
    sys.stderr = CapturedStream(sys.stderr, "error")
    # A user who configures nothing sees what is worth telling; whoever configures logging decides alone.
    logging.lastResort = _RunHandler(logging.INFO)  # type: ignore[assignment]
    logging.root.setLevel(logging.INFO)
    write = logging.StreamHandler.emit

    def emit(handler: logging.StreamHandler, record: logging.LogRecord) -> None:
        """A handler that writes to the terminal would lose the record's level: its text becomes a `log` event at once."""
        if not (isinstance(handler.stream, CapturedStream) and _log_record(handler, record)):
            write(handler, record)

    logging.StreamHandler.emit = emit  # type: ignore[method-assign]


def end_lines(run: RunPipe) -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, CapturedStream):
            stream.end(run)


def _log_record(handler: logging.Handler, record: logging.LogRecord) -> bool:
    run = current_run.get()
    if run is None or run.over:
        return False
    try:
        text = handler.format(record)
    except Exception:
        handler.handleError(record)
        return True
    run.log(record.levelname.lower(), _bounded(text))
    return True


def _bounded(text: str) -> str:
    if len(text) <= MAX_LINE_CHARACTERS:
        return text
    return f"{text[:MAX_LINE_CHARACTERS]} … ({len(text) - MAX_LINE_CHARACTERS} more characters)"

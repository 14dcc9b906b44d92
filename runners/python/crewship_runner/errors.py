"""What the user's code raised, as the message and traceback a person reads: their files and lines, not ours."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import traceback

MAX_TRACEBACK_CHARACTERS = 16 * 1024
MAX_CAUSES = 5

_OURS = (
    os.path.dirname(os.path.abspath(__file__)) + os.sep,
    os.path.dirname(os.path.abspath(asyncio.__file__)) + os.sep,
    os.path.dirname(os.path.abspath(concurrent.futures.__file__)) + os.sep,
)


class CodedError(Exception):
    """An error whose code the server understands. Its text is the whole message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def describe_error(raised: BaseException) -> dict:
    """The `error` of a message: code?, message, traceback?."""
    described = {"message": message_of(raised)}
    if isinstance(raised, CodedError):
        described["code"] = raised.code
    text = traceback_of(raised)
    return {**described, "traceback": text} if text else described


def message_of(raised: BaseException) -> str:
    if isinstance(raised, CodedError):
        return str(raised)
    return "".join(traceback.format_exception_only(type(raised), raised)).strip()


def traceback_of(raised: BaseException) -> str:
    """The frames of the user's code and its libraries, with the causes. Our own wording's origin is what we caught."""
    origin = raised.__cause__ if isinstance(raised, CodedError) else raised
    if origin is None:
        return ""
    story = traceback.TracebackException.from_exception(origin, compact=True)
    causes: traceback.TracebackException | None = story
    for _ in range(MAX_CAUSES):
        if causes is None:
            break
        kept = [frame for frame in causes.stack if not frame.filename.startswith(_OURS)]
        causes.stack = traceback.StackSummary.from_list(kept)
        causes = causes.__cause__ or causes.__context__
    text = "".join(story.format())
    return text if len(text) <= MAX_TRACEBACK_CHARACTERS else f"…{text[-MAX_TRACEBACK_CHARACTERS:]}"

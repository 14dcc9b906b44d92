"""The agents of the transcripts, in Python. agents.ts holds the same ones."""

import os


def echo(input, context):
    if input["text"] is None:
        raise ValueError("no text")
    print("thinking")
    context.emit("progress", {"part": 0.5})
    state = context.state
    state["messages"] = [*state.get("messages", []), {"by": "user", "text": input["text"]}]
    state["count"] = len(state["messages"])
    state.pop("mood", None)
    return {"text": input["text"]}


def wait(input, context):
    context.emit({"state": "waiting"})
    context.signal.wait()


def crash(input, context):
    context.emit({"text": "last words"})
    os._exit(7)

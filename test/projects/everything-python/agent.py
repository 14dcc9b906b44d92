"""Does what `act` says; "all" is everything that becomes an event."""

import os
import time
from pathlib import Path


def agent(input, context):
    act = input["act"]
    if act == "heed":
        try:
            while True:
                time.sleep(0.01)
        finally:
            Path(input["file"]).write_text("abort" if context.signal.aborted else "")
    if act == "ignore":
        Path(input["file"]).write_text(str(os.getpid()))
        time.sleep(3600)
    if act == "fail":
        raise ValueError("no such luck")
    if act == "ask":
        return context.interrupt("how?")
    print("a line")
    context.emit("task.started", {"task": "all"})
    context.emit("agent.started", {"agent": "it"})
    context.emit("tool.called", {"tool": "double", "input": {"n": 21}})
    context.emit("tool.result", {"tool": "double", "output": "42"})
    context.emit("tool.called", {"tool": "broken", "input": {"n": 1}})
    context.emit("tool.error", {"tool": "broken", "error": "it broke"})
    context.emit("message.delta", {"message_id": "m", "content": "so it is"})
    Path(context.artifacts, "a.md").write_text("abc")
    context.emit("agent.error", {"agent": "it", "error": "it broke"})
    context.emit("agent.completed", {"agent": "it"})
    context.emit("task.completed", {"task": "all"})
    context.emit({"percent": 50})
    context.state["said"] = "so it is"
    return {"said": "so it is"}

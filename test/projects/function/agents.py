"""Plain functions as agents: the same ones as in src/agents.ts."""

import datetime
import os
import sys
import time


def count(input, context):
    by = input.get("by", 1)
    context.state["total"] = context.state.get("total", 0) + by
    history = context.state.setdefault("history", [])
    history.append({"added": by, "text": "an entry that is long enough to be stored as an item"})
    return {"total": context.state["total"], "thread": context.thread_id}


def narrate(input, context):
    for word in input["words"]:
        yield {"word": word}
    yield {"type": "progress", "data": {"percent": 100}}
    context.emit("note", {"text": "emitted"})
    context.emit({"plain": True})
    context.state["when"] = datetime.datetime.fromtimestamp(0, datetime.timezone.utc)
    context.state.pop("gone", None)
    return len(input["words"])


async def stream(input, context):
    yield {"part": 1}
    context.state["seen"] = True


def unprintable(input, context):
    return {"callback": lambda: 1}


def unstorable(input, context):
    context.state["deep"] = {"list": [1, lambda: 1]}


def fail(input, context):
    context.state["lost"] = True
    raise TypeError("no such luck")


def forge(input, context):
    context.emit("run.completed", {})


def wait(input, context):
    print("waiting")
    context.signal.wait()
    raise RuntimeError("aborted")


async def chatter(input, context):
    print(input["name"], "out")
    print(input["name"], "err", file=sys.stderr)
    sys.stdout.write(f"{input['name']} without an end")


def printLine(input, context):
    print("x" * input["length"])


def flood(input, context):
    for i in range(input["lines"]):
        print("line", i)


def large(input, context):
    return {"text": "x" * input["length"]}


def exit(input, context):
    print("last words")
    os._exit(7)


def block(input, context):
    print("blocked")
    time.sleep(3600)


def approve(input, context):
    """Counts, asks twice, and tells what it was told."""
    context.state["count"] = context.state.get("count", 0) + 1
    context.emit("called", {"input": input})
    try:
        amount = context.interrupt({"question": "how much?", "of": input["of"]})
        name = context.interrupt(["for whom?"])
    except Exception:
        return "swallowed"
    finally:
        context.state["left"] = True
    context.state["paid"] = [amount, name]
    return {"amount": amount, "name": name}

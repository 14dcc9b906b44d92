"""Does with the store what its input says, one operation after another, in a node: async, or in a worker thread with `sync`, or on the event loop with `blocking`."""

import asyncio
import time
from typing import Any, TypedDict
from uuid import uuid4

from langgraph.config import get_store, get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore


class State(TypedDict, total=False):
    operations: list[list[Any]]
    sync: bool
    blocking: bool
    results: list[Any]


NAMES = {"listNamespaces": "list_namespaces"}


def call(store: BaseStore, name: str, args: list[Any], prefix: str = "") -> Any:
    method = getattr(store, prefix + NAMES.get(name, name))
    args = [tuple(arg) if isinstance(arg, list) and i == 0 else arg for i, arg in enumerate(args)]
    options = {}
    if name in ("search", "listNamespaces") and args and isinstance(args[-1], dict):
        options = {"max_depth" if key == "maxDepth" else key: value for key, value in args.pop().items()}
    if name == "put" and len(args) == 5:
        options = args.pop()
    return method(*args, **options)


def shown(found: Any) -> Any:
    if isinstance(found, list):
        return [shown(one) for one in found]
    if isinstance(found, tuple):
        return list(found)
    if not hasattr(found, "dict"):
        return found
    item = {**found.dict(), "namespace": list(found.namespace)}
    item["createdAt"], item["updatedAt"] = item.pop("created_at"), item.pop("updated_at")
    return {name: value for name, value in item.items() if value is not None}


def inner(state: State, store: BaseStore):
    return {"results": [shown(call(get_store(), name, args)) for name, *args in state["operations"]]}


subgraph = StateGraph(State).add_node(inner).add_edge(START, "inner").add_edge("inner", END).compile()


def act_sync(state: State, store: BaseStore):
    results = []
    for name, *args in state["operations"]:
        if name == "wait":
            time.sleep(args[0] / 1000)
        elif name == "through":
            results.append(subgraph.invoke({"operations": args[0]})["results"])
        else:
            try:
                results.append(shown(call(store, name, args)))
            except Exception as error:
                results.append({"error": str(error)})
    return {"results": results}


async def many(store: BaseStore, namespace: list[str], count: int) -> None:
    """Says of each item that it was put, under keys that no other execution of this node uses."""
    execution = uuid4()
    for i in range(count):
        await store.aput(tuple(namespace), f"{execution} {i}", {"i": i})
        get_stream_writer()({"acknowledged": f"{execution} {i}"})


async def act(state: State, runtime: Runtime):
    store = runtime.store
    assert store is not None
    if state.get("blocking"):
        # Blocks the event loop's own thread.
        return act_sync(state, store)
    results = []
    for name, *args in state["operations"]:
        if name == "wait":
            await asyncio.sleep(args[0] / 1000)
        elif name == "many":
            await many(store, *args)
        elif name == "through":
            results.append((await subgraph.ainvoke({"operations": args[0]}))["results"])
        else:
            try:
                results.append(shown(await call(store, name, args, "a")))
            except Exception as error:
                results.append({"error": str(error)})
    return {"results": results}


graph = (
    StateGraph(State)
    .add_node(act)
    .add_node(act_sync)
    .add_conditional_edges(START, lambda state: "act_sync" if state.get("sync") else "act")
    .add_edge("act", END)
    .add_edge("act_sync", END)
    .compile(store=InMemoryStore())
)

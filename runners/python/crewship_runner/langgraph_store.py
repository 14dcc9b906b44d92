"""The store LangGraph's nodes get (`get_store()`, `Runtime.store`, an injected `store`): LangGraph's operations over the
deployment's store, sync from any thread and async from the event loop."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from langgraph.store.base import BaseStore, GetOp, Item, ListNamespacesOp, PutOp, SearchItem, SearchOp

from .run_store import RunStore
from .waits import Steps, arun_steps, run_steps


class CrewshipStore(BaseStore):
    supports_ttl = True

    def __init__(self, store: RunStore, settings: dict) -> None:
        super().__init__()
        self._store = store
        self.ttl_config = {
            "default_ttl": settings["default_ttl"],
            "refresh_on_read": settings["refresh_on_read"],
        }

    def batch(self, ops: Iterable[Any]) -> list[Any]:
        return run_steps(self._batch(list(ops)))

    async def abatch(self, ops: Iterable[Any]) -> list[Any]:
        return await arun_steps(self._batch(list(ops)))

    def _batch(self, ops: list[Any]) -> Steps[list[Any]]:
        asked = []
        for op in ops:
            operation = yield from self._translated(op)
            asked.append(operation)
        results = yield from self._store.ask(asked)
        return [_shown(op, result) for op, result in zip(ops, results)]

    def _translated(self, op: Any) -> Steps[dict]:
        if isinstance(op, PutOp):
            # An older LangGraph knows no time to live.
            ttl = {"ttl": op.ttl} if hasattr(op, "ttl") else {}
            operation = yield from self._store.put(op.namespace, op.key, op.value, op.index, **ttl)
            return operation
        if isinstance(op, SearchOp):
            given = {"filter": op.filter, "limit": op.limit, "offset": op.offset, **_refresh(op)}
            operation = yield from self._store.search(op.namespace_prefix, op.query, given)
            return operation
        if isinstance(op, GetOp):
            return {"op": "get", "namespace": list(op.namespace), "key": op.key, **_refresh(op)}
        if not isinstance(op, ListNamespacesOp):
            raise TypeError(f"The store knows no operation {type(op).__name__}.")
        listed: dict[str, Any] = {"op": "list_namespaces", "limit": op.limit, "offset": op.offset}
        if op.max_depth is not None:
            listed["max_depth"] = op.max_depth
        for condition in op.match_conditions or ():
            listed[condition.match_type] = list(condition.path)
        return listed


def _refresh(op: Any) -> dict:
    refresh = getattr(op, "refresh_ttl", None)
    return {} if refresh is None else {"refresh_ttl": refresh}


def _shown(op: Any, result: Any) -> Any:
    if isinstance(op, GetOp):
        return None if result is None else Item(**_fields(result))
    if isinstance(op, SearchOp):
        return [SearchItem(**_fields(found), score=found["score"]) for found in result]
    if isinstance(op, ListNamespacesOp):
        return [tuple(labels) for labels in result]
    return None


def _fields(item: dict) -> dict[str, Any]:
    return {
        "namespace": tuple(item["namespace"]),
        "key": item["key"],
        "value": item["value"],
        "created_at": _time(item["created_at"]),
        "updated_at": _time(item["updated_at"]),
    }


def _time(text: str) -> datetime:
    # Python 3.10 knows no Z.
    return datetime.fromisoformat(text.replace("Z", "+00:00"))

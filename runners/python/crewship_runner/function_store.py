"""What functions get as `context.store`: each method blocks, and has an async one whose name begins with `a`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .run_store import RunStore
from .waits import Steps, arun_steps, run_steps

_NOT_GIVEN: Any = object()


class FunctionStore:
    def __init__(self, store: RunStore) -> None:
        self._store = store

    def get(self, namespace: Sequence[str], key: str) -> dict | None:
        return run_steps(self._one(_get(namespace, key)))

    async def aget(self, namespace: Sequence[str], key: str) -> dict | None:
        return await arun_steps(self._one(_get(namespace, key)))

    def put(
        self,
        namespace: Sequence[str],
        key: str,
        value: Mapping[str, Any],
        *,
        index: Any = None,
        ttl: float | None = _NOT_GIVEN,
    ) -> None:
        """Returns once it is committed."""
        run_steps(self._put(namespace, key, value, index, ttl))

    async def aput(
        self,
        namespace: Sequence[str],
        key: str,
        value: Mapping[str, Any],
        *,
        index: Any = None,
        ttl: float | None = _NOT_GIVEN,
    ) -> None:
        await arun_steps(self._put(namespace, key, value, index, ttl))

    def delete(self, namespace: Sequence[str], key: str) -> None:
        run_steps(self._put(namespace, key, None, False, _NOT_GIVEN))

    async def adelete(self, namespace: Sequence[str], key: str) -> None:
        await arun_steps(self._put(namespace, key, None, False, _NOT_GIVEN))

    def search(
        self, namespace_prefix: Sequence[str], *, query: str | None = None, **given: Any
    ) -> list[dict]:
        """`given`: filter, limit, offset, refresh_ttl."""
        return run_steps(self._search(namespace_prefix, query, given))

    async def asearch(
        self, namespace_prefix: Sequence[str], *, query: str | None = None, **given: Any
    ) -> list[dict]:
        return await arun_steps(self._search(namespace_prefix, query, given))

    def list_namespaces(self, **given: Any) -> list[list[str]]:
        """`given`: prefix, suffix, max_depth, limit, offset."""
        return run_steps(self._one({"op": "list_namespaces", **given}))

    async def alist_namespaces(self, **given: Any) -> list[list[str]]:
        return await arun_steps(self._one({"op": "list_namespaces", **given}))

    def _put(self, namespace: Any, key: str, value: Any, index: Any, ttl: Any) -> Steps[None]:
        more = {} if ttl is _NOT_GIVEN else {"ttl": ttl}
        operation = yield from self._store.put(namespace, key, value, index, **more)
        yield from self._one(operation)

    def _search(self, namespace_prefix: Any, query: str | None, given: dict) -> Steps[list[dict]]:
        operation = yield from self._store.search(namespace_prefix, query, given)
        return (yield from self._one(operation))

    def _one(self, operation: dict) -> Steps[Any]:
        results = yield from self._store.ask([operation])
        return results[0]


def _get(namespace: Sequence[str], key: str) -> dict:
    return {"op": "get", "namespace": list(namespace), "key": key}

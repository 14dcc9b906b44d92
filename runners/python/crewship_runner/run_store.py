"""The deployment's store as one run asks it: texts are embedded here, everything else is the server's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from .embedder import Embedder
from .pipe import RunPipe
from .waits import Steps, Wait


class RunStore:
    def __init__(self, pipe: RunPipe, embedder: Embedder | None) -> None:
        self._pipe = pipe
        self._embedder = embedder

    def ask(self, operations: list[dict]) -> Steps[list[Any]]:
        pipe = self._pipe
        results = yield Wait(lambda: pipe.store(operations), lambda: pipe.astore(operations))
        return results

    def put(
        self,
        namespace: Sequence[str],
        key: str,
        value: Mapping[str, Any] | None,
        index: Any = None,
        **ttl: float | None,
    ) -> Steps[dict]:
        """`index`: the paths of the texts to embed; False: none; None: as the settings say."""
        json_value = None if value is None else to_json(value)
        operation = {"op": "put", "namespace": list(namespace), "key": key, "value": json_value, **ttl}
        if self._embedder is not None and json_value is not None and index is not False:
            operation["vectors"] = yield from self._embedder.value(json_value, index)
        return operation

    def search(self, namespace_prefix: Sequence[str], query: str | None, given: dict) -> Steps[dict]:
        operation = {"op": "search", "namespace_prefix": list(namespace_prefix)}
        operation.update((name, value) for name, value in given.items() if value is not None)
        if "filter" in operation:
            operation["filter"] = to_json(operation["filter"])
        if query and self._embedder is not None:
            operation["vector"] = yield from self._embedder.query(query)
        return operation


def to_json(value: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON sees it, pydantic's models as what they hold. Raises where it is no JSON."""
    try:
        return json.loads(json.dumps(dict(value), default=_dumped, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(f"A store item's value is JSON: {error}") from error


def _dumped(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)
    if dump is None or isinstance(value, type):
        raise TypeError(f"{type(value).__name__} is not.")
    return dump(mode="json")

"""The function or LangChain Embeddings object that `[store] index` names, and the vectors it makes. The function may be
sync or async, as may the caller be."""

from __future__ import annotations

import base64
import inspect
import math
import struct
from collections.abc import Sequence
from typing import Any

from .errors import CodedError
from .load import load_attribute
from .texts import texts_at
from .threads import in_thread
from .waits import Steps, Wait

Vectors = list[tuple[str, str]]


class Embedder:
    def __init__(self, embeddings: Any, index: dict) -> None:
        self._embeddings = embeddings
        self._index = index

    def value(self, value: dict[str, Any], fields: list[str] | None) -> Steps[Vectors]:
        """The vectors of a value's texts, with their paths. `fields` None: those of the settings."""
        texts = dict(text for path in fields or self._index["fields"] for text in texts_at(value, path))
        if not texts:
            return []
        vectors = yield from self._embed("documents", list(texts.values()))
        if len(vectors) != len(texts):
            raise ValueError(f"{self._index['embed']} gave {len(vectors)} vectors for {len(texts)} texts.")
        return [(path, self._encoded(vector)) for path, vector in zip(texts, vectors)]

    def query(self, text: str) -> Steps[str]:
        vector = yield from self._embed("query", text)
        return self._encoded(vector)

    def _embed(self, what: str, given: Any) -> Steps[Any]:
        embeddings = self._embeddings
        if callable(embeddings) and not hasattr(embeddings, "embed_query"):
            texts = given if what == "documents" else [given]
            vectors = yield Wait(lambda: self._called(texts), lambda: self._acalled(texts))
            return vectors if what == "documents" else vectors[0]
        blocking, awaited = getattr(embeddings, f"embed_{what}"), getattr(embeddings, f"aembed_{what}", None)
        vectors = yield Wait(
            lambda: blocking(given), lambda: awaited(given) if awaited else in_thread(blocking, given)
        )
        return vectors

    def _called(self, texts: list[str]) -> Any:
        vectors = self._embeddings(texts)
        if not inspect.isawaitable(vectors):
            return vectors
        if inspect.iscoroutine(vectors):
            vectors.close()
        raise RuntimeError(
            f"{self._index['embed']} is async: put and search with `await store.aput(…)` and `await store.asearch(…)`, "
            "or let it be a plain function."
        )

    async def _acalled(self, texts: list[str]) -> Any:
        if inspect.iscoroutinefunction(self._embeddings):
            return await self._embeddings(texts)
        vectors = await in_thread(self._embeddings, texts)
        return await vectors if inspect.isawaitable(vectors) else vectors

    def _encoded(self, vector: Sequence[float]) -> str:
        dims = self._index["dims"]
        numbers = [float(number) for number in vector]
        if len(numbers) != dims:
            raise ValueError(
                f"{self._index['embed']} gave a vector of {len(numbers)} numbers, and [store] index says dims = {dims}."
            )
        if not all(map(math.isfinite, numbers)):
            raise ValueError(f"{self._index['embed']} gave a vector with something that is no number.")
        return base64.b64encode(struct.pack(f"<{dims}f", *numbers)).decode("ascii")


def open_embedder(index: dict) -> Embedder:
    """The project's folder is on the path already."""
    value = load_attribute(index["embed"])
    if isinstance(value, type):
        value = value()
    if not callable(value) and not hasattr(value, "embed_documents"):
        raise CodedError(
            "load_failed",
            f'[store] index: embed = "{index["embed"]}" is neither a function from texts to vectors nor LangChain\'s '
            "Embeddings.",
        )
    return Embedder(value, index)

"""Python values → tagged JSON (src/core/encoding.ts). Elements of lists become items of the thread's log; an element
whose place is known costs one lookup. What has no JSON form is refused with an error that says where it stands."""

from __future__ import annotations

import decimal
import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

from .items import ListBuilder
from .json_types import MAX_DEPTH, MAX_SAFE_INTEGER, Json, JsonObject, tagged
from .kinds import KINDS, kind_of, send
from .memory import ThreadMemory
from .messages import is_for_reducer
from .unstorable import Unstorable

# store: a value of a checkpoint; a known object is its item. input: the same for what a graph was given and has not
# taken in yet. write: what a node returned; it may have been changed in place, so it is encoded anew and no longer
# known. inline: no items at all.
Mode: TypeAlias = Literal["store", "input", "write", "inline"]

# Python refuses to print longer integers by itself.
LONGEST_PRINTED_INTEGER_BITS = 10_000


class EncodingError(Exception):
    pass


def encode(value: object, where: str, memory: ThreadMemory | None = None, mode: Mode = "inline") -> Json:
    """`where` names the value in errors, such as `the channel "messages"`."""
    try:
        return Encoder(memory if mode != "inline" else None, mode).value(
            value, mode != "inline" and memory is not None
        )
    except Unstorable as refused:
        raise EncodingError(
            f"The value of {where} cannot be stored: {refused.sentence()}, which has no JSON form. "
            "Keep only data in the state."
        ) from None
    except RecursionError:
        raise EncodingError(
            f"The value of {where} cannot be stored: it is nested too deep for the code that stores it."
        ) from None


def safely(value: object) -> Json:
    """A value for people to look at: one that has no JSON form becomes its text."""
    try:
        return encode(value, "an event")
    except Exception:
        try:
            return str(value)
        except Exception:
            return f"<{type(value).__name__}>"


class Encoder:
    __slots__ = ("depth", "forgets", "memory", "stores")

    def __init__(self, memory: ThreadMemory | None, mode: Mode) -> None:
        self.memory = memory
        self.forgets = memory is not None and mode == "write"
        self.stores = mode == "store"
        self.depth = 0

    def value(self, value: Any, itemize: bool) -> Json:
        """`itemize`: lists in here may refer to items. Not inside an item: items are expanded once."""
        kind = type(value)
        if kind is str or value is None or kind is bool:
            return value
        if kind is int:
            return value if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER else _integer(value)
        if kind is float:
            return _float(value)
        if self.depth >= MAX_DEPTH:
            raise Unstorable(f"is nested more than {MAX_DEPTH} levels deep")
        if self.forgets:
            self.memory.forget(value)  # type: ignore[union-attr]
        self.depth += 1
        encoded = (KINDS.get(kind) or kind_of(kind))(self, value, itemize)
        self.depth -= 1
        return encoded

    def fields(self, values: dict[str, Any], owner: object, itemize: bool = False) -> JsonObject:
        """An object whose keys are known to be text; `owner` is whose they are."""
        fields: JsonObject = {}
        key = None
        try:
            for key, child in values.items():
                fields[key] = child if type(child) is str else self.value(child, itemize)
        except Unstorable as refused:
            raise refused.under(key, owner)
        return fields

    def elements(self, values: Iterable[Any], owner: object) -> list[Json]:
        elements: list[Json] = []
        try:
            for child in values:
                elements.append(child if type(child) is str else self.value(child, False))
        except Unstorable as refused:
            raise refused.under(len(elements), owner)
        return elements

    def sequence(self, values: list[Any] | tuple[Any, ...], itemize: bool) -> list[Json]:
        memory = self.memory
        if not itemize or memory is None:
            return self.elements(values, values)
        builder = ListBuilder()
        trusts, known = not self.forgets, memory.places
        index = 0
        try:
            for index, element in enumerate(values):
                kind = type(element)
                # Text cannot have been changed, whoever returned it.
                place = known.get(id(element)) if trusts or kind is str else None
                if place is not None:
                    builder.add_item(place[1])
                elif kind in _NUMBERS:
                    builder.add_inline(self.value(element, False))
                elif (KINDS.get(kind) or kind_of(kind)) is send:
                    # A pushed task may carry the whole conversation: it stays in the list, and its own lists refer to items.
                    builder.add_inline(self.value(element, True))
                else:
                    self._add_element(builder, element)
        except Unstorable as refused:
            raise refused.under(index, values)
        return builder.finish()

    def _add_element(self, builder: ListBuilder, element: Any) -> None:
        memory: ThreadMemory = self.memory  # type: ignore[assignment]
        body = self.value(element, False)
        # As an item it would be stored twice, and the gap in the numbers would part the ranges of the list it joins.
        passes = not self.stores and is_for_reducer(element)
        place = None if passes else memory.ledger.place(body)
        if place is None:
            builder.add_inline(body)
            return
        builder.add_item(place)
        if not self.forgets or type(element) is str:
            memory.know(element, place)

    def storable(self, values: Mapping[str, Any]) -> tuple[JsonObject, bool]:
        """Those of the values that have a JSON form, and whether some have none."""
        fields: JsonObject = {}
        depth, complete = self.depth, True
        for key, child in values.items():
            try:
                fields[key] = self.value(child, False)
            except Unstorable:
                self.depth, complete = depth, False
        return fields, complete


_NUMBERS = frozenset((int, float, bool, type(None)))


def _integer(value: int) -> Json:
    if value.bit_length() < LONGEST_PRINTED_INTEGER_BITS:
        return tagged("bigint", int.__str__(value))
    return tagged("bigint", format(decimal.Decimal(value), "f"))


def _float(value: float) -> Json:
    """Plain when it has a fraction. A whole one would come back from JavaScript as an integer."""
    if not math.isfinite(value):
        return tagged("number", "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity")
    if not value.is_integer():
        return value
    if value == 0 and math.copysign(1, value) < 0:
        return tagged("number", "-0")
    if abs(value) <= MAX_SAFE_INTEGER:
        return tagged("float", int(value))
    # As JavaScript prints it, so that it reads back as the same JSON: shortest digits, an exponent from 1e21.
    return tagged("float", int(decimal.Decimal(repr(value))) if abs(value) < 1e21 else value)

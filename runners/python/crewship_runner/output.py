"""A run's output: what it wrote, compared with the state it started from."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from .items import ListBuilder
from .json_types import tag_of, tagged


def changes(before: dict, after: dict, written: Callable[[str], bool]) -> dict[str, Any]:
    """The keys the run has written, also where it wrote the same again; a list shows only the elements it added."""
    changed = {}
    for key, value in after.items():
        if written(key):
            old = before.get(key)
            both = isinstance(value, list) and isinstance(old, list)
            changed[key] = _added(old, value) if both else value
    return changed


def _added(before: list, after: list) -> list:
    before, after = _without_common_start(before, after)
    known = Counter(key for key, _add in _elements(before))
    builder = ListBuilder()
    for key, add in _elements(after):
        if known[key] > 0:
            known[key] -= 1
        else:
            add(builder)
    return builder.finish()


def _without_common_start(before: list, after: list) -> tuple[list, list]:
    """A conversation that grew differs in its last range: a turn costs what it added."""
    same = 0
    while same < min(len(before), len(after)) and before[same] == after[same]:
        same += 1
    before, after = before[same:], after[same:]
    old, new = _range_at(before, 0), _range_at(after, 0)
    if old is None or new is None or old[:2] != new[:2]:
        return before, after
    log, first, count = old
    common = min(count, new[2])
    rest = [tagged("items", log, first + common, one[2] - common) for one in (old, new)]
    return [rest[0], *before[1:]], [rest[1], *after[1:]]


def _elements(encoded: list) -> Iterator[tuple[Any, Callable[[ListBuilder], None]]]:
    for i, element in enumerate(encoded):
        found = _range_at(encoded, i)
        if found is None:
            yield json.dumps(element), lambda builder, element=element: builder.add_inline(element)
            continue
        log, first, count = found
        for number in range(first, first + count):
            yield (log, number), lambda builder, place=(log, number): builder.add_item(place)


def _range_at(encoded: list, i: int) -> tuple[int, int, int] | None:
    """The items an element of an encoded list stands for: log, first, count."""
    tag = tag_of(encoded[i]) if i < len(encoded) else None
    return (tag[1], tag[2], tag[3]) if tag is not None and tag[0] == "items" else None

"""JSON as a type, and the tags that stand for what JSON lacks: the same stored form as src/core/encoding.ts."""

from __future__ import annotations

import json
from typing import TypeAlias

Json: TypeAlias = str | int | float | bool | None | list["Json"] | dict[str, "Json"]
JsonObject: TypeAlias = dict[str, Json]

TAG = "$crewship"
# The deepest nesting a stored value may have, as in src/core/json.ts.
MAX_DEPTH = 200
# Beyond it, JavaScript's numbers are no longer exact.
MAX_SAFE_INTEGER = 2**53 - 1

# One value, one text: unlike ==, it tells 1 from True.
json_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def tagged(name: str, *payload: Json) -> JsonObject:
    return {TAG: [name, *payload]}


def tag_of(value: Json) -> list[Json] | None:
    """The tag of an encoded value as [name, *payload], or None when it is plain JSON."""
    if type(value) is not dict:
        return None
    tag = value.get(TAG)
    return tag if type(tag) is list and tag and type(tag[0]) is str else None


def parsed(text: str) -> Json:
    """What a text of JSON says; any other text as it is."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text


def _refuse(constant: str) -> None:
    """NaN and Infinity are Python's, and no JSON."""
    raise ValueError(constant)

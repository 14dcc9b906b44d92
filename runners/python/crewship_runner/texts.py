"""The texts of a store item's value that a path names: `$` for the whole, `a.b`, `list[0].b`, `list[-1]`, `list[*].b`, `*`."""

from __future__ import annotations

import json
import re
from typing import Any

_STEPS = re.compile(r"\.|(?=\[)")


def texts_at(value: dict[str, Any], path: str) -> list[tuple[str, str]]:
    """(path, text): where a path names several, the path goes on with the number of each."""
    if path == "$":
        return [(path, _sorted(value))]
    reached: list[Any] = [value]
    for step in filter(None, _STEPS.split(path)):
        reached = [found for at in reached for found in _follow(at, step)]
    texts = [_text(at) for at in reached if at is not None]
    return [(path, texts[0])] if len(texts) == 1 else [(f"{path}.{i}", text) for i, text in enumerate(texts)]


def _follow(at: Any, step: str) -> list[Any]:
    if step in ("*", "[*]"):
        return list(at.values()) if isinstance(at, dict) else at if isinstance(at, list) else []
    if step.startswith("["):
        try:
            return [at[int(step[1:-1])]] if isinstance(at, list) else []
        except (ValueError, IndexError):
            return []
    return [at[step]] if isinstance(at, dict) and step in at else []


def _text(at: Any) -> str:
    if isinstance(at, (dict, list, bool)):
        return _sorted(at)
    return str(at)


def _sorted(value: Any) -> str:
    """JSON that is the same whatever order the keys came in."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

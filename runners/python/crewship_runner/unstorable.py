"""Why a value cannot be stored, and where in it that stands."""

from __future__ import annotations


class Unstorable(Exception):
    """Raised where a value cannot be stored; on its way up, each container adds the key it stands under."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        # From the inside out.
        self.steps: list[tuple[str, object]] = []

    def under(self, key: object, container: object) -> Unstorable:
        self.steps.append((f".{key}" if isinstance(key, str) else f"[{key!r}]", container))
        return self

    def sentence(self) -> str:
        steps, problem = self.steps[::-1], self.problem
        seen: list[object] = []
        for at, (_, container) in enumerate(steps):
            if any(container is outer for outer in seen):
                steps, problem = steps[:at], "contains itself"
                break
            seen.append(container)
        path = "".join(key for key, _ in steps)
        return f"its {path} {problem}" if path else f"it {problem}"

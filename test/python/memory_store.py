"""The server's side of state as a list in memory: what an agent process stores, folded the way the database does."""

from __future__ import annotations

import json
from typing import Any

from crewship_runner.json_types import tag_of


class MemoryLog:
    def __init__(self, id: int) -> None:
        self.id = id
        self.items: list[Any] = []
        self.checkpoints: list[dict] = []
        self._writes: dict[tuple[str, str], list[dict]] = {}
        self._newest: dict[tuple[str, str], dict] = {}
        self.position = 0

    @property
    def head(self) -> dict | None:
        return next((kept for kept in reversed(self.checkpoints) if kept["namespace"] == ""), None)

    @property
    def size(self) -> int:
        """The characters of everything stored."""
        return len(
            json.dumps([self.items, [kept["sent"] for kept in self.checkpoints], list(self._writes.values())])
        )

    def add_items(self, items: dict | None) -> None:
        if items is None:
            return
        assert items["first"] == len(self.items), "items are numbered one after another"
        for body in items["bodies"]:
            assert not list(ranges([body])), "an item holds no reference to items"
            self.items.append(body)

    def add_checkpoint(self, run_id: str, body: dict) -> None:
        sent = json.loads(json.dumps(body))
        self.add_items(sent.pop("items", None))
        for value in [*sent["channels"].values(), *(sent["shown"] or {}).get("values", {}).values()]:
            self._check(value)
        parent = self._newest.get((sent["namespace"], sent["parent_checkpoint_id"]))
        assert parent or sent["parent_checkpoint_id"] is None, "a parent is stored before its child"
        folded = {**(parent["folded"] if parent else {}), **sent["channels"]}
        for name in sent["removed"]:
            folded.pop(name, None)
        self.position += 1
        kept = {**sent, "sent": sent, "folded": folded, "run_id": run_id, "position": self.position}
        self.checkpoints.append(kept)
        self._newest[(sent["namespace"], sent["checkpoint_id"])] = kept

    def add_writes(self, run_id: str, body: dict) -> None:
        sent = json.loads(json.dumps(body))
        self.add_items(sent.pop("items", None))
        self.position += 1
        kept = self._writes.setdefault((sent["namespace"], sent["checkpoint_id"]), [])
        for idx, channel, value in sent["writes"]:
            self._check(value)
            write = {"task_id": sent["task_id"], "task_path": sent["task_path"], "idx": idx}
            write.update(channel=channel, value=value, run_id=run_id)
            same = [
                i
                for i, known in enumerate(kept)
                if (known["task_id"], known["idx"]) == (sent["task_id"], idx)
            ]
            if not same:
                kept.append(write)
            elif idx < 0:
                kept[same[0]] = write
        kept.sort(key=lambda write: (write["task_path"], write["task_id"], write["idx"]))

    def read(self, request: dict) -> dict:
        namespace, checkpoint_id = request.get("namespace"), request.get("checkpoint_id")
        found = [kept for kept in self.checkpoints if namespace in (None, kept["namespace"])]
        if request["kind"] == "tuple":
            found = [kept for kept in found if checkpoint_id in (None, kept["checkpoint_id"])][-1:]
        else:
            before = request.get("before")
            newest = {(kept["namespace"], kept["checkpoint_id"]): kept for kept in found}
            found = [kept for kept in newest.values() if before is None or kept["checkpoint_id"] < before]
            found.sort(key=lambda kept: kept["checkpoint_id"], reverse=True)
            found = found[: request.get("limit")]
        checkpoints = [self._stored(kept) for kept in found]
        numbers = {
            number
            for stored in checkpoints
            for value in [
                *stored["channels"].values(),
                stored["state"],
                stored["metadata"],
                *(write["value"] for write in stored["writes"]),
            ]
            for _log, first, count in ranges([value])
            for number in range(first, first + count)
        }
        items = [[self.id, number, self.items[number]] for number in sorted(numbers)]
        return json.loads(json.dumps({"checkpoints": checkpoints, "items": items}))

    def values(self, checkpoint: dict | None = None) -> dict[str, Any]:
        """A checkpoint's visible values as the API shows them, but for what tags stand for."""
        checkpoint = checkpoint or self.head
        if checkpoint is None:
            return {}
        shown = checkpoint["shown"]
        return {
            key: self.show(shown.get("values", {}).get(key, checkpoint["folded"].get(key)))
            for key in shown["keys"]
        }

    def writes_of(self, checkpoint_id: str, namespace: str = "") -> list[dict]:
        return self._writes.get((namespace, checkpoint_id), [])

    def show(self, value: Any) -> Any:
        if isinstance(value, list):
            shown: list[Any] = []
            for element in value:
                tag = tag_of(element)
                if tag and tag[0] == "items":
                    shown += [self.show(self.items[number]) for number in range(tag[2], tag[2] + tag[3])]
                else:
                    shown.append(self.show(element))
            return shown
        tag = tag_of(value)
        if tag and tag[0] in ("message", "model", "constructor", "enum"):
            return self.show(tag[2])
        if tag:
            return self.show(tag[1])
        return {key: self.show(child) for key, child in value.items()} if isinstance(value, dict) else value

    def _check(self, value: Any) -> None:
        for log, first, count in ranges([value]):
            assert log == self.id
            assert first + count <= len(self.items), "an item is stored before anything refers to it"

    def _stored(self, kept: dict) -> dict:
        names = (
            "namespace",
            "checkpoint_id",
            "parent_checkpoint_id",
            "run_id",
            "position",
            "state",
            "metadata",
        )
        return {
            **{name: kept[name] for name in names},
            "channels": kept["folded"],
            "next": kept["shown"]["next"] if kept["shown"] else None,
            "writes": self.writes_of(kept["checkpoint_id"], kept["namespace"]),
        }


class MemoryPipe:
    """A run's pipe to a log in memory. Everything is committed at once."""

    def __init__(self, log: MemoryLog, run_id: str = "run_1") -> None:
        self.log_kept = log
        self.run_id = run_id
        self.over = False
        self.events: list[dict] = []
        self.sent: list[dict] = []
        self.reads = 0

    def emit(self, type: str, data: Any, langgraph: Any = None, items: dict | None = None) -> None:
        self.log_kept.add_items(items)
        told = {} if langgraph is None else {"langgraph": langgraph}
        self.events.append(json.loads(json.dumps({"type": type, "data": data, **told})))

    def log(self, level: str, message: str) -> None:
        self.emit("log", {"level": level, "message": message})

    def flush(self) -> None:
        pass

    def checkpoint(self, body: dict) -> None:
        self.sent.append({"type": "checkpoint", **body})
        self.log_kept.add_checkpoint(self.run_id, body)

    def writes(self, body: dict) -> None:
        self.sent.append({"type": "writes", **body})
        self.log_kept.add_writes(self.run_id, body)

    def read(self, request: dict) -> dict:
        self.reads += 1
        return self.log_kept.read(request)

    async def aread(self, request: dict) -> dict:
        return self.read(request)

    def wait_room(self) -> None:
        pass

    async def room(self) -> None:
        pass

    def wait_settled(self) -> None:
        pass

    async def settled(self) -> None:
        pass


def ranges(value: Any) -> Any:
    """The item ranges an encoded value refers to, in the order they stand."""
    if isinstance(value, list):
        for element in value:
            tag = tag_of(element)
            if tag and tag[0] == "items":
                yield tag[1:]
            else:
                yield from ranges(element)
    elif isinstance(value, dict):
        tag = tag_of(value)
        if tag is None:
            children = list(value.values())
        elif tag[0] == "object":
            children = list(tag[1].values())
        else:
            children = tag[1:]
        for child in children:
            yield from ranges(child)

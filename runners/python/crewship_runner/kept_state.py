"""The thread's values for everything but LangGraph: read at the start of a run, committed as checkpoints. Everything is
encoded again at each commit: code that changes its state in place leaves no trace by identity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .decode import Decoder, unescape_tags
from .encode import EncodingError, encode
from .ids import new_checkpoint_id
from .json_types import json_text
from .memory import ThreadMemory
from .pipe import RunPipe

INTERRUPT_CHANNEL = "__interrupt__"
# LangGraph's own number of that channel's writes: the newest counts.
INTERRUPT_IDX = -3


class KeptState:
    def __init__(self, memory: ThreadMemory, values: dict[str, Any], parent: str | None, step: int) -> None:
        # Live values; change them freely between commits.
        self.values = values
        # What the checkpoint it started from kept for the host, encoded, and the questions it waits at.
        self.kept: dict[str, Any] = {}
        self.writes: list[dict] = []
        # The run that committed that checkpoint.
        self.made_by: str | None = None
        self._memory = memory
        # The values it started from, encoded.
        self.begin: dict[str, Any] = {}
        self._stored: dict[str, Any] = {}
        self._decoder: Decoder | None = None
        self._parent = parent
        self._step = step

    @classmethod
    async def open(cls, start: dict, pipe: RunPipe) -> KeptState:
        """The state at the checkpoint the run starts from; the initial values of a thread that has none."""
        memory = ThreadMemory(start["log_id"], start["next_item"])
        head = start["head"]
        chosen = start["checkpoint_id"] or (head["checkpoint_id"] if head else None)
        if chosen is None:
            initial = start["initial_values"]
            state = cls(memory, {} if initial is None else dict(unescape_tags(initial)), None, -1)
            state.begin = state._encode()
            return state
        page = await pipe.aread({"kind": "tuple", "namespace": "", "checkpoint_id": chosen})
        if not page["checkpoints"]:
            raise ValueError(f"The checkpoint {chosen} does not exist in this thread.")
        stored = page["checkpoints"][0]
        decoder = Decoder(memory, page["items"])
        values = {key: decoder.decode(value) for key, value in stored["channels"].items()}
        step = (stored["metadata"] or {}).get("step")
        state = cls(memory, values, chosen, step if isinstance(step, int) else -1)
        state._decoder = decoder
        state.kept = stored["state"] or {}
        state.made_by = stored["run_id"]
        state.writes = [{**write, "value": decoder.decode(write["value"])} for write in stored["writes"]]
        # Encoded again from the decoded values: the same value has the same form, however it was stored.
        state.begin = state._stored = state._encode()
        return state

    def decode(self, encoded: Any) -> Any:
        """A value the checkpoint it started from has kept."""
        assert self._decoder is not None
        return self._decoder.decode(encoded)

    def commit(
        self,
        pipe: RunPipe,
        *,
        kept: dict[str, Any] | None = None,
        next: Sequence[str] = (),
        tasks: Sequence[dict] = (),
    ) -> str:
        """One checkpoint with the values that differ from what is stored; `kept`, encoded, is for the host of the next run."""
        after = self._encode()
        changed = {key: value for key, value in after.items() if self._differs(key, value)}
        checkpoint_id = new_checkpoint_id()
        self._step += 1
        body = {
            "namespace": "",
            "checkpoint_id": checkpoint_id,
            "parent_checkpoint_id": self._parent,
            "step": self._step,
            "source": "run",
            "channels": changed,
            "removed": [key for key in self._stored if key not in after],
            "state": kept or {},
            "metadata": {"step": self._step, "source": "run"},
            "shown": {"keys": list(after), "next": list(next), "tasks": list(tasks)},
        }
        pipe.checkpoint(self._with_items(body))
        self._parent, self._stored = checkpoint_id, after
        return checkpoint_id

    def ask(self, pipe: RunPipe, questions: Sequence[dict]) -> None:
        """Questions ({id, value, task?}) the last committed checkpoint waits at; the next run answers them."""
        if self._parent is None:
            raise RuntimeError("A question stands on a checkpoint: commit one first.")
        for question in questions:
            asked = encode([question], "the question", self._memory, "write")
            body = {
                "namespace": "",
                "checkpoint_id": self._parent,
                "task_id": question["id"],
                "task_path": "",
                "writes": [[INTERRUPT_IDX, INTERRUPT_CHANNEL, asked]],
            }
            pipe.writes(self._with_items(body))

    def _encode(self) -> dict[str, Any]:
        if not isinstance(self.values, dict):
            raise EncodingError("The state must be a dict: assign to its keys.")
        encoded = {}
        for key, value in self.values.items():
            if not isinstance(key, str):
                raise EncodingError(f"The state's keys must be text, and {key!r} is not.")
            encoded[key] = encode(value, f'the state\'s key "{key}"', self._memory, "write")
        return encoded

    def _differs(self, key: str, value: Any) -> bool:
        # As text: to Python, 1 and True are equal.
        return key not in self._stored or json_text(self._stored[key]) != json_text(value)

    def _with_items(self, body: dict) -> dict:
        items = self._memory.ledger.take_new()
        return body if items is None else {**body, "items": items}

"""What our LangGraph checkpointer does: it encodes what it is given at once and hands it to the journal. One per run,
bound to the run's thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from langgraph.checkpoint import base as checkpoint_base

from .encode import EncodingError, Mode, encode, safely
from .journal import Journal
from .memory import ThreadMemory
from .revive import Reviver
from .shown import is_internal
from .tuples import LiveTuple, LiveWrite, add_writes, copy_checkpoint, tuple_config
from .waits import Steps, Wait

# LangGraph's own table: these channels of a task are overwritten, not added.
SPECIAL_WRITES = {"__error__": -1, "__scheduled__": -2, "__interrupt__": -3, "__resume__": -4}
# Latest tuples of namespaces kept with live values; every subgraph call has its own namespace.
MAX_LIVE_NAMESPACES = 64
# Checkpoints whose channel versions are remembered, so that a put stores only what changed.
MAX_KNOWN_VERSIONS = 256
# DeltaChannel stores a snapshot at every 100th update by default, and is folded from the writes since.
MAX_ANCESTORS = 512
# Stored checkpoints read at once by a listing without a limit.
LIST_PAGE = 20


class SaverState:
    """Sync code calls it from any thread; only its waits leave the lock."""

    def __init__(
        self,
        *,
        thread_id: str,
        memory: ThreadMemory,
        store: Any,
        describe: Callable[[LiveTuple], Steps[dict]],
        fresh: bool,
        durability: str,
        deltas: bool,
        failed: Callable[[BaseException], None],
    ) -> None:
        self.thread_id = thread_id
        self._memory = memory
        self._store = store
        # True when the thread's log is empty, so that no read need travel.
        self._fresh = fresh
        # `sync` waits for each commit.
        self._durability = durability
        # True when channels are folded from the writes of earlier checkpoints, which are then kept.
        self._deltas = deltas
        # Called when something cannot be stored: LangGraph itself would notice only at the end of the run.
        self._failed = failed
        self._lock = threading.RLock()
        self.journal = Journal(store, memory, self._lock, describe)
        self._reviver = Reviver(store, memory, self._lock)
        self._live: dict[str, LiveTuple] = {}
        self._own_namespaces: set[str] = set()
        self._own: set[tuple[str, str]] = set()
        self._versions: dict[tuple[str, str], dict] = {}
        # Writes that came before the checkpoint they belong to.
        self._early: dict[tuple[str, str], list[LiveWrite]] = {}
        self._ancestors: dict[str, LiveTuple] = {}
        # The root checkpoint this run asks at, until it makes another.
        self.asking: str | None = None
        if memory.root is not None:
            self._ancestors = memory.root.ancestors
            self._keep(memory.root)

    @property
    def root(self) -> LiveTuple | None:
        """The thread's latest root checkpoint as this run knows it."""
        return self._live.get("")

    def find(self, config: dict) -> Steps[LiveTuple | None]:
        namespace, checkpoint_id = self._address(config)
        with self._lock:
            live = self._live.get(namespace)
            if live is not None and checkpoint_id in ("", live.id):
                return live
            if checkpoint_id:
                known = self._known(namespace, checkpoint_id)
                if known is not None:
                    return known
            elif self._is_new(namespace, config):
                return None
        if namespace in self._own_namespaces:
            yield from self._settle()
        found = yield from self.read_stored(namespace, checkpoint_id)
        return None if found is None else found[1]

    def list_page(
        self, config: dict | None, filter: dict | None, before: str | None, left: int | None
    ) -> Steps[tuple[list[LiveTuple], str | None]]:
        """Matching checkpoints older than `before`, at most `left`, and where to go on; None: there are no more."""
        configurable = (config or {}).get("configurable") or {}
        namespace, checkpoint_id = configurable.get("checkpoint_ns"), configurable.get("checkpoint_id")
        # A filter and an id are matched here, so how many of a page will match is not known.
        limit = LIST_PAGE if filter or checkpoint_id or left is None else min(left, LIST_PAGE)
        request: dict[str, Any] = {"kind": "list", "limit": limit}
        if isinstance(namespace, str):
            request["namespace"] = namespace
        if before:
            request["before"] = before
        yield from self._settle()
        page = yield self._reviver.read(request)
        decoder = self._reviver.decoder(page)
        found = []
        for stored in page["checkpoints"]:
            before = stored["checkpoint_id"]
            if checkpoint_id and before != checkpoint_id:
                continue
            live = yield from self._reviver.revive(stored, decoder)
            if all(live.metadata.get(key) == value for key, value in (filter or {}).items()):
                found.append(live)
        return found[:left], before if page["checkpoints"] else None

    def put(self, config: dict, given: dict, metadata: dict, new_versions: dict | None) -> Steps[dict]:
        namespace, parent = self._address(config, "put a checkpoint")
        checkpoint = copy_checkpoint(given)
        versions = checkpoint["channel_versions"]
        values = {name: value for name, value in checkpoint["channel_values"].items() if name in versions}
        checkpoint["channel_values"] = values
        key = (namespace, checkpoint["id"])
        with self._lock:
            latest = self._live.get(namespace)
            earlier = latest if latest is not None and latest.id == key[1] else None
            parent_id: str | None = parent or None
            if parent == key[1]:
                # The subgraphs of LangGraph 0.2.0 put one checkpoint over and over under one id, as its own parent.
                parent_id = None if earlier is None else earlier.parent_id
            changed = self._changed(namespace, parent_id, versions, new_versions)
            inherited = latest.stored if latest is not None and latest.id == parent_id else {}
            channels = {name: self._channel(name, values[name]) for name in changed if name in values}
            about = _metadata(config, metadata)
            writes = self._early.pop(key, []) if earlier is None else earlier.writes
            live = LiveTuple(namespace, checkpoint, about, parent_id, writes, {**inherited, **channels})
            state = {
                name: value for name, value in checkpoint.items() if name not in ("id", "channel_values")
            }
            step = about.get("step")
            body = {
                "namespace": namespace,
                "checkpoint_id": checkpoint["id"],
                "parent_checkpoint_id": parent_id,
                "step": step if type(step) is int else -1,
                "source": str(about.get("source", "loop")),
                "channels": channels,
                "removed": [name for name in changed if name not in values],
                "state": self._encode(state, "the checkpoint's versions", "store"),
                "metadata": self._encode(about, "the checkpoint's metadata", "inline"),
            }
            self._own_namespaces.add(namespace)
            self._own.add(key)
            if namespace == "" and checkpoint["id"] != self.asking:
                self.asking = None
            self._keep(live)
            self.journal.checkpoint(live, body)
        yield from self._stored()
        return tuple_config(self.thread_id, namespace, checkpoint["id"])

    def put_writes(
        self, config: dict, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str
    ) -> Steps[None]:
        namespace, checkpoint_id = self._address(config, "put writes")
        if not checkpoint_id:
            raise ValueError('Cannot put writes: "checkpoint_id" is missing in the configurable.')
        key = (namespace, checkpoint_id)
        with self._lock:
            if namespace == "" and any(channel == "__interrupt__" for channel, _ in writes):
                self.asking = checkpoint_id
            live, encoded = [], []
            for i, (channel, value) in enumerate(writes):
                idx = SPECIAL_WRITES.get(channel, i)
                live.append(LiveWrite(task_id, task_path, idx, channel, value))
                encoded.append([idx, channel, self._encode(value, f'the channel "{channel}"', "write")])
            latest = self._live.get(namespace)
            if latest is None or latest.id != checkpoint_id:
                latest = self._known(namespace, checkpoint_id)
            known = latest.writes if latest is not None else self._early.get(key, [])
            add_writes(known, live)
            if latest is None and key not in self._own:
                self._early[key] = known
            self._own_namespaces.add(namespace)
            body = {"namespace": namespace, "checkpoint_id": checkpoint_id, "task_id": task_id}
            self.journal.writes({**body, "task_path": task_path, "writes": encoded})
        yield from self._stored()

    def read_stored(self, namespace: str, checkpoint_id: str = "") -> Steps[tuple[dict, LiveTuple] | None]:
        """A checkpoint as it is stored, with the runs that made it. Nothing of this run may be under way."""
        request = {"kind": "tuple", "namespace": namespace}
        if checkpoint_id:
            request["checkpoint_id"] = checkpoint_id
        page = yield self._reviver.read(request)
        if not page["checkpoints"]:
            return None
        stored = page["checkpoints"][0]
        live = yield from self._reviver.revive(stored, self._reviver.decoder(page))
        with self._lock:
            self._know(live)
            if not checkpoint_id:
                self._keep(live)
        return stored, live

    def has_put(self, namespace: str, checkpoint_id: str) -> bool:
        return (namespace, checkpoint_id) in self._own

    def encode_shown(self, value: Any, where: str) -> Any:
        with self._lock:
            return encode(value, where, self._memory, "store")

    def tell_written(self, value: object, tell: Callable[[Any, dict | None], None]) -> None:
        """
        Tells what a task has written, with the items that are new. Encoded anew, since it may still be changed in place;
        what was stored of it is found by its content. Nothing else leaves meanwhile that might refer to those items.
        """
        with self._lock:
            try:
                encoded = encode(value, "what a task has written", self._memory, "write")
            except EncodingError:
                encoded = safely(value)
            tell(encoded, self._memory.ledger.take_new())

    def _known(self, namespace: str, checkpoint_id: str) -> LiveTuple | None:
        ancestor = self._ancestors.get(checkpoint_id) if namespace == "" else None
        return self.journal.pending(namespace, checkpoint_id) if ancestor is None else ancestor

    def _is_new(self, namespace: str, config: dict) -> bool:
        """
        A subgraph's namespace ends in the id of a task, which follows from its parent's checkpoint: when this run
        made that checkpoint, nothing can be stored under it yet, and the question need not travel.
        """
        if namespace in self._own_namespaces:
            return False
        if self._fresh:
            return True
        parent, _, task = namespace.rpartition("|")
        if ":" not in task:
            return False
        parents = config["configurable"].get("checkpoint_map") or {}
        return (parent, parents.get(parent)) in self._own

    def _changed(
        self, namespace: str, parent_id: str | None, versions: dict, new_versions: dict | None
    ) -> list[str]:
        """By the versions of the parent, because LangGraph 0.2.0 passes no new versions with an update."""
        known = {} if parent_id is None else self._versions.get((namespace, parent_id))
        if known is None:
            return list(new_versions or versions)
        changed = dict.fromkeys(new_versions or ())
        changed.update(dict.fromkeys(name for name in versions if known.get(name) != versions[name]))
        changed.update(dict.fromkeys(name for name in known if name not in versions))
        return list(changed)

    def _channel(self, name: str, value: Any) -> Any:
        # What a node returned was forgotten when its writes came. Without writes, nothing is known to be unchanged.
        mode: Mode = "write" if self._durability == "exit" else "input" if is_internal(name) else "store"
        return self._encode(value, f'the channel "{name}"', mode)

    def _encode(self, value: Any, where: str, mode: Mode) -> Any:
        try:
            return encode(value, where, None if mode == "inline" else self._memory, mode)
        except Exception as error:
            self._failed(error)
            raise

    def _stored(self) -> Steps[None]:
        if self._durability == "sync":
            yield from self._settle()
        else:
            yield Wait(self._store.wait_room, self._store.room)

    def _settle(self) -> Steps[None]:
        yield from self.journal.flush()
        yield Wait(self._store.wait_settled, self._store.settled)

    def _keep(self, live: LiveTuple) -> None:
        self._live.pop(live.namespace, None)
        self._live[live.namespace] = live
        self._know(live)
        if len(self._live) > MAX_LIVE_NAMESPACES:
            del self._live[next(namespace for namespace in self._live if namespace != "")]

    def _know(self, live: LiveTuple) -> None:
        if self._deltas and live.namespace == "":
            self._ancestors[live.id] = live
            live.ancestors = self._ancestors
            if len(self._ancestors) > MAX_ANCESTORS:
                del self._ancestors[next(iter(self._ancestors))]
        self._versions[(live.namespace, live.id)] = live.versions
        if len(self._versions) > MAX_KNOWN_VERSIONS:
            del self._versions[next(iter(self._versions))]

    def _address(self, config: dict, action: str | None = None) -> tuple[str, str]:
        configurable = config.get("configurable") or {}
        thread_id = configurable.get("thread_id")
        if action and thread_id is None:
            raise ValueError(f'Cannot {action}: "thread_id" is missing in the configurable.')
        if action and str(thread_id) != self.thread_id:
            raise ValueError(
                f"Cannot {action} of the thread {thread_id}: an agent's checkpointer keeps the thread of its run only. "
                "Compile a graph that keeps a thread of its own with a checkpointer of its own."
            )
        checkpoint_id = configurable.get("checkpoint_id") or configurable.get("thread_ts") or ""
        return str(configurable.get("checkpoint_ns") or ""), str(checkpoint_id)


def _metadata(config: dict, metadata: dict) -> dict[str, Any]:
    """With the run's own metadata, which every newer LangGraph's checkpointers keep as well."""
    merge = getattr(checkpoint_base, "get_checkpoint_metadata", None)
    merged = metadata if merge is None else merge(config, metadata)
    return {key: value for key, value in merged.items() if key != "writes"}

/**
 * Our LangGraph checkpointer: it encodes what it is given at once and hands it to the journal. One per run, bound to
 * the run's thread, whatever thread_id it is called with.
 */
import type { Json } from "../../src/core/json.ts";
import type { StoredCheckpoint } from "../../src/runner/protocol.ts";
import { encode } from "./encode.ts";
import type {
  Checkpoint,
  CheckpointTuple,
  Framework,
  ListOptions,
  RunnableConfig,
  SaverBase,
} from "./framework.ts";
import { type Describe, Journal } from "./journal.ts";
import type { ThreadMemory } from "./memory.ts";
import { Reviver } from "./revive.ts";
import { isInternal } from "./shown.ts";
import type { CheckpointStore, ReadRequest, Shown } from "./store.ts";
import { addWrites, copyCheckpoint, type LiveTuple, type LiveWrite, toTuple, tupleConfig } from "./tuple.ts";

/** LangGraph's own table: these channels of a task are overwritten, not added. */
const SPECIAL_WRITES: Record<string, number> = {
  __error__: -1,
  __scheduled__: -2,
  __interrupt__: -3,
  __resume__: -4,
};
/** Latest tuples of namespaces kept with live values; every subgraph call has its own namespace. */
const MAX_LIVE_NAMESPACES = 64;
/** Stored checkpoints read at once by a listing without a limit. */
const LIST_PAGE = 20;

export type SaverOptions = {
  framework: Framework;
  threadId: string;
  memory: ThreadMemory;
  store: CheckpointStore;
  describe: Describe;
  /** True when the thread's log is empty, so that no read need travel. */
  fresh: boolean;
  /** LangGraph's durability: `sync` waits for each commit. */
  durability: string;
  /** Called once when something cannot be stored: LangGraph itself would notice only at the end of the run. */
  failed: (error: unknown) => void;
};

/** The state behind a saver, kept apart from the class so that the class can extend the project's own base. */
export class SaverState {
  readonly journal: Journal;
  readonly #options: SaverOptions;
  readonly #reviver: Reviver;
  readonly #live = new Map<string, LiveTuple>();
  readonly #own = new Set<string>();
  /** Writes that came before the checkpoint they belong to. */
  readonly #early = new Map<string, LiveWrite[]>();
  /** Checkpoints LangGraph is being asked about, because it has not told of them. */
  #describing = 0;
  /** The root checkpoint this run asks at, until it makes another. */
  asking: string | undefined;

  constructor(options: SaverOptions) {
    this.#options = options;
    this.#reviver = new Reviver(options);
    this.journal = new Journal(options.store, options.memory, async (tuple) => {
      this.#describing++;
      try {
        return await options.describe(tuple);
      } finally {
        this.#describing--;
      }
    });
    if (options.memory.root) this.#live.set("", options.memory.root);
  }

  get threadId(): string {
    return this.#options.threadId;
  }

  /** The thread's latest root checkpoint as this run knows it. */
  get root(): LiveTuple | undefined {
    return this.#live.get("");
  }

  async find(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    const { namespace, checkpointId } = address(config);
    const tuple = await this.#find(namespace, checkpointId, config);
    return tuple && toTuple(tuple, this.threadId, checkpointId ? config : undefined);
  }

  async #find(
    namespace: string,
    checkpointId: string,
    config: RunnableConfig,
  ): Promise<LiveTuple | undefined> {
    const live = this.#live.get(namespace);
    if (live && (!checkpointId || live.checkpoint.id === checkpointId)) return live;
    if (checkpointId) {
      const pending = this.journal.pending(namespace, checkpointId);
      if (pending) return pending;
    } else if (this.#isFresh(namespace, config)) return undefined;
    if (this.#own.has(namespace)) {
      // A description may read what came before it (a DeltaChannel is folded from that), and must not wait for itself.
      await (this.#describing > 0 ? this.#options.store.settled() : this.#settle());
    }
    const request: ReadRequest = {
      kind: "tuple",
      namespace,
      ...(checkpointId && { checkpoint_id: checkpointId }),
    };
    const page = await this.#options.store.read(request);
    const stored = page.checkpoints[0];
    if (!stored) return undefined;
    const tuple = await this.#reviver.revive(stored, this.#reviver.decoder(page));
    if (!checkpointId) this.#keep(tuple);
    return tuple;
  }

  /**
   * A subgraph's namespace ends in the id of a task, which follows from its parent's checkpoint: when this run made
   * that checkpoint, nothing can be stored under it yet, and the question need not travel.
   */
  #isFresh(namespace: string, { configurable }: RunnableConfig): boolean {
    if (this.#options.fresh && !this.#own.has(namespace)) return true;
    const [parent, task] = [namespace.split("|").slice(0, -1).join("|"), namespace.split("|").at(-1)];
    if (!namespace || !task?.includes(":") || this.#own.has(namespace)) return false;
    const parents = (configurable?.checkpoint_map ?? {}) as Record<string, string>;
    return parents[parent] !== undefined && this.#own.has(ownKey(parent, parents[parent]));
  }

  async *list(
    config: RunnableConfig,
    { limit, before, filter }: ListOptions = {},
  ): AsyncGenerator<CheckpointTuple> {
    await this.#settle();
    const { checkpoint_ns, checkpoint_id } = config.configurable ?? {};
    let last = before?.configurable?.checkpoint_id as string | undefined;
    let left = limit ?? Number.POSITIVE_INFINITY;
    while (left > 0) {
      const page = await this.#options.store.read({
        kind: "list",
        ...(typeof checkpoint_ns === "string" && { namespace: checkpoint_ns }),
        ...(last !== undefined && { before: last }),
        // A filter and an id are matched here, so how many of a page will match is not known.
        limit: filter || checkpoint_id ? LIST_PAGE : Math.min(left, LIST_PAGE),
      });
      const decoder = this.#reviver.decoder(page);
      for (const stored of page.checkpoints) {
        if (left <= 0) return;
        last = stored.checkpoint_id;
        if (checkpoint_id && stored.checkpoint_id !== checkpoint_id) continue;
        const tuple = await this.#reviver.revive(stored, decoder);
        if (filter && !Object.entries(filter).every(([key, value]) => tuple.metadata[key] === value))
          continue;
        left--;
        yield toTuple(tuple, this.threadId);
      }
      if (page.checkpoints.length === 0) return;
    }
  }

  async put(
    config: RunnableConfig,
    given: Checkpoint,
    metadata: Record<string, unknown>,
    newVersions: Record<string, unknown> | undefined,
  ): Promise<RunnableConfig> {
    const { namespace, checkpointId: parent } = address(config, "put checkpoint");
    const checkpoint = copyCheckpoint(given);
    const { id, channel_values, ...state } = checkpoint;
    const values = channel_values ?? {};
    const { memory, store, durability } = this.#options;
    const channels: Record<string, Json> = {};
    const removed: string[] = [];
    // What a node returned was forgotten when its writes came. Without writes, nothing is known to be unchanged.
    for (const name of Object.keys(newVersions ?? values)) {
      if (values[name] === undefined) removed.push(name);
      else {
        const mode = durability === "exit" ? "write" : isInternal(name) ? "input" : "store";
        channels[name] = this.#encode(() => encode(values[name], `the channel "${name}"`, memory, mode));
      }
    }
    const { writes: _repeated, ...about } = metadata;
    const tuple: LiveTuple = {
      namespace,
      checkpoint,
      metadata: { ...about },
      parentId: parent || null,
      writes: this.#early.get(ownKey(namespace, id)) ?? [],
    };
    this.#early.delete(ownKey(namespace, id));
    const body = {
      namespace,
      checkpoint_id: id,
      parent_checkpoint_id: tuple.parentId,
      step: typeof about.step === "number" ? about.step : -1,
      source: String(about.source ?? "loop"),
      channels,
      removed,
      state: this.#encode(() => encode(state, "the checkpoint's versions", memory, "store")),
      metadata: this.#encode(() => encode(about, "the checkpoint's metadata")),
    };
    this.#own.add(namespace).add(ownKey(namespace, id));
    if (namespace === "" && id !== this.asking) this.asking = undefined;
    this.#keep(tuple);
    this.journal.checkpoint(tuple, body);
    if (durability === "sync") await this.#settle();
    else await store.room();
    return tupleConfig(this.threadId, namespace, id);
  }

  async putWrites(
    config: RunnableConfig,
    writes: [channel: string, value: unknown][],
    taskId: string,
    taskPath = "",
  ): Promise<void> {
    const { namespace, checkpointId } = address(config, "put writes");
    if (!checkpointId)
      throw new Error('Failed to put writes: "checkpoint_id" is missing in the configurable.');
    const { memory, store } = this.#options;
    const live: LiveWrite[] = [];
    const encoded: [number, string, Json][] = [];
    writes.forEach(([channel, value], i) => {
      const idx = SPECIAL_WRITES[channel] || i;
      live.push({ task_id: taskId, task_path: taskPath, idx, channel, value });
      encoded.push([
        idx,
        channel,
        this.#encode(() => encode(value, `the channel "${channel}"`, memory, "write")),
      ]);
    });
    if (namespace === "" && writes.some(([channel]) => channel === "__interrupt__"))
      this.asking = checkpointId;
    const key = ownKey(namespace, checkpointId);
    const latest = this.#live.get(namespace);
    if (latest?.checkpoint.id === checkpointId) addWrites(latest.writes, live);
    else {
      const known = this.journal.pending(namespace, checkpointId)?.writes ?? this.#early.get(key) ?? [];
      addWrites(known, live);
      if (!this.#own.has(key)) this.#early.set(key, known);
    }
    this.#own.add(namespace);
    this.journal.writes({
      namespace,
      checkpoint_id: checkpointId,
      task_id: taskId,
      task_path: taskPath,
      writes: encoded,
    });
    if (this.#options.durability === "sync") await this.#settle();
    else await store.room();
  }

  /** The head with the runs that made it, for deciding how a run continues. Nothing of this run may be under way. */
  async readStored(
    request: ReadRequest,
  ): Promise<{ stored: StoredCheckpoint; tuple: LiveTuple } | undefined> {
    const page = await this.#options.store.read(request);
    const stored = page.checkpoints[0];
    if (!stored) return undefined;
    const tuple = await this.#reviver.revive(stored, this.#reviver.decoder(page));
    if (request.kind === "tuple" && request.namespace === "" && !request.checkpoint_id) this.#keep(tuple);
    return { stored, tuple };
  }

  encodeShown(value: unknown, where: string): Json {
    return encode(value, where, this.#options.memory, "store");
  }

  report(namespace: string, checkpointId: string, shown: (tuple: LiveTuple | undefined) => Shown): void {
    this.journal.report(namespace, checkpointId, shown);
  }

  async #settle(): Promise<void> {
    await this.journal.flush();
    await this.#options.store.settled();
  }

  #encode(work: () => Json): Json {
    try {
      return work();
    } catch (error) {
      this.#options.failed(error);
      throw error;
    }
  }

  #keep(tuple: LiveTuple): void {
    this.#live.delete(tuple.namespace);
    this.#live.set(tuple.namespace, tuple);
    if (this.#live.size <= MAX_LIVE_NAMESPACES) return;
    for (const namespace of this.#live.keys()) {
      if (namespace === "") continue;
      this.#live.delete(namespace);
      return;
    }
  }
}

function ownKey(namespace: string, checkpointId: string): string {
  return `${namespace}\n${checkpointId}`;
}

function address(config: RunnableConfig, action?: string): { namespace: string; checkpointId: string } {
  const { thread_id, checkpoint_ns, checkpoint_id, thread_ts } = config.configurable ?? {};
  if (action && thread_id === undefined)
    throw new Error(`Failed to ${action}: "thread_id" is missing in the configurable.`);
  return { namespace: String(checkpoint_ns ?? ""), checkpointId: String(checkpoint_id || thread_ts || "") };
}

/** The methods LangGraph calls, on the base class of the project's own copy of LangGraph. */
export function saverClass(Base: SaverBase) {
  return class CrewshipSaver extends Base {
    readonly #state: SaverState;

    constructor(state: SaverState) {
      super();
      this.#state = state;
    }

    getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
      return this.#state.find(config);
    }

    async get(config: RunnableConfig): Promise<Checkpoint | undefined> {
      return (await this.#state.find(config))?.checkpoint;
    }

    list(config: RunnableConfig, options?: ListOptions): AsyncGenerator<CheckpointTuple> {
      return this.#state.list(config, options);
    }

    put(
      config: RunnableConfig,
      checkpoint: Checkpoint,
      metadata: Record<string, unknown>,
      newVersions?: Record<string, unknown>,
    ): Promise<RunnableConfig> {
      return this.#state.put(config, checkpoint, metadata, newVersions);
    }

    putWrites(
      config: RunnableConfig,
      writes: [channel: string, value: unknown][],
      taskId: string,
      taskPath?: string,
    ): Promise<void> {
      return this.#state.putWrites(config, writes, taskId, taskPath);
    }

    async deleteThread(): Promise<void> {
      throw new Error("An agent cannot delete its own thread; use DELETE /v1/threads/{id}.");
    }

    toJSON(): string {
      return "[CrewshipSaver]";
    }
  };
}

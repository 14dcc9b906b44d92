/** Executes runs of a LangGraph graph, and updates of its state, with our checkpointer attached. */
import { isObject, type Json } from "../../src/core/json.ts";
import type { Structure } from "../../src/core/structure.ts";
import type { RunStart } from "../../src/runner/protocol.ts";
import { decideContinuation } from "./continuation.ts";
import { unescapeTags } from "./decode.ts";
import type { Embedder } from "./embedder.ts";
import { EncodingError, encode } from "./encode.ts";
import { describeError } from "./errors.ts";
import type { CompiledGraph, Framework, RunnableConfig, StateSnapshot, StreamEvent } from "./framework.ts";
import type { Host, Update } from "./host.ts";
import { storeClass } from "./langgraph_store.ts";
import { ThreadMemory } from "./memory.ts";
import { changes } from "./output.ts";
import type { Done, RunPipe } from "./pipe.ts";
import { RunStore } from "./run_store.ts";
import { SaverState, saverClass } from "./saver.ts";
import { type CheckpointReport, toShown, visibleValues } from "./shown.ts";
import { type Chunk, callbacksWith, type DebugEntry, StreamEvents, toolEvents } from "./stream.ts";
import { describeGraph } from "./structure.ts";
import { copyCheckpoint, type LiveTuple } from "./tuple.ts";
import type { WarmStates } from "./warm.ts";

type Attached = {
  graph: CompiledGraph;
  state: SaverState;
  memory: ThreadMemory;
  threadId: string;
  single?: string;
};

type HostOptions = { warm: WarmStates; embedder: Embedder | undefined };

export class LangGraphHost implements Host {
  readonly #graph: CompiledGraph;
  readonly #framework: Framework;
  readonly #warm: WarmStates;
  readonly #Saver: ReturnType<typeof saverClass>;
  readonly #embedder: Embedder | undefined;
  readonly #Store: ReturnType<typeof storeClass> | undefined;
  /** Said once: what of the user's own is not used. */
  readonly #replaced: string[] = [];

  constructor(graph: CompiledGraph, framework: Framework, { warm, embedder }: HostOptions) {
    this.#graph = graph;
    this.#framework = framework;
    this.#warm = warm;
    this.#embedder = embedder;
    this.#Store = framework.stores && storeClass(framework.stores);
    this.#Saver = saverClass(framework.BaseCheckpointSaver);
    if (typeof graph.checkpointer === "object" && graph.checkpointer !== null)
      this.#replaced.push(
        "The checkpointer compiled into the graph is replaced: the server keeps this thread's state.",
      );
    if (this.#Store && typeof graph.store === "object" && graph.store !== null)
      this.#replaced.push(
        "The store compiled into the graph is replaced: the server keeps the deployment's store items.",
      );
  }

  describe(): Promise<Structure> {
    return describeGraph(this.#graph, this.#framework);
  }

  async run(start: RunStart, pipe: RunPipe, signal: AbortSignal): Promise<Done> {
    const failure = new AbortController();
    const attached = this.#attach(start, pipe, (error) => failure.abort(error));
    for (const line of this.#replaced.splice(0)) pipe.log("info", line);
    let done: Done;
    try {
      done = await this.#execute(start, attached, pipe, AbortSignal.any([signal, failure.signal]));
    } catch (error) {
      await attached.state.journal.flush();
      const cause: unknown = failure.signal.aborted ? failure.signal.reason : error;
      done = signal.aborted ? { outcome: "canceled" } : { outcome: "failed", error: describeError(cause) };
    }
    if (signal.aborted) done = { outcome: "canceled" };
    // An interrupted thread's next run may be executed elsewhere and leave only writes on the same checkpoint, which
    // this process could not tell from nothing: it reads such a thread anew.
    if (done.outcome === "succeeded") this.#giveBack(start, attached);
    return done;
  }

  async update(update: Update, pipe: RunPipe): Promise<Done> {
    const attached = this.#attach(update, pipe, () => {});
    const { graph, state, threadId } = attached;
    try {
      const configurable = address(threadId, update.checkpoint_id);
      await graph.updateState({ configurable }, unescapeTags(update.values), update.as_node ?? undefined);
      await state.journal.flush();
    } catch (error) {
      return { outcome: "failed", error: describeError(error) };
    }
    this.#giveBack(update, attached);
    return { outcome: "succeeded" };
  }

  async #execute(start: RunStart, attached: Attached, pipe: RunPipe, signal: AbortSignal): Promise<Done> {
    const { graph, state, threadId } = attached;
    const way =
      start.attempt > 1
        ? await decideContinuation(start, graph, state)
        : { way: "input" as const, base: undefined };
    const base = way.base === undefined ? await this.#startingPoint(start, state) : way.base;
    const initial = way.way === "input" && !base && !state.root ? start.initial_values : null;
    if (initial !== null) {
      await graph.updateState({ configurable: address(threadId, null) }, unescapeTags(initial));
      await state.journal.flush();
    }
    const from = initial === null ? base : frozen(state.root!);
    const before = { values: await this.#visible(from, attached), versions: versionsOf(from) };
    if (way.way === "interrupted" || way.way === "succeeded") {
      const snapshot = await graph.getState({ configurable: address(threadId, null) });
      return this.#finish(attached, before, snapshot, way.way);
    }

    const input = way.way === "resume" ? null : this.#input(start);
    const config = this.#config(
      start,
      threadId,
      pipe,
      signal,
      way.way === "input" ? start.checkpoint_id : null,
    );
    let last: { id: string; report: CheckpointReport } | undefined;
    const events = new StreamEvents(pipe, attached.memory);
    const chunks = start.stream_events
      ? withEvents(graph.streamEvents(input, { ...config, version: "v2" }), events)
      : await graph.stream(input, config);
    for await (const chunk of chunks) {
      const [namespace, mode, payload] = chunk as Chunk;
      if (mode === "debug") {
        const entry = payload as DebugEntry;
        if (entry.type === "checkpoint") last = this.#report(attached, entry.payload) ?? last;
        else events.task(namespace, entry);
      } else if (mode === "messages") events.message(namespace, payload);
      else if (mode === "custom") events.custom(namespace, payload);
      await pipe.caughtUp();
    }
    signal.throwIfAborted();
    await state.journal.flush();
    if (state.asking !== undefined) {
      // At its second question a task has written its first answer, and LangGraph counts it as done: `next` is empty.
      // LangGraph shows what other tasks have written only of the latest checkpoint, which it is asked for without an id.
      const at = state.asking === state.root?.checkpoint.id ? null : state.asking;
      const snapshot = await graph.getState({ configurable: address(threadId, at) });
      return this.#finish(attached, before, snapshot, "interrupted");
    }
    const isLast =
      last !== undefined && last.id === state.root?.checkpoint.id && last.report.next.length === 0;
    const snapshot = isLast ? last!.report : await graph.getState({ configurable: address(threadId, null) });
    return this.#finish(attached, before, snapshot, snapshot.next.length > 0 ? "interrupted" : "succeeded");
  }

  /** Tells the journal what LangGraph says of a checkpoint; returns what it says of a root one. */
  #report(attached: Attached, { config, ...report }: CheckpointReport & { config: RunnableConfig }) {
    const { checkpoint_ns, checkpoint_id } = config.configurable ?? {};
    const [namespace, id] = [String(checkpoint_ns ?? ""), String(checkpoint_id ?? "")];
    const { state } = attached;
    const single = namespace === "" ? attached.single : undefined;
    state.report(namespace, id, (held) =>
      toShown(report, held, single, (value, where) => state.encodeShown(value, where)),
    );
    return namespace === "" ? { id, report } : undefined;
  }

  #attach(start: RunStart, pipe: RunPipe, failed: (error: unknown) => void): Attached {
    const memory = this.#warm.take(start) ?? new ThreadMemory(start.log_id, start.next_item);
    const threadId = start.thread_id ?? start.run_id;
    const state = new SaverState({
      framework: this.#framework,
      threadId,
      memory,
      store: pipe,
      describe: (tuple) => this.#describe(attached, tuple),
      fresh: start.head === null && start.checkpoint_id === null && start.attempt === 1,
      durability: durabilityOf(start.config),
      failed,
    });
    // A shallow clone: several runs share the graph at once, each with its own checkpointer and store.
    const own = { writable: true, enumerable: true, configurable: true };
    const store = this.#Store && new this.#Store(new RunStore(pipe, this.#embedder));
    const graph = Object.create(this.#graph, {
      checkpointer: { value: new this.#Saver(state), ...own },
      ...(store && { store: { value: store, ...own } }),
    }) as CompiledGraph;
    const { streamChannelsAsIs: channels } = this.#graph;
    const attached: Attached = {
      graph,
      state,
      memory,
      threadId,
      ...(typeof channels === "string" && { single: channels }),
    };
    return attached;
  }

  async #describe({ graph, state, threadId, single }: Attached, tuple: LiveTuple) {
    let report: CheckpointReport;
    const encodeValue = (value: unknown, where: string) => state.encodeShown(value, where);
    try {
      const { namespace, checkpoint } = tuple;
      const configurable = { thread_id: threadId, checkpoint_ns: namespace, checkpoint_id: checkpoint.id };
      report = await graph.getState({ configurable });
    } catch {
      // A subgraph made while the run went on can't be asked; its channels can be shown.
      report = { values: tuple.checkpoint.channel_values, next: [], tasks: [] };
    }
    return toShown(report, tuple, tuple.namespace === "" ? single : undefined, encodeValue);
  }

  async #startingPoint(start: RunStart, state: SaverState): Promise<LiveTuple | null> {
    if (start.checkpoint_id === null && state.root) return frozen(state.root);
    if (start.checkpoint_id === null && start.head === null) return null;
    const checkpoint = start.checkpoint_id !== null && { checkpoint_id: start.checkpoint_id };
    const read = await state.readStored({ kind: "tuple", namespace: "", ...checkpoint });
    return read ? frozen(read.tuple) : null;
  }

  /** The output channels of a state, encoded; their items are already stored. */
  async #visible(
    base: LiveTuple | null,
    { graph, memory, threadId }: Attached,
  ): Promise<Record<string, Json>> {
    if (!base) return {};
    const keys = [this.#graph.outputChannels].flat();
    const folded = keys.some((key) => this.#graph.channels[key]?.lc_graph_name === "DeltaChannel");
    const values = folded
      ? (await graph.getState({ configurable: address(threadId, base.checkpoint.id) })).values
      : base.checkpoint.channel_values;
    return encodeKeys(keys, visibleValues(values, undefined), memory);
  }

  #finish(
    { memory, single, state }: Attached,
    before: { values: Record<string, Json>; versions: Record<string, unknown> },
    snapshot: CheckpointReport | StateSnapshot,
    outcome: "succeeded" | "interrupted",
  ): Done {
    const { outputChannels } = this.#graph;
    let output: Json;
    try {
      const after = encodeKeys([outputChannels].flat(), visibleValues(snapshot.values, single), memory);
      const versions = versionsOf(state.root);
      const written = (key: string) => versions[key] !== before.versions[key];
      const changed = changes(before.values, after, written);
      output = typeof outputChannels === "string" ? (after[outputChannels] ?? null) : changed;
    } catch (error) {
      if (!(error instanceof EncodingError)) throw error;
      return { outcome: "failed", error: { code: "output_not_json", message: error.message } };
    }
    const items = memory.ledger.takeNew();
    return { outcome, output, ...(items && { items }) };
  }

  #giveBack(start: RunStart, { memory, state }: Attached): void {
    memory.root = state.root;
    this.#warm.give(start.log_id, memory);
  }

  #input({ input, command }: RunStart): unknown {
    if (!isObject(command)) return unescapeTags(input);
    const { Command, Send } = this.#framework.classes;
    const fields = unescapeTags(command) as Record<string, unknown>;
    const targets = fields.goto === undefined || fields.goto === null ? [] : [fields.goto].flat();
    const goto = targets.map((target) => {
      const {
        node,
        input: sent,
        args,
      } = (target ?? {}) as { node?: string; input?: unknown; args?: unknown };
      return typeof node === "string" && Send ? new Send(node, sent ?? args ?? null) : target;
    });
    return new Command({
      ...(fields.resume !== undefined && { resume: fields.resume }),
      ...(fields.update != null && { update: fields.update }),
      ...(goto.length > 0 && { goto }),
    });
  }

  #config(
    start: RunStart,
    threadId: string,
    pipe: RunPipe,
    signal: AbortSignal,
    checkpointId: string | null,
  ): RunnableConfig {
    const own = (isObject(start.config) ? unescapeTags(start.config) : {}) as Record<string, unknown>;
    const { configurable, metadata, recursion_limit, tags, context, durability } = own;
    return {
      ...(Array.isArray(tags) && { tags }),
      ...(typeof recursion_limit === "number" && { recursionLimit: recursion_limit }),
      ...(context != null && { context }),
      ...(typeof durability === "string" && { durability }),
      // LangGraph takes a run for a continued one when metadata.run_id is that of the checkpoint's.
      ...(isObject(metadata) && { metadata: without(metadata, /^run_id$|^thread_id$/) }),
      configurable: {
        ...(isObject(configurable) &&
          without(configurable, /^run_id$|^thread_id$|^thread_ts$|^checkpoint|^__pregel/)),
        ...address(threadId, checkpointId),
      },
      callbacks: callbacksWith(this.#graph, toolEvents(pipe, this.#framework)),
      ...(start.interrupt_before !== null && { interruptBefore: start.interrupt_before }),
      ...(start.interrupt_after !== null && { interruptAfter: start.interrupt_after }),
      streamMode: start.stream_tokens ? ["debug", "custom", "messages"] : ["debug", "custom"],
      subgraphs: true,
      signal,
    };
  }
}

/** The graph's own chunks among its events; the others are told. */
async function* withEvents(all: AsyncIterable<StreamEvent>, events: StreamEvents): AsyncGenerator<unknown> {
  let root: string | undefined;
  for await (const event of all) {
    root ??= event.run_id;
    if (event.event === "on_chain_stream" && event.run_id === root) yield event.data.chunk;
    else events.event(event);
  }
}

/** The starting point as it was: the run's own writes go on to the live tuple. */
function frozen(tuple: LiveTuple): LiveTuple {
  return { ...tuple, checkpoint: copyCheckpoint(tuple.checkpoint), writes: [...tuple.writes] };
}

function versionsOf(tuple: LiveTuple | null | undefined): Record<string, unknown> {
  return tuple?.checkpoint.channel_versions ?? {};
}

function address(threadId: string, checkpointId: string | null): Record<string, unknown> {
  return {
    thread_id: threadId,
    checkpoint_ns: "",
    ...(checkpointId !== null && { checkpoint_id: checkpointId }),
  };
}

function durabilityOf(config: Json): string {
  const durability = isObject(config) ? config.durability : undefined;
  return typeof durability === "string" ? durability : "async";
}

function encodeKeys(
  keys: string[],
  values: Record<string, unknown>,
  memory: ThreadMemory,
): Record<string, Json> {
  const encoded: Record<string, Json> = {};
  for (const key of keys) {
    if (values[key] !== undefined) encoded[key] = encode(values[key], `the output "${key}"`, memory, "store");
  }
  return encoded;
}

function without(object: Record<string, unknown>, names: RegExp): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([key]) => !names.test(key)));
}

/**
 * The messages between the server and an agent process: one JSON object per line over one duplex pipe (file
 * descriptor 3 in the child). This file is the only definition; test/protocol/*.jsonl replays it on both sides.
 *
 * Encoded values are core/encoding's tagged JSON. Items are numbered by the runner, one after another from
 * `next_item`, and travel with the first message that refers to them. Whatever stores something (`checkpoint`,
 * `writes`) carries `n`, counted from 1 in each run, and is acknowledged after its commit.
 */
import { type Static, Type } from "typebox";
import { Compile } from "typebox/compile";
import type { Framework } from "../core/deployment.ts";
import type { Json, JsonObject } from "../core/json.ts";
import { Nullable } from "../core/schema.ts";
import { StoreOperation } from "../core/store_item.ts";
import type { StoreSettings } from "../core/store_settings.ts";
import { Structure } from "../core/structure.ts";

const Encoded = Type.Unsafe<Json>(Type.Unknown());
const Text = Type.String();
const Items = Type.Optional(
  Type.Object({ first: Type.Integer({ minimum: 0 }), bodies: Type.Array(Encoded) }),
);

export const AgentError = Type.Object({
  /** A code when the runner knows one (`load_failed`, `output_not_json`, `needs_thread`); else `agent_error`. */
  code: Type.Optional(Text),
  message: Text,
  traceback: Type.Optional(Text),
});
export type AgentError = Static<typeof AgentError>;

/** What a person sees of a checkpoint, said by the framework and not derivable from its channels. */
const Shown = Type.Object({
  /** The channels that are visible values, in the framework's order. */
  keys: Type.Array(Text),
  /** Visible values that differ from the channel's stored value (a channel only a reducer can fold). */
  values: Type.Optional(Type.Record(Text, Encoded)),
  next: Type.Array(Text),
  tasks: Type.Array(Encoded),
});

/** Runner → server. `run_id` names a run or, for `POST state`, an update (`upd_…`). */
export const RunnerMessage = Type.Union([
  Type.Object({ type: Type.Literal("ready") }),
  Type.Object({ type: Type.Literal("loaded") }),
  Type.Object({ type: Type.Literal("load_failed"), error: AgentError }),
  /** The answer to `describe`; null: there is nothing to say, or the framework failed to say it. */
  Type.Object({ type: Type.Literal("described"), structure: Nullable(Structure) }),
  Type.Object({
    type: Type.Literal("event"),
    run_id: Text,
    /** `langgraph`: what LangGraph's own protocol says of it besides. */
    events: Type.Array(Type.Object({ type: Text, data: Encoded, langgraph: Type.Optional(Encoded) })),
    items: Items,
  }),
  Type.Object({
    type: Type.Literal("checkpoint"),
    run_id: Text,
    n: Type.Integer({ minimum: 1 }),
    namespace: Text,
    checkpoint_id: Text,
    parent_checkpoint_id: Type.Union([Text, Type.Null()]),
    step: Type.Integer(),
    source: Text,
    /** Only the channels that changed since the parent checkpoint. */
    channels: Type.Record(Text, Encoded),
    /** Channels that hold nothing any more. */
    removed: Type.Array(Text),
    /** What the framework needs back besides its channels: versions, clocks. Opaque to the server. */
    state: Encoded,
    metadata: Encoded,
    shown: Type.Union([Shown, Type.Null()]),
    items: Items,
  }),
  Type.Object({
    type: Type.Literal("writes"),
    run_id: Text,
    n: Type.Integer({ minimum: 1 }),
    namespace: Text,
    checkpoint_id: Text,
    task_id: Text,
    task_path: Text,
    /** [idx, channel, value]; a negative idx is one of the framework's special channels: the newest counts. */
    writes: Type.Array(Type.Tuple([Type.Integer(), Text, Encoded])),
    items: Items,
  }),
  Type.Object({
    type: Type.Literal("read"),
    run_id: Text,
    request_id: Type.Integer(),
    /** `tuple`: the named checkpoint, or the namespace's newest. `list`: newest first. */
    kind: Type.Union([Type.Literal("tuple"), Type.Literal("list")]),
    /** Absent in a list: every namespace. */
    namespace: Type.Optional(Text),
    checkpoint_id: Type.Optional(Text),
    before: Type.Optional(Text),
    limit: Type.Optional(Type.Integer({ minimum: 0 })),
  }),
  /** Answered with `stored` once what it puts is committed. What it reads was there before what it puts. */
  Type.Object({
    type: Type.Literal("store"),
    run_id: Text,
    request_id: Type.Integer(),
    operations: Type.Array(StoreOperation),
  }),
  /** Answers an `embed`. */
  Type.Object({
    type: Type.Literal("embedded"),
    request_id: Type.Integer(),
    vectors: Type.Optional(Type.Array(Type.Tuple([Text, Text]))),
    error: Type.Optional(AgentError),
  }),
  Type.Object({
    type: Type.Literal("done"),
    run_id: Text,
    outcome: Type.Union([
      Type.Literal("succeeded"),
      Type.Literal("failed"),
      Type.Literal("interrupted"),
      Type.Literal("canceled"),
    ]),
    output: Type.Optional(Encoded),
    items: Items,
    error: Type.Optional(AgentError),
    /** Merged into the run's metadata: what the framework counted, such as a crew's tokens. */
    metadata: Type.Optional(Type.Record(Text, Encoded)),
  }),
  /**
   * Sent every second while the runner's own loop turns, and when a run or update arrives. Its memory lets the
   * supervisor keep the ceiling, its absence tells a blocked process.
   */
  Type.Object({ type: Type.Literal("alive"), memory_mb: Type.Number() }),
]);
export type RunnerMessage = Static<typeof RunnerMessage>;
export type RunnerMessageOf<T extends RunnerMessage["type"]> = Extract<RunnerMessage, { type: T }>;

const runnerMessage = Compile(RunnerMessage);

/** Parses one line from an agent process. Throws an Error that says what is wrong with it. */
export function parseRunnerMessage(line: string): RunnerMessage {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new Error(`a line that is not JSON: ${line.slice(0, 120)}`);
  }
  if (!runnerMessage.Check(value)) {
    const type = (value as { type?: unknown } | null)?.type;
    throw new Error(`a message of type ${JSON.stringify(type)} that does not fit the protocol`);
  }
  return value;
}

/** One stored checkpoint as the runner gets it back. Bodies of items it refers to come with the reply. */
export type StoredCheckpoint = {
  namespace: string;
  checkpoint_id: string;
  parent_checkpoint_id: string | null;
  /** The run that committed it; null for an update made by a person. */
  run_id: string | null;
  /** The log position: a warm agent process knows by it that nothing has been committed since. */
  position: number;
  channels: Record<string, Json>;
  state: Json;
  metadata: Json;
  next: string[] | null;
  /** In (task_path, task_id, idx) order. `run_id` is the run that wrote them. */
  writes: {
    task_id: string;
    task_path: string;
    idx: number;
    channel: string;
    value: Json;
    run_id: string | null;
  }[];
};

/** Where a run starts. */
export type RunStart = {
  run_id: string;
  thread_id: string | null;
  log_id: number;
  /** The log's next free item number. */
  next_item: number;
  /** The thread's head, null when nothing was committed yet. */
  head: { checkpoint_id: string; position: number } | null;
  /** The checkpoint the caller chose to start from instead. */
  checkpoint_id: string | null;
  /** 1 for the first execution; a later one looks at what the run committed before it goes on. */
  attempt: number;
  /** Initial values of the thread, to be applied as an update before the input; null when there are none. */
  initial_values: Json | null;
  input: Json;
  command: Json | null;
  config: Json | null;
  metadata: Json;
  interrupt_before: string[] | "*" | null;
  interrupt_after: string[] | "*" | null;
  stream_tokens: boolean;
  /** Every callback of the graph becomes an event. */
  stream_events: boolean;
  deployment_id: string;
  version_id: string;
  /** An absolute folder for the files this run leaves, which may not exist yet; null when nobody keeps any. */
  artifacts: string | null;
};

/** How a chat interface speaks to the agent: the key its text is put under, and the one its answer is read from. */
export type ChatKeys = { input_key: string | null; output_key: string | null };

/** What is to be embedded: texts of an item's value at these paths (null: those of the settings), or a query. */
export type EmbedRequest = { value: JsonObject; fields: string[] | null } | { query: string };

/** Server → runner. */
export type ServerMessage =
  | {
      type: "load";
      framework: Framework;
      /** `./src/graph.ts:graph` */
      entrypoint: string;
      /** The project's folder, absolute. */
      directory: string;
      chat: ChatKeys;
      /** Bytes a run may have sent without an acknowledgement. */
      max_unacknowledged_bytes: number;
      /** Bytes of state kept warm between runs. */
      max_warm_bytes: number;
      /** Resident memory at which the process ends itself; V8 knows a limit of its own, Python none. */
      max_memory_mb: number;
      /** `[store]` in crewship.toml; absent where it says nothing. */
      store?: StoreSettings;
    }
  /** What the loaded agent is made of; asked when a version is built or its folder has changed, never for a run. */
  | { type: "describe" }
  | ({ type: "run" } & RunStart)
  /** POST state: apply `values` as the node `as_node` at `checkpoint_id` (or the head), answer with `done`. */
  | ({ type: "update"; values: Json; as_node: string | null } & RunStart)
  | { type: "cancel"; run_id: string }
  /** Everything up to and including `n` is committed. */
  | { type: "ack"; run_id: string; n: number }
  | {
      type: "reply";
      run_id: string;
      request_id: number;
      checkpoints: StoredCheckpoint[];
      /** [log, number, body] of every item the checkpoints refer to. */
      items: [number, number, Json][];
    }
  /** Answers a `store`, one result for each operation; none was made where there is an error. */
  | { type: "stored"; run_id: string; request_id: number; results: Json[] }
  | { type: "stored"; run_id: string; request_id: number; error: AgentError }
  | ({ type: "embed"; request_id: number } & EmbedRequest);

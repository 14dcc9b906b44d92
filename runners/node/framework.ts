/**
 * The parts of LangGraph.js and LangChain we touch, as narrow interfaces that hold for every version we support. The
 * classes themselves are always the project's own: two copies of a library don't recognise each other's objects.
 */
export type RunnableConfig = {
  configurable?: Record<string, unknown>;
  metadata?: Record<string, unknown>;
  callbacks?: unknown;
  [key: string]: unknown;
};

export type Checkpoint = {
  v: number;
  id: string;
  ts: string;
  channel_values: Record<string, unknown>;
  channel_versions: Record<string, number | string>;
  versions_seen: Record<string, Record<string, number | string>>;
  pending_sends?: unknown[];
};

export type PendingWrite = [taskId: string, channel: string, value: unknown];

export type CheckpointTuple = {
  config: RunnableConfig;
  checkpoint: Checkpoint;
  metadata?: Record<string, unknown>;
  parentConfig?: RunnableConfig;
  pendingWrites?: PendingWrite[];
};

export type ListOptions = { limit?: number; before?: RunnableConfig; filter?: Record<string, unknown> };

export type Interrupt = { id?: string; interrupt_id?: string; ns?: string[]; value?: unknown };
export type TaskState = {
  id: string;
  name: string;
  interrupts?: (Interrupt | Interrupt[])[];
  error?: unknown;
  /** A task that begins, and one that has written. */
  triggers?: string[];
  result?: unknown;
};
export type StateSnapshot = { values: unknown; next: string[]; tasks: TaskState[]; config: RunnableConfig };

export type StreamEvent = { event: string; run_id: string; data: { chunk?: unknown } };

export interface CompiledGraph {
  stream(input: unknown, options: RunnableConfig): Promise<AsyncIterable<unknown>>;
  streamEvents(input: unknown, options: RunnableConfig): AsyncIterable<StreamEvent>;
  getState(config: RunnableConfig): Promise<StateSnapshot>;
  updateState(config: RunnableConfig, values: unknown, asNode?: string): Promise<RunnableConfig>;
  getGraphAsync?(options?: { xray?: number }): Promise<{ toJSON(): unknown }>;
  getSubgraphsAsync?(
    namespace: string | undefined,
    recurse: boolean,
  ): AsyncIterable<[namespace: string, graph: CompiledGraph]>;
  /** Of a StateGraph, not of a functional one: its channels by key, as they were defined. */
  builder?: Partial<Record<"_inputDefinition" | "_outputDefinition" | "_schemaDefinition", object>>;
  checkpointer?: unknown;
  store?: unknown;
  config?: RunnableConfig;
  channels: Record<string, { lc_graph_name?: string }>;
  outputChannels: string | string[];
  streamChannelsAsIs: string | string[];
  interruptBefore?: string[] | "*";
  interruptAfter?: string[] | "*";
}

/** The base class of checkpointers; ours adds the methods. */
export type SaverBase = new () => {
  getNextVersion(current: number | undefined, channel?: unknown): number;
};

/** The methods of LangGraph's stores that are ours to make. */
export type BatchedStore = {
  batch(operations: unknown[]): Promise<unknown[]>;
  put(...args: unknown[]): Promise<unknown>;
};
/** The base class of stores; ours adds `batch`. */
export type StoreBase = new () => BatchedStore;
/** What LangGraph wraps a graph's store in. */
export type BatchedStoreBase = new (
  store: object,
) => BatchedStore & {
  store: object;
  processBatchQueue(): Promise<void>;
  enqueueOperation(operation: unknown): Promise<unknown>;
};
export type StoreClasses = { BaseStore: StoreBase; AsyncBatchedStore?: BatchedStoreBase };

export interface Message {
  id?: string;
  name?: string;
  content: unknown;
  _getType(): string;
  constructor: { lc_name?(): string };
}

export type MessageClass = new (fields: Record<string, unknown>) => Message;

export interface Serializable {
  toJSON(): { lc: number; type: string; id: string[]; kwargs?: Record<string, unknown> };
}

/** The classes of the project that values are encoded from and revived with. Absent ones are not installed. */
export type Classes = {
  messages: Record<string, MessageClass>;
  load?: (text: string) => Promise<unknown>;
  Send?: new (node: string, args: unknown, options?: { timeout?: unknown }) => object;
  Command?: new (fields: Record<string, unknown>) => object;
  Overwrite?: new (value: unknown) => object;
  DeltaSnapshot?: new (value: unknown) => object;
};

export type SchemaSide = "input" | "output" | "state" | "config";

/** Everything of the project's LangGraph that the host needs. */
export type Framework = {
  classes: Classes & { Command: new (fields: Record<string, unknown>) => object };
  BaseCheckpointSaver: SaverBase;
  /** Absent in a version that knows no stores. */
  stores?: StoreClasses;
  /** The version of checkpoints this LangGraph writes: below 4, pushed tasks stand in `pending_sends`. */
  checkpointVersion: number;
  /** LangGraph's own reading of states that were defined by zod or a schema; undefined for any other. */
  schemaOf: (graph: CompiledGraph, side: SchemaSide) => Promise<unknown>;
  callbackHandler: (methods: Record<string, unknown>) => object;
};

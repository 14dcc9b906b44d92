/** A thread's states as LangGraph's protocol shows them: the newest, a named one, history, and changes by hand. */
import { Type } from "typebox";
import type { ThreadState } from "../../core/checkpoint.ts";
import { contains, isObject, type Json, type JsonObject } from "../../core/json.ts";
import { Problem } from "../../core/problem.ts";
import { JsonObjectSchema, Nullable } from "../../core/schema.ts";
import { findCheckpointOf } from "../../engine/find_checkpoint.ts";
import { updateState } from "../../engine/update_state.ts";
import { type CheckpointRow, findCheckpoint, readHead, selectCheckpoints } from "../../store/checkpoints.ts";
import { changeLog, openView, type View } from "../../store/logs.ts";
import { findRun, readRequest } from "../../store/runs.ts";
import { MAX_SUBGRAPH_DEPTH, showState } from "../../store/states.ts";
import { bindThread, showThread, type ThreadRow } from "../../store/threads.ts";
import type { App } from "../app.ts";
import { type Principal, requireDeployment } from "../auth.ts";
import { endpoint } from "../endpoint.ts";
import { systemAssistants } from "./assistants.ts";
import { withoutRoles } from "./json.ts";
import { deploymentOf, ThreadPath, threadOf } from "./threads.ts";
import { runUuid } from "./words.ts";

const tag = "langgraph";
const MAX_HISTORY = 1000;
const DEFAULT_HISTORY = 10;

/** Metadata that checkpoints get from the runs that made them. */
class RunMetadata {
  readonly #app: App;
  readonly #known = new Map<string, JsonObject>();

  constructor(app: App) {
    this.#app = app;
  }

  async of(run_id: string): Promise<JsonObject> {
    const known = this.#known.get(run_id);
    if (known) return known;
    const { database } = this.#app.node;
    const run = await findRun(database, run_id);
    const metadata: JsonObject = { run_id: runUuid(run_id) };
    if (run) {
      const { langgraph } = await readRequest(database, run.log_id, run_id);
      const own = (await systemAssistants(this.#app)).get(run.deployment_id);
      Object.assign(metadata, JSON.parse(run.metadata) as JsonObject, {
        run_id: runUuid(run_id),
        run_attempt: run.attempt,
        graph_id: own?.graph_id ?? null,
        assistant_id: langgraph?.assistant_id ?? own?.assistant_id ?? null,
      });
    }
    this.#known.set(run_id, metadata);
    return metadata;
  }
}

function checkpointName(thread_id: string, checkpoint_ns: string, checkpoint_id: string | null): JsonObject {
  return { thread_id, checkpoint_ns, checkpoint_id, checkpoint_map: null };
}

const interruptOf = ({ id, value }: { id: string; value: Json }): JsonObject => ({
  id,
  value: withoutRoles(value),
});

/** `subgraphs`: the states of subgraphs stand with their tasks; else only where they are. */
async function translate(
  state: ThreadState,
  namespace: string,
  subgraphs: boolean,
  runs: RunMetadata,
): Promise<JsonObject> {
  const { thread_id } = state;
  const tasks: Json[] = [];
  for (const task of state.tasks) {
    if (!isObject(task)) continue;
    const inner = task.state as unknown as (ThreadState & { namespace: string }) | undefined;
    const interrupts = Array.isArray(task.interrupts) ? task.interrupts.filter(isObject) : [];
    tasks.push({
      id: task.id ?? null,
      name: task.name ?? null,
      path: ["__pregel_pull", task.name ?? ""],
      error: isObject(task.error) ? (task.error.message ?? null) : (task.error ?? null),
      interrupts: interrupts.map((asked) =>
        interruptOf({ id: String(asked.id ?? task.id), value: asked.value ?? null }),
      ),
      checkpoint: inner && !subgraphs ? checkpointName(thread_id, inner.namespace, null) : null,
      state: inner && subgraphs ? await translate(inner, inner.namespace, subgraphs, runs) : null,
      result: null,
    });
  }
  return {
    values: withoutRoles(state.values),
    next: state.next,
    tasks,
    metadata: {
      ...(state.run_id === null ? {} : await runs.of(state.run_id)),
      ...state.metadata,
      source: state.source,
      step: state.step,
      parents: state.metadata.parents ?? {},
      thread_id,
      ...(state.run_id !== null && { run_id: runUuid(state.run_id) }),
    },
    created_at: state.created_at,
    checkpoint: checkpointName(thread_id, namespace, state.checkpoint_id),
    parent_checkpoint:
      state.parent_checkpoint_id === null
        ? null
        : checkpointName(thread_id, namespace, state.parent_checkpoint_id),
    interrupts: state.interrupts.map(interruptOf),
  };
}

export async function stateOf(
  app: App,
  { thread, view, row, subgraphs }: { thread: ThreadRow; view: View; row: CheckpointRow; subgraphs: boolean },
  runs = new RunMetadata(app),
): Promise<JsonObject> {
  const depth = subgraphs ? MAX_SUBGRAPH_DEPTH : 1;
  const state = await showState(app.node.database, view, thread.thread_id, row, depth);
  return translate(state, row.namespace, subgraphs, runs);
}

/** The state a thread has before anything was committed. */
async function emptyState(app: App, thread: ThreadRow): Promise<JsonObject> {
  const { values } = await showThread(app.node.database, thread);
  return {
    values: withoutRoles(values ?? {}),
    next: [],
    tasks: [],
    metadata: {},
    created_at: null,
    checkpoint: checkpointName(thread.thread_id, "", null),
    parent_checkpoint: null,
    interrupts: [],
  };
}

/** `values.<key>` chooses within the values. */
function chosen(state: JsonObject, select: readonly string[] | undefined): JsonObject {
  if (!select || select.length === 0) return state;
  const shown: JsonObject = {};
  for (const name of select) {
    const [root, key] = name.split(/\.(.*)/s);
    if (key === undefined) shown[root!] = state[root!] ?? null;
    else if (root === "values" && !select.includes("values") && isObject(state.values)) {
      shown.values = { ...(shown.values as JsonObject | undefined), [key]: state.values[key] ?? null };
    }
  }
  return shown;
}

const SelectQuery = Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())]));
const SelectBody = Type.Optional(Nullable(Type.Array(Type.String(), { maxItems: 100 })));

function selectOf(select: string | string[] | null | undefined): string[] | undefined {
  return select == null ? undefined : [select].flat().flatMap((names) => names.split(","));
}

type CheckpointRef = { checkpoint_ns?: string | null; checkpoint_id?: string | null };

const CheckpointBody = Type.Object({
  thread_id: Type.Optional(Nullable(Type.String())),
  checkpoint_ns: Type.Optional(Nullable(Type.String())),
  checkpoint_id: Type.Optional(Nullable(Type.String())),
  checkpoint_map: Type.Optional(Nullable(JsonObjectSchema)),
});

async function read(
  app: App,
  thread: ThreadRow,
  at: CheckpointRef,
  options: { subgraphs: boolean; select: string[] | undefined },
): Promise<JsonObject> {
  const { database } = app.node;
  const namespace = at.checkpoint_ns ?? "";
  const { view, head } = await readHead(database, thread.log_id);
  const row =
    namespace === "" && at.checkpoint_id == null
      ? head
      : await findCheckpoint(database, view, namespace, at.checkpoint_id ?? undefined);
  if (!row) {
    if (at.checkpoint_id != null)
      throw new Problem("not_found", { what: "checkpoint", id: at.checkpoint_id });
    return chosen(await emptyState(app, thread), options.select);
  }
  return chosen(await stateOf(app, { thread, view, row, subgraphs: options.subgraphs }), options.select);
}

const StateQuery = Type.Object({ subgraphs: Type.Optional(Type.Boolean()), select: SelectQuery });

export const get = endpoint(
  {
    summary: "A thread's state",
    tag,
    params: ThreadPath,
    query: StateQuery,
    answers: { 200: JsonObjectSchema },
  },
  async ({ app, params, query, principal }) => {
    const thread = await threadOf(app, principal, params.thread_id);
    const options = { subgraphs: query.subgraphs ?? false, select: selectOf(query.select) };
    return { status: 200, body: await read(app, thread, {}, options) };
  },
);

export const getAt = endpoint(
  {
    summary: "A thread's state at a checkpoint",
    tag,
    params: Type.Object({ thread_id: Type.String(), checkpoint_id: Type.String() }),
    query: StateQuery,
    answers: { 200: JsonObjectSchema },
  },
  async ({ app, params, query, principal }) => {
    const thread = await threadOf(app, principal, params.thread_id);
    const options = { subgraphs: query.subgraphs ?? false, select: selectOf(query.select) };
    return { status: 200, body: await read(app, thread, { checkpoint_id: params.checkpoint_id }, options) };
  },
);

export const postAt = endpoint(
  {
    summary: "A thread's state at a checkpoint, also of a subgraph",
    tag,
    params: ThreadPath,
    body: Type.Object({
      checkpoint: CheckpointBody,
      subgraphs: Type.Optional(Nullable(Type.Boolean())),
      select: SelectBody,
    }),
    answers: { 200: JsonObjectSchema },
  },
  async ({ app, params, body, principal }) => {
    const thread = await threadOf(app, principal, params.thread_id);
    const options = { subgraphs: body.subgraphs ?? false, select: selectOf(body.select) };
    return { status: 200, body: await read(app, thread, body.checkpoint, options) };
  },
);

export const update = endpoint(
  {
    summary: "Change a thread's values by hand",
    tag,
    params: ThreadPath,
    body: Type.Object({
      values: Type.Optional(Type.Unknown()),
      as_node: Type.Optional(Nullable(Type.String())),
      checkpoint: Type.Optional(Nullable(CheckpointBody)),
      checkpoint_id: Type.Optional(Nullable(Type.String())),
    }),
    answers: { 200: JsonObjectSchema },
  },
  async ({ app, params, body, principal, attempt }) => {
    const thread = await bound(app, principal, await threadOf(app, principal, params.thread_id));
    const checkpoint_id = body.checkpoint?.checkpoint_id ?? body.checkpoint_id ?? undefined;
    if (body.checkpoint?.checkpoint_ns) {
      throw new Problem("bad_request", {
        message: "checkpoint.checkpoint_ns: a subgraph's state is changed through its parent's.",
      });
    }
    const values = (body.values ?? null) as Json;
    const updates = Array.isArray(values) ? values : [values];
    let checkpoint = "";
    for (const [i, update] of updates.entries()) {
      if (update !== null && !isObject(update)) {
        throw new Problem("bad_request", {
          message: "values must be an object, a list of objects, or null.",
        });
      }
      const order = {
        values: update,
        ...(body.as_node != null && { as_node: body.as_node }),
        ...(checkpoint_id !== undefined && i === 0 && { checkpoint_id }),
      };
      checkpoint = (await updateState(app.node, thread, order, i === 0 ? attempt : undefined)).checkpoint_id;
    }
    const { thread_id } = thread;
    const configurable = { thread_id, checkpoint_ns: "", checkpoint_id: checkpoint };
    return { status: 200, body: { checkpoint: configurable, configurable, checkpoint_id: checkpoint } };
  },
);

/** A change by hand needs a graph as well: the one that the thread's metadata names, if no run has bound it yet. */
async function bound(app: App, principal: Principal, thread: ThreadRow): Promise<ThreadRow> {
  if (thread.deployment_id !== null) return thread;
  const deployment_id = await deploymentOf(app, principal, JSON.parse(thread.metadata) as JsonObject);
  if (deployment_id === null) {
    throw new Problem("bad_request", {
      message: "This thread has no graph yet: start a run in it, or create it with metadata.graph_id.",
    });
  }
  requireDeployment(principal, deployment_id);
  await changeLog(app.node.database, thread.log_id, (tx) => bindThread(tx, thread.thread_id, deployment_id));
  return threadOf(app, principal, thread.thread_id);
}

type HistoryOrder = {
  limit: number;
  before: string | undefined;
  namespace: string;
  metadata: JsonObject | undefined;
  select: string[] | undefined;
};

async function history(app: App, thread: ThreadRow, order: HistoryOrder): Promise<JsonObject[]> {
  const { database } = app.node;
  const view = await openView(database, thread.log_id);
  const runs = new RunMetadata(app);
  let below =
    order.before === undefined
      ? Number.MAX_SAFE_INTEGER
      : ((await findCheckpoint(database, view, order.namespace, order.before))?.position ??
        (await findCheckpointOf(database, thread.log_id, order.before)).row.position);
  const found: JsonObject[] = [];
  while (found.length < order.limit) {
    const wanted = order.limit - found.length;
    const rows = await selectCheckpoints(database, view, {
      namespace: order.namespace,
      below,
      limit: wanted,
    });
    for (const row of rows) {
      const state = await stateOf(app, { thread, view, row, subgraphs: false }, runs);
      if (!order.metadata || contains(state.metadata ?? null, order.metadata)) found.push(state);
    }
    if (rows.length < wanted) break;
    below = rows.at(-1)!.position;
  }
  return found.map((state) => chosen(state, order.select));
}

const Limit = Type.Integer({ minimum: 1, maximum: MAX_HISTORY, default: DEFAULT_HISTORY });

export const listHistory = endpoint(
  {
    summary: "A thread's states, newest first",
    tag,
    params: ThreadPath,
    query: Type.Object({
      limit: Type.Optional(Limit),
      before: Type.Optional(Type.String()),
      select: SelectQuery,
    }),
    answers: { 200: Type.Array(JsonObjectSchema) },
  },
  async ({ app, params, query, principal }) => {
    const thread = await threadOf(app, principal, params.thread_id);
    const order = {
      limit: query.limit ?? DEFAULT_HISTORY,
      before: query.before,
      namespace: "",
      metadata: undefined,
      select: selectOf(query.select),
    };
    return { status: 200, body: await history(app, thread, order) };
  },
);

export const searchHistory = endpoint(
  {
    summary: "A thread's states, newest first, by metadata or of a subgraph",
    tag,
    params: ThreadPath,
    body: Type.Object({
      limit: Type.Optional(Nullable(Limit)),
      before: Type.Optional(Nullable(Type.Union([Type.String(), JsonObjectSchema]))),
      metadata: Type.Optional(Nullable(JsonObjectSchema)),
      checkpoint: Type.Optional(Nullable(CheckpointBody)),
      select: SelectBody,
    }),
    answers: { 200: Type.Array(JsonObjectSchema) },
  },
  async ({ app, params, body, principal }) => {
    const thread = await threadOf(app, principal, params.thread_id);
    const order = {
      limit: body.limit ?? DEFAULT_HISTORY,
      before: beforeOf(body.before),
      namespace: body.checkpoint?.checkpoint_ns ?? "",
      metadata: body.metadata ?? undefined,
      select: selectOf(body.select),
    };
    return { status: 200, body: await history(app, thread, order) };
  },
);

/** A checkpoint's id, a checkpoint, or the config or state that names one. Throws a 422 for what names none. */
function beforeOf(before: string | JsonObject | null | undefined): string | undefined {
  if (!isObject(before)) return before ?? undefined;
  const { configurable, checkpoint } = before;
  const { checkpoint_id } = isObject(configurable)
    ? configurable
    : isObject(checkpoint)
      ? checkpoint
      : before;
  if (typeof checkpoint_id === "string") return checkpoint_id;
  throw new Problem("bad_request", { message: "before names no checkpoint_id." });
}

/** Threads as LangGraph's protocol has them. One that is made here belongs to no deployment until its first run. */
import { Type } from "typebox";
import { CLIENT_ID_PATTERN } from "../../core/ids.ts";
import { isObject, type Json, type JsonObject } from "../../core/json.ts";
import { Problem } from "../../core/problem.ts";
import type { RunError } from "../../core/run.ts";
import { JsonObjectSchema, Nullable } from "../../core/schema.ts";
import { MAX_TTL_MINUTES, ThreadStatusSchema, type Ttl } from "../../core/thread.ts";
import { copyThread } from "../../engine/copy_thread.ts";
import { createThread } from "../../engine/create_thread.ts";
import { deleteThread } from "../../engine/delete_thread.ts";
import { prune as pruneThreads } from "../../engine/prune.ts";
import { updateState } from "../../engine/update_state.ts";
import { changeLog } from "../../store/logs.ts";
import { openQuestionsByTask } from "../../store/questions.ts";
import { listRuns, readRequest } from "../../store/runs.ts";
import {
  countThreads,
  searchThreads,
  type ThreadFilter,
  type ThreadOrderField,
} from "../../store/thread_search.ts";
import { findThread, getThread, patchThread, showThread, type ThreadRow } from "../../store/threads.ts";
import type { App } from "../app.ts";
import { type Principal, reaches, scopeOf } from "../auth.ts";
import { endpoint } from "../endpoint.ts";
import { assistantOf } from "./assistants.ts";
import { valueAt, withoutRoles } from "./json.ts";
import { pageAnswer, pageOf, Sort, selectedFields } from "./page.ts";
import { errorOf, newUuid } from "./words.ts";

const tag = "langgraph";
export const ThreadPath = Type.Object({ thread_id: Type.String() });

/** The thread of a path, if the key reaches it. */
export function threadOf(app: App, principal: Principal, thread_id: string): Promise<ThreadRow> {
  return getThread(app.node.database, thread_id, reaches(principal));
}

const TtlMinutes = Type.Number({ minimum: 1, maximum: MAX_TTL_MINUTES });
const TtlBody = Type.Optional(
  Nullable(
    Type.Union([
      TtlMinutes,
      Type.Object({
        ttl: TtlMinutes,
        strategy: Type.Optional(Nullable(Type.Enum(["delete", "keep_latest"]))),
      }),
    ]),
  ),
);
type TtlBody = number | { ttl: number; strategy?: Ttl["strategy"] | null } | null | undefined;

function ttlOf(ttl: TtlBody): Ttl | undefined {
  if (ttl === undefined || ttl === null) return undefined;
  if (typeof ttl === "number") return { minutes: ttl, strategy: "delete" };
  return { minutes: ttl.ttl, strategy: ttl.strategy ?? "delete" };
}

/** What a reader may leave out: it costs a read of the thread's state. */
const STATE_FIELDS = ["values", "interrupts", "error", "config"];

/** A thread as LangGraph's clients know it. `fields`: only those are looked up. */
export async function showForLangGraph(
  app: App,
  row: ThreadRow,
  { ttl = false, fields }: { ttl?: boolean; fields?: readonly string[] | undefined } = {},
): Promise<JsonObject> {
  const { database } = app.node;
  const wants = (field: string) => fields?.includes(field) ?? true;
  const thread: JsonObject = {
    thread_id: row.thread_id,
    created_at: row.created_at,
    updated_at: row.updated_at,
    state_updated_at: row.updated_at,
    metadata: JSON.parse(row.metadata) as JsonObject,
    status: row.status,
    config: {},
    values: null,
    interrupts: {},
  };
  if (STATE_FIELDS.some(wants)) {
    if (wants("values")) thread.values = withoutRoles((await showThread(database, row)).values);
    if (wants("interrupts") && row.status === "interrupted") thread.interrupts = await interruptsOf(app, row);
    const [last] =
      wants("config") || wants("error") ? await listRuns(database, { log_id: row.log_id, limit: 1 }) : [];
    if (last && wants("config")) {
      const { langgraph } = await readRequest(database, last.log_id, last.run_id);
      thread.config = isObject(langgraph?.kwargs.config) ? langgraph.kwargs.config : {};
    }
    if (last?.error && row.status === "error") thread.error = errorOf(JSON.parse(last.error) as RunError);
  }
  if (ttl && row.ttl_minutes !== null) {
    const expires = Date.parse(row.updated_at) + row.ttl_minutes * 60_000;
    thread.ttl = {
      strategy: row.ttl_strategy ?? "delete",
      ttl_minutes: row.ttl_minutes,
      expires_at: new Date(expires).toISOString(),
    };
  }
  return thread;
}

/** Open questions by the tasks that ask. */
async function interruptsOf({ node }: App, { log_id }: ThreadRow): Promise<JsonObject> {
  const byTask: Record<string, Json[]> = {};
  for (const { task_id, id, value } of await openQuestionsByTask(node.database, log_id)) {
    byTask[task_id] = [...(byTask[task_id] ?? []), { id, value: withoutRoles(value) }];
  }
  return byTask;
}

const Superstep = Type.Object({
  updates: Type.Array(
    Type.Object({
      values: Type.Optional(Nullable(Type.Unknown())),
      command: Type.Optional(Nullable(JsonObjectSchema)),
      as_node: Type.String(),
    }),
    { maxItems: 1000 },
  ),
});

export const create = endpoint(
  {
    summary: "Create a thread",
    tag,
    body: Type.Object({
      thread_id: Type.Optional(Nullable(Type.String())),
      metadata: Type.Optional(Nullable(JsonObjectSchema)),
      if_exists: Type.Optional(Nullable(Type.Enum(["raise", "do_nothing"]))),
      ttl: TtlBody,
      supersteps: Type.Optional(Nullable(Type.Array(Superstep, { maxItems: 1000 }))),
    }),
    answers: { 200: JsonObjectSchema },
  },
  async ({ app, body, principal, attempt }) => {
    const { thread_id } = body;
    if (thread_id != null && !new RegExp(CLIENT_ID_PATTERN).test(thread_id)) {
      throw new Problem("bad_request", { message: "thread_id must be a UUID." });
    }
    const metadata = body.metadata ?? {};
    const supersteps = body.supersteps ?? [];
    const deployment_id =
      supersteps.length > 0
        ? await deploymentOf(app, principal, metadata)
        : await firstDeployment(app, principal, metadata);
    if (supersteps.length > 0 && deployment_id === null) {
      throw new Problem("bad_request", {
        message: "supersteps need metadata.graph_id: whose graph takes them.",
      });
    }
    const ttl = ttlOf(body.ttl as TtlBody);
    const { thread, created } = await createThread(
      app.node,
      {
        deployment_id,
        thread_id: thread_id ?? newUuid(),
        metadata,
        if_exists: body.if_exists ?? "raise",
        ...(ttl && { ttl }),
      },
      attempt,
    );
    let row = await threadOf(app, principal, thread.thread_id);
    if (created) {
      try {
        for (const { updates } of supersteps) {
          for (const { values, command, as_node } of updates) {
            const update = values ?? command?.update ?? null;
            await updateState(app.node, row, { values: update as JsonObject | null, as_node }, undefined);
          }
        }
      } catch (error) {
        await deleteThread(app.node, row);
        throw error;
      }
      if (supersteps.length > 0) row = await threadOf(app, principal, thread.thread_id);
    }
    return { status: 200, body: await showForLangGraph(app, row, { ttl: ttl !== undefined }) };
  },
);

/** A key that reaches only some deployments makes threads of the one it names, or of its only one. */
async function firstDeployment(app: App, principal: Principal, metadata: JsonObject): Promise<string | null> {
  const { deployment_ids } = principal;
  if (deployment_ids === null) return null;
  const named = await deploymentOf(app, principal, metadata);
  if (named !== null) return named;
  if (deployment_ids.length === 1) return deployment_ids[0]!;
  throw new Problem("forbidden", {
    message: "This key reaches some deployments only: say with metadata.graph_id whose thread it is.",
  });
}

/** The deployment whose graph a thread's metadata names. */
export async function deploymentOf(
  app: App,
  principal: Principal,
  { graph_id, assistant_id }: JsonObject,
): Promise<string | null> {
  const name = typeof graph_id === "string" ? graph_id : assistant_id;
  if (typeof name !== "string") return null;
  return (await assistantOf(app, principal, name)).deployment_id;
}

export const get = endpoint(
  {
    summary: "Get a thread",
    tag,
    params: ThreadPath,
    query: Type.Object({ include: Type.Optional(Type.String()) }),
    answers: { 200: JsonObjectSchema },
  },
  async ({ app, params, query, principal }) => ({
    status: 200,
    body: await showForLangGraph(app, await threadOf(app, principal, params.thread_id), {
      ttl: query.include?.split(",").includes("ttl") ?? false,
    }),
  }),
);

export const patch = endpoint(
  {
    summary: "Change a thread's metadata or time to live",
    tag,
    params: ThreadPath,
    body: Type.Object({ metadata: Type.Optional(Nullable(JsonObjectSchema)), ttl: TtlBody }),
    answers: { 200: JsonObjectSchema, 204: null },
  },
  async ({ app, params, body, principal, request }) => {
    const { log_id } = await threadOf(app, principal, params.thread_id);
    const ttl = ttlOf(body.ttl as TtlBody);
    const change = { ...(body.metadata && { metadata: body.metadata }), ...(ttl && { ttl }) };
    const row = await changeLog(app.node.database, log_id, (tx) => patchThread(tx, params.thread_id, change));
    if (!row) throw new Problem("not_found", { what: "thread", id: params.thread_id });
    if (request.headers.prefer?.includes("return=minimal")) return { status: 204 };
    return { status: 200, body: await showForLangGraph(app, row, { ttl: ttl !== undefined }) };
  },
);

export const remove = endpoint(
  { summary: "Delete a thread", tag, params: ThreadPath, answers: { 204: null } },
  async ({ app, params, principal }) => {
    await deleteThread(app.node, await threadOf(app, principal, params.thread_id));
    return { status: 204 };
  },
);

export const copy = endpoint(
  {
    summary: "Copy a thread: the same state, the same history, the same checkpoint ids",
    tag,
    params: ThreadPath,
    answers: { 200: JsonObjectSchema },
  },
  async ({ app, params, principal, attempt }) => {
    const source = await findThread(app.node.database, params.thread_id);
    if (!source || !reaches(principal)(source.deployment_id)) {
      throw new Problem("copy_source_gone", { thread_id: params.thread_id });
    }
    const { thread_id } = await copyThread(app.node, source, { thread_id: newUuid() }, attempt);
    const row = await threadOf(app, principal, thread_id);
    return { status: 200, body: await showForLangGraph(app, row) };
  },
);

const Filter = {
  ids: Type.Optional(Nullable(Type.Array(Type.String(), { maxItems: 1000 }))),
  metadata: Type.Optional(Nullable(JsonObjectSchema)),
  values: Type.Optional(Nullable(JsonObjectSchema)),
  status: Type.Optional(Nullable(ThreadStatusSchema)),
};

function filterOf(
  principal: Principal,
  {
    ids,
    metadata,
    values,
    status,
  }: {
    ids?: string[] | null;
    metadata?: JsonObject | null;
    values?: JsonObject | null;
    status?: ThreadRow["status"] | null;
  },
): ThreadFilter {
  return {
    deployment_ids: scopeOf(principal, undefined),
    ids: ids ?? undefined,
    metadata: metadata ?? undefined,
    values: values ?? undefined,
    status: status ?? undefined,
  };
}

const MAX_PATHS = 10;
const PATH_PATTERN = "^(values|metadata|config|interrupts)(\\.|\\[|$)";
const orderField: Record<string, ThreadOrderField> = { state_updated_at: "updated_at" };

export const search = endpoint(
  {
    summary: "Search threads",
    tag,
    body: Type.Object({
      ...Filter,
      ...Sort(["thread_id", "status", "created_at", "updated_at", "state_updated_at"]),
      extract: Type.Optional(
        Nullable(
          Type.Record(Type.String(), Type.String({ pattern: PATH_PATTERN }), { maxProperties: MAX_PATHS }),
        ),
      ),
    }),
    answers: { 200: Type.Array(JsonObjectSchema) },
  },
  async ({ app, body, principal }) => {
    const { database } = app.node;
    const filter = filterOf(principal, body);
    const by = body.sort_by ?? "created_at";
    const rows = await searchThreads(database, filter, {
      ...pageOf(body),
      order: { by: orderField[by] ?? (by as ThreadOrderField), direction: body.sort_order ?? "desc" },
    });
    const roots = Object.values(body.extract ?? {}).map((path) => /^\w+/.exec(path)![0]);
    const fields = body.select ? [...body.select, ...roots] : undefined;
    const shown = await Promise.all(
      rows.map(async (row) => {
        const thread = await showForLangGraph(app, row, { fields });
        if (!body.extract) return thread;
        const extracted = Object.fromEntries(
          Object.entries(body.extract).map(([alias, path]) => [alias, valueAt(thread, path)]),
        );
        return { ...selectedFields(thread, body.select), extracted };
      }),
    );
    const select = body.select && body.extract ? [...body.select, "extracted"] : body.select;
    return pageAnswer(shown, { ...body, select }, await countThreads(database, filter));
  },
);

export const count = endpoint(
  { summary: "Count threads", tag, body: Type.Object(Filter), answers: { 200: Type.Integer() } },
  async ({ app, body, principal }) => ({
    status: 200,
    body: await countThreads(app.node.database, filterOf(principal, body)),
  }),
);

export const prune = endpoint(
  {
    summary: "Delete threads, or shorten their history",
    tag,
    body: Type.Object({
      thread_ids: Type.Array(Type.String(), { maxItems: 1000 }),
      strategy: Type.Optional(Nullable(Type.Enum(["delete", "keep_latest"]))),
    }),
    answers: { 200: JsonObjectSchema },
  },
  async ({ app, body, principal }) => {
    const order = { ids: body.thread_ids, strategy: body.strategy ?? "delete" };
    return { status: 200, body: { pruned_count: await pruneThreads(app.node, order, reaches(principal)) } };
  },
);

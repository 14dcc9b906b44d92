/** /v1/threads: create, read, change, delete, copy, search. */
import { Type } from "typebox";
import { CLIENT_ID_PATTERN } from "../../core/ids.ts";
import type { JsonObject } from "../../core/json.ts";
import { Problem } from "../../core/problem.ts";
import { JsonObjectSchema, Nullable } from "../../core/schema.ts";
import { Thread, ThreadStatusSchema, Ttl } from "../../core/thread.ts";
import { copyThread } from "../../engine/copy_thread.ts";
import { createThread } from "../../engine/create_thread.ts";
import { deleteThread } from "../../engine/delete_thread.ts";
import { logTopic } from "../../engine/node.ts";
import { prune as pruneThreads } from "../../engine/prune.ts";
import { deploymentExists } from "../../store/deployments.ts";
import { changeLog } from "../../store/logs.ts";
import { countThreads, searchThreads, type ThreadFilter } from "../../store/thread_search.ts";
import { getThread, patchThread, showThread, type ThreadRow } from "../../store/threads.ts";
import type { App } from "../app.ts";
import { type Principal, reaches, requireDeployment, scopeOf } from "../auth.ts";
import { endpoint } from "../endpoint.ts";
import {
  Cursor,
  DEFAULT_LIMIT,
  decodeCursor,
  encodeCursor,
  jsonQuery,
  Limit,
  SelectQuery,
  SortBy,
  selected,
  selectList,
} from "../page.ts";

const tag = "threads";
/** A hundred years. */
const MAX_AGE_S = 3_155_760_000;
const threadFields = Object.keys(Thread.properties);
export const ThreadPath = Type.Object({ thread_id: Type.String() });

const Threads = Type.Object({ threads: Type.Array(Thread), next_cursor: Nullable(Type.String()) });

/** The thread of a path, if the key reaches it. */
export function threadOf(app: App, principal: Principal, thread_id: string): Promise<ThreadRow> {
  return getThread(app.node.database, thread_id, reaches(principal));
}

export const create = endpoint(
  {
    summary: "Create a thread",
    tag,
    body: Type.Object(
      {
        deployment_id: Type.String(),
        metadata: Type.Optional(JsonObjectSchema),
        values: Type.Optional(JsonObjectSchema),
        thread_id: Type.Optional(Type.String({ pattern: CLIENT_ID_PATTERN })),
        if_exists: Type.Optional(Type.Enum(["raise", "do_nothing"], { default: "raise" })),
        ttl: Type.Optional(Ttl),
      },
      { additionalProperties: false },
    ),
    answers: { 201: Thread, 200: Thread },
  },
  async ({ app, body, principal, attempt }) => {
    requireDeployment(principal, body.deployment_id);
    const { thread, created } = await createThread(app.node, body, attempt);
    return {
      status: created ? 201 : 200,
      body: thread,
      headers: { location: `/v1/threads/${thread.thread_id}` },
    };
  },
);

export const get = endpoint(
  {
    summary: "Get a thread",
    tag,
    params: ThreadPath,
    query: Type.Object({ select: SelectQuery }, { additionalProperties: false }),
    answers: { 200: Thread },
  },
  async ({ app, params, query, principal }) => {
    const thread = await showThread(app.node.database, await threadOf(app, principal, params.thread_id));
    return { status: 200, body: selected([thread], selectList(query.select), threadFields)[0] };
  },
);

export const patch = endpoint(
  {
    summary: "Change a thread's metadata or time to live",
    tag,
    params: ThreadPath,
    body: Type.Object(
      { metadata: Type.Optional(JsonObjectSchema), ttl: Type.Optional(Nullable(Ttl)) },
      { additionalProperties: false },
    ),
    answers: { 200: Thread },
  },
  async ({ app, params, body, principal }) => {
    const { database } = app.node;
    const { log_id } = await threadOf(app, principal, params.thread_id);
    const row = await changeLog(database, log_id, async (tx) => {
      tx.hint(logTopic(log_id));
      return patchThread(tx, params.thread_id, body);
    });
    if (!row) throw new Problem("not_found", { what: "thread", id: params.thread_id });
    return { status: 200, body: await showThread(database, row) };
  },
);

export const remove = endpoint(
  {
    summary: "Delete a thread; its running run is canceled first",
    tag,
    params: ThreadPath,
    answers: { 204: null },
  },
  async ({ app, params, principal }) => {
    await deleteThread(app.node, await threadOf(app, principal, params.thread_id));
    return { status: 204 };
  },
);

export const copy = endpoint(
  {
    summary: "Copy a thread with its state and history",
    tag,
    params: ThreadPath,
    body: Type.Object(
      { checkpoint_id: Type.Optional(Type.String()), metadata: Type.Optional(JsonObjectSchema) },
      { additionalProperties: false },
    ),
    answers: { 201: Thread },
  },
  async ({ app, params, body, principal, attempt }) => {
    const source = await threadOf(app, principal, params.thread_id);
    const thread = await copyThread(app.node, source, body, attempt);
    return { status: 201, body: thread, headers: { location: `/v1/threads/${thread.thread_id}` } };
  },
);

export const list = endpoint(
  {
    summary: "List a deployment's threads, newest first",
    tag,
    query: Type.Object(
      {
        deployment_id: Type.String(),
        status: Type.Optional(ThreadStatusSchema),
        metadata: Type.Optional(Type.String({ description: "A JSON object the metadata must contain." })),
        limit: Limit,
        offset: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000, default: 0 })),
        cursor: Cursor,
        sort_by: SortBy,
        select: SelectQuery,
      },
      { additionalProperties: false },
    ),
    answers: { 200: Threads },
  },
  async ({ app, query, principal }) => {
    requireDeployment(principal, query.deployment_id);
    if (!(await deploymentExists(app.node.database, query.deployment_id))) {
      throw new Problem("not_found", { what: "deployment", id: query.deployment_id });
    }
    const filter = {
      deployment_ids: [query.deployment_id],
      status: query.status,
      metadata: jsonQuery("metadata", query.metadata),
    };
    return { status: 200, body: await page(app, filter, { ...query, select: selectList(query.select) }) };
  },
);

const Filter = {
  deployment_id: Type.Optional(Type.String()),
  ids: Type.Optional(Type.Array(Type.String(), { maxItems: 1000 })),
  status: Type.Optional(ThreadStatusSchema),
  metadata: Type.Optional(JsonObjectSchema),
  values: Type.Optional(JsonObjectSchema),
};

export const search = endpoint(
  {
    summary: "Search threads by status, metadata, values or ids, newest first",
    tag,
    body: Type.Object(
      {
        ...Filter,
        limit: Limit,
        cursor: Cursor,
        sort_by: SortBy,
        select: Type.Optional(Type.Array(Type.String(), { maxItems: 20 })),
      },
      { additionalProperties: false },
    ),
    answers: { 200: Threads },
  },
  async ({ app, body, principal }) => ({ status: 200, body: await page(app, scoped(body, principal), body) }),
);

export const count = endpoint(
  {
    summary: "Count threads",
    tag,
    body: Type.Object(Filter, { additionalProperties: false }),
    answers: { 200: Type.Object({ count: Type.Integer() }) },
  },
  async ({ app, body, principal }) => ({
    status: 200,
    body: { count: await countThreads(app.node.database, scoped(body, principal)) },
  }),
);

export const prune = endpoint(
  {
    summary: "Delete threads, or shorten their history",
    tag,
    body: Type.Object(
      {
        ids: Type.Array(Type.String(), { maxItems: 1000 }),
        strategy: Type.Enum(["delete", "keep_latest"]),
        keep_last: Type.Optional(
          Type.Integer({
            minimum: 1,
            description: "With keep_latest: the newest runs whose checkpoints stay.",
          }),
        ),
        older_than_s: Type.Optional(
          Type.Number({
            minimum: 0,
            maximum: MAX_AGE_S,
            description: "Only checkpoints, or with delete only threads, that are older.",
          }),
        ),
      },
      { additionalProperties: false },
    ),
    answers: { 200: Type.Object({ pruned: Type.Integer() }) },
  },
  async ({ app, body, principal }) => ({
    status: 200,
    body: { pruned: await pruneThreads(app.node, body, reaches(principal)) },
  }),
);

/** A filter that stays inside what the key reaches. */
function scoped(filter: ThreadFilter & { deployment_id?: string }, principal: Principal): ThreadFilter {
  const deployment_ids = scopeOf(principal, filter.deployment_id);
  const { ids, status, metadata, values } = filter;
  return { ids, status, metadata, values, ...(deployment_ids && { deployment_ids }) };
}

type Place = { created_at: string; thread_id: string };
const isPlace = (value: unknown): value is Place =>
  typeof (value as Place | null)?.created_at === "string" && typeof (value as Place).thread_id === "string";

async function page(
  app: App,
  filter: ThreadFilter,
  options: { limit?: number; offset?: number; cursor?: string; select?: string[] | undefined },
): Promise<JsonObject> {
  const { database } = app.node;
  const limit = options.limit ?? DEFAULT_LIMIT;
  const after = decodeCursor(options.cursor, isPlace);
  const rows = await searchThreads(database, filter, {
    limit: limit + 1,
    offset: options.offset ?? 0,
    after,
  });
  const shown = await Promise.all(rows.slice(0, limit).map((row) => showThread(database, row)));
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return {
    threads: selected(shown, options.select, threadFields),
    next_cursor: last ? encodeCursor({ created_at: last.created_at, thread_id: last.thread_id }) : null,
  } as unknown as JsonObject;
}

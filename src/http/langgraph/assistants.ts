/** Assistants: each deployment has one of the server's, under the id LangGraph derives from its name, and those clients make. */
import { Type } from "typebox";
import { contains, type JsonObject } from "../../core/json.ts";
import { Problem } from "../../core/problem.ts";
import { JsonObjectSchema, Nullable } from "../../core/schema.ts";
import { deleteThread } from "../../engine/delete_thread.ts";
import {
  type AssistantRow,
  type AssistantSettings,
  addAssistantVersion,
  assistantVersions,
  chooseAssistantVersion,
  createAssistant,
  deleteAssistant,
  findAssistant,
  listAssistants,
  lockAssistant,
  systemAssistant,
  withoutSystemAssistant,
} from "../../store/assistants.ts";
import type { Queryable } from "../../store/database.ts";
import { searchThreads } from "../../store/thread_search.ts";
import type { App } from "../app.ts";
import { type Principal, reaches, scopeOf } from "../auth.ts";
import { endpoint } from "../endpoint.ts";
import { paginated, Sort, sorted } from "./page.ts";
import { isUuid, newUuid, systemAssistantId } from "./words.ts";

const tag = "langgraph";
const AssistantPath = Type.Object({ assistant_id: Type.String() });

export type Assistant = {
  assistant_id: string;
  graph_id: string;
  config: JsonObject;
  context: JsonObject;
  metadata: JsonObject;
  version: number;
  name: string;
  description: string | null;
  created_at: string;
  updated_at: string;
};

function showAssistant(row: AssistantRow): Assistant {
  return {
    assistant_id: row.assistant_id,
    graph_id: row.graph_id,
    config: JSON.parse(row.config) as JsonObject,
    context: JSON.parse(row.context) as JsonObject,
    metadata: JSON.parse(row.metadata) as JsonObject,
    version: row.version,
    name: row.name,
    description: row.description,
    created_at: row.created_at,
    updated_at: row.updated_at,
  };
}

/** Every deployment has its own; one that was made since the last request gets it here. */
async function ensureSystemAssistants({ node: { database } }: App): Promise<void> {
  const missing = await withoutSystemAssistant(database);
  if (missing.length === 0) return;
  await database.transaction(async (tx) => {
    for (const { deployment_id, name } of missing) {
      await createAssistant(tx, {
        assistant_id: systemAssistantId(name),
        deployment_id,
        system: true,
        name,
        description: null,
        config: {},
        context: {},
        metadata: { created_by: "system" },
      });
    }
  });
}

/** The assistant with this id, or the own one of the deployment with this name or id. Throws the 404 of one the key does not reach. */
export async function assistantOf(app: App, principal: Principal, id: string): Promise<AssistantRow> {
  const { database } = app.node;
  let row = isUuid(id)
    ? await findAssistant(database, id.toLowerCase())
    : await systemAssistant(database, id);
  if (!row) {
    await ensureSystemAssistants(app);
    row = isUuid(id) ? await findAssistant(database, id.toLowerCase()) : await systemAssistant(database, id);
  }
  if (!row || !reaches(principal)(row.deployment_id))
    throw new Problem("not_found", { what: "assistant", id });
  return row;
}

/** The own assistants of deployments, by deployment: what a run that came by /v1 is shown with. */
export async function systemAssistants(app: App): Promise<Map<string, AssistantRow>> {
  await ensureSystemAssistants(app);
  const rows = await listAssistants(app.node.database, {
    deployment_ids: undefined,
    graph_id: undefined,
    name: undefined,
  });
  return new Map(rows.filter(({ system }) => system === 1).map((row) => [row.deployment_id, row]));
}

const settings = {
  config: Type.Optional(Nullable(JsonObjectSchema)),
  context: Type.Optional(Nullable(JsonObjectSchema)),
  metadata: Type.Optional(Nullable(JsonObjectSchema)),
  name: Type.Optional(Nullable(Type.String({ maxLength: 1000 }))),
  description: Type.Optional(Nullable(Type.String({ maxLength: 100_000 }))),
};

export const create = endpoint(
  {
    summary: "Create an assistant",
    tag,
    body: Type.Object({
      graph_id: Type.String(),
      assistant_id: Type.Optional(Nullable(Type.String())),
      if_exists: Type.Optional(Nullable(Type.Enum(["raise", "do_nothing"]))),
      ...settings,
    }),
    answers: { 200: JsonObjectSchema },
  },
  async ({ app, body, principal }) => {
    const { deployment_id } = await assistantOf(app, principal, body.graph_id);
    const assistant_id = (body.assistant_id ?? newUuid()).toLowerCase();
    if (!isUuid(assistant_id)) throw new Problem("bad_request", { message: "assistant_id must be a UUID." });
    const { database } = app.node;
    const row = await database.transaction((tx) =>
      createAssistant(tx, {
        assistant_id,
        deployment_id,
        system: false,
        name: body.name ?? "Untitled",
        description: body.description ?? null,
        config: body.config ?? {},
        context: body.context ?? contextOf(body.config),
        metadata: body.metadata ?? {},
      }),
    );
    if (row) return { status: 200, body: showAssistant(row) };
    const existing = await assistantOf(app, principal, assistant_id);
    if (body.if_exists !== "do_nothing") throw new Problem("assistant_exists", { assistant_id });
    return { status: 200, body: showAssistant(existing) };
  },
);

/** Graphs before LangGraph 0.6 are given as `configurable` what later ones take as context. */
function contextOf(config: JsonObject | null | undefined): JsonObject {
  const { configurable } = config ?? {};
  return typeof configurable === "object" && configurable !== null && !Array.isArray(configurable)
    ? configurable
    : {};
}

export const get = endpoint(
  { summary: "Get an assistant", tag, params: AssistantPath, answers: { 200: JsonObjectSchema } },
  async ({ app, params, principal }) => ({
    status: 200,
    body: showAssistant(await assistantOf(app, principal, params.assistant_id)),
  }),
);

export const patch = endpoint(
  {
    summary: "Change an assistant: a new version of it",
    tag,
    params: AssistantPath,
    body: Type.Object({ graph_id: Type.Optional(Nullable(Type.String())), ...settings }),
    answers: { 200: JsonObjectSchema },
  },
  async ({ app, params, body, principal }) => {
    const { assistant_id } = await assistantOf(app, principal, params.assistant_id);
    const graph = body.graph_id == null ? undefined : await assistantOf(app, principal, body.graph_id);
    const row = await app.node.database.transaction(async (tx) => {
      await lockAssistant(tx, assistant_id);
      const before = await existing(tx, assistant_id);
      const shown = showAssistant(before);
      const changed: AssistantSettings = {
        name: body.name ?? shown.name,
        description: body.description ?? shown.description,
        config: body.config ?? shown.config,
        context: body.context ?? shown.context,
        metadata: { ...shown.metadata, ...body.metadata },
      };
      return addAssistantVersion(tx, before, graph?.deployment_id ?? before.deployment_id, changed);
    });
    return { status: 200, body: showAssistant(row) };
  },
);

async function existing(q: Queryable, assistant_id: string): Promise<AssistantRow> {
  const row = await findAssistant(q, assistant_id);
  if (!row) throw new Problem("not_found", { what: "assistant", id: assistant_id });
  return row;
}

export const remove = endpoint(
  {
    summary: "Delete an assistant, and with delete_threads the threads whose metadata names it",
    tag,
    params: AssistantPath,
    query: Type.Object({ delete_threads: Type.Optional(Type.Boolean()) }),
    answers: { 200: JsonObjectSchema },
  },
  async ({ app, params, query, principal }) => {
    const { database } = app.node;
    const { assistant_id, system } = await assistantOf(app, principal, params.assistant_id);
    if (system === 1) {
      throw new Problem("forbidden", {
        message: "This assistant is its deployment's own, and stays as long as the deployment.",
      });
    }
    if (query.delete_threads) {
      const filter = { deployment_ids: principal.deployment_ids ?? undefined, metadata: { assistant_id } };
      for (const thread of await searchThreads(database, filter, { limit: MAX_THREADS })) {
        await deleteThread(app.node, thread);
      }
    }
    await database.transaction((tx) => deleteAssistant(tx, assistant_id));
    return { status: 200, body: {} };
  },
);

const MAX_THREADS = 10_000;

const Filter = {
  graph_id: Type.Optional(Nullable(Type.String())),
  name: Type.Optional(Nullable(Type.String())),
  metadata: Type.Optional(Nullable(JsonObjectSchema)),
};

async function matching(
  app: App,
  principal: Principal,
  filter: { graph_id?: string | null; name?: string | null; metadata?: JsonObject | null },
): Promise<Assistant[]> {
  await ensureSystemAssistants(app);
  const rows = await listAssistants(app.node.database, {
    deployment_ids: scopeOf(principal, undefined),
    graph_id: filter.graph_id ?? undefined,
    name: filter.name ?? undefined,
  });
  const shown = rows.map(showAssistant);
  const { metadata } = filter;
  return metadata ? shown.filter((assistant) => contains(assistant.metadata, metadata)) : shown;
}

export const search = endpoint(
  {
    summary: "Search assistants",
    tag,
    body: Type.Object({
      ...Filter,
      ...Sort(["assistant_id", "graph_id", "name", "created_at", "updated_at"]),
    }),
    answers: { 200: Type.Array(JsonObjectSchema) },
  },
  async ({ app, body, principal }) => {
    const found = sorted(await matching(app, principal, body), body.sort_by ?? "created_at", body.sort_order);
    return paginated(found, body, found.length);
  },
);

export const count = endpoint(
  { summary: "Count assistants", tag, body: Type.Object(Filter), answers: { 200: Type.Integer() } },
  async ({ app, body, principal }) => ({
    status: 200,
    body: (await matching(app, principal, body)).length,
  }),
);

export const versions = endpoint(
  {
    summary: "An assistant's versions, newest first",
    tag,
    params: AssistantPath,
    body: Type.Object({
      metadata: Type.Optional(Nullable(JsonObjectSchema)),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
      offset: Type.Optional(Type.Integer({ minimum: 0 })),
    }),
    answers: { 200: Type.Array(JsonObjectSchema) },
  },
  async ({ app, params, body, principal }) => {
    const { assistant_id } = await assistantOf(app, principal, params.assistant_id);
    const rows = await assistantVersions(app.node.database, assistant_id);
    const { metadata, offset = 0, limit = 10 } = body;
    const all = rows.map((row) => ({ ...showAssistant(row), created_at: row.updated_at }));
    const found = metadata ? all.filter((version) => contains(version.metadata, metadata)) : all;
    return { status: 200, body: found.slice(offset, offset + limit) };
  },
);

export const latest = endpoint(
  {
    summary: "Make a version of an assistant the one that counts",
    tag,
    params: AssistantPath,
    body: Type.Object({ version: Type.Integer({ minimum: 1 }) }),
    answers: { 200: JsonObjectSchema },
  },
  async ({ app, params, body, principal }) => {
    const { assistant_id } = await assistantOf(app, principal, params.assistant_id);
    const row = await app.node.database.transaction(async (tx) => {
      if (!(await chooseAssistantVersion(tx, assistant_id, body.version))) {
        throw new Problem("not_found", { what: "version of this assistant", id: String(body.version) });
      }
      return existing(tx, assistant_id);
    });
    return { status: 200, body: showAssistant(row) };
  },
);

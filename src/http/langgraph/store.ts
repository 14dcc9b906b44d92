/** Store items as LangGraph's clients know them. Their requests name no deployment; a key that reaches several has to. */
import { Type } from "typebox";
import { Problem } from "../../core/problem.ts";
import { JsonObjectSchema, Nullable } from "../../core/schema.ts";
import type { FoundItem, StoreItem } from "../../core/store_item.ts";
import { askStore, putStoreItem, searchStoreItems } from "../../engine/store_items.ts";
import { listDeployments } from "../../store/deployments.ts";
import type { App } from "../app.ts";
import { type Principal, scopeOf } from "../auth.ts";
import { endpoint } from "../endpoint.ts";

const tag = "langgraph";
const DEPLOYMENT_HEADER = "x-deployment-id";
const MAX_LIMIT = 1_000;

const Named = { deployment_id: Type.Optional(Type.String()) };
const Labels = Type.Array(Type.String());
const Limit = Type.Optional(Nullable(Type.Integer({ minimum: 1, maximum: MAX_LIMIT })));
const Offset = Type.Optional(Nullable(Type.Integer({ minimum: 0 })));

type Asked = {
  app: App;
  principal: Principal;
  query: { deployment_id?: string };
  request: { headers: Record<string, string | string[] | undefined> };
};

/** The deployment the request names, by query or header; else the only one its key reaches. */
async function deploymentOf({ app, principal, query, request }: Asked): Promise<string> {
  const header = request.headers[DEPLOYMENT_HEADER];
  const named = query.deployment_id ?? (typeof header === "string" ? header : undefined);
  const deployment_ids = scopeOf(principal, named);
  const found = await listDeployments(app.node.database, { deployment_ids });
  if (found.length === 1) return found[0]!.deployment_id;
  if (named !== undefined || found.length === 0)
    throw new Problem("not_found", { what: "deployment", id: named });
  throw new Problem("bad_request", {
    message: `This key reaches ${found.length} deployments, and each has a store of its own. Name one with the header ${DEPLOYMENT_HEADER}, or use a key of that deployment.`,
  });
}

export const put = endpoint(
  {
    summary: "Make or replace a store item",
    tag,
    query: Type.Object(Named),
    body: Type.Object({
      namespace: Labels,
      key: Type.String(),
      value: JsonObjectSchema,
      index: Type.Optional(Nullable(Type.Union([Type.Literal(false), Labels]))),
      ttl: Type.Optional(Nullable(Type.Number({ exclusiveMinimum: 0 }))),
    }),
    answers: { 204: null },
  },
  async (asked) => {
    await putStoreItem(asked.app.node, await deploymentOf(asked), asked.body);
    return { status: 204 };
  },
);

export const get = endpoint(
  {
    summary: "A store item, or null",
    tag,
    query: Type.Object({
      ...Named,
      namespace: Type.Optional(Type.Union([Labels, Type.String()])),
      key: Type.String(),
      refresh_ttl: Type.Optional(Type.Boolean()),
    }),
    answers: { 200: JsonObjectSchema },
  },
  async (asked) => {
    const { namespace = [], key, refresh_ttl } = asked.query;
    const labels = [namespace].flat().flatMap((text) => (text === "" ? [] : text.split(".")));
    const item = await askStore<StoreItem | null>(asked.app.node, await deploymentOf(asked), {
      ...{ op: "get", namespace: labels, key },
      ...(refresh_ttl !== undefined && { refresh_ttl }),
    });
    return { status: 200, headers: { "content-type": "application/json" }, body: JSON.stringify(item) };
  },
);

export const remove = endpoint(
  {
    summary: "Delete a store item",
    tag,
    query: Type.Object(Named),
    body: Type.Object({ namespace: Type.Optional(Labels), key: Type.String() }),
    answers: { 204: null },
  },
  async (asked) => {
    const { namespace = [], key } = asked.body;
    await askStore(asked.app.node, await deploymentOf(asked), { op: "put", namespace, key, value: null });
    return { status: 204 };
  },
);

export const search = endpoint(
  {
    summary: "Search store items",
    tag,
    query: Type.Object(Named),
    body: Type.Object({
      namespace_prefix: Type.Optional(Nullable(Labels)),
      filter: Type.Optional(Nullable(JsonObjectSchema)),
      limit: Limit,
      offset: Offset,
      query: Type.Optional(Nullable(Type.String())),
      refresh_ttl: Type.Optional(Nullable(Type.Boolean())),
    }),
    answers: { 200: JsonObjectSchema },
  },
  async (asked) => {
    const { namespace_prefix, filter, limit, offset, query, refresh_ttl } = asked.body;
    const found = await searchStoreItems<FoundItem[]>(asked.app.node, await deploymentOf(asked), {
      namespace_prefix: namespace_prefix ?? [],
      query,
      ...(filter && { filter }),
      ...(typeof limit === "number" && { limit }),
      ...(typeof offset === "number" && { offset }),
      ...(typeof refresh_ttl === "boolean" && { refresh_ttl }),
    });
    const items = found.map(({ score, ...item }) => ({ ...item, ...(score !== null && { score }) }));
    return { status: 200, body: { items } };
  },
);

export const namespaces = endpoint(
  {
    summary: "The namespaces of store items",
    tag,
    query: Type.Object(Named),
    body: Type.Object({
      prefix: Type.Optional(Nullable(Labels)),
      suffix: Type.Optional(Nullable(Labels)),
      max_depth: Type.Optional(Nullable(Type.Integer({ minimum: 1 }))),
      limit: Limit,
      offset: Offset,
    }),
    answers: { 200: JsonObjectSchema },
  },
  async (asked) => {
    const { prefix, suffix, max_depth, limit, offset } = asked.body;
    const listed = await askStore<string[][]>(asked.app.node, await deploymentOf(asked), {
      op: "list_namespaces",
      ...(prefix && { prefix }),
      ...(suffix && { suffix }),
      ...(typeof max_depth === "number" && { max_depth }),
      ...(typeof limit === "number" && { limit }),
      ...(typeof offset === "number" && { offset }),
    });
    return { status: 200, body: { namespaces: listed } };
  },
);

/** /v1/webhooks: addresses that start runs, addresses that are told of their ends, and what became of that. */
import { createHash, randomBytes } from "node:crypto";
import { Type } from "typebox";
import { prefixedId } from "../../core/ids.ts";
import { Problem } from "../../core/problem.ts";
import { AcceptedRun } from "../../core/run.ts";
import { JsonValue, Nullable } from "../../core/schema.ts";
import { Delivery, NewWebhook, Webhook, webhookEvents } from "../../core/webhook.ts";
import { accept } from "../../engine/accept.ts";
import { newSecret } from "../../engine/deliver.ts";
import { checkReceiver } from "../../engine/receivers.ts";
import { listDeliveries } from "../../store/deliveries.ts";
import { deploymentExists } from "../../store/deployments.ts";
import { findThread } from "../../store/threads.ts";
import {
  changeSecret,
  createWebhook,
  deleteWebhook,
  findWebhook,
  findWebhookByToken,
  listWebhooks,
  signingSecret,
} from "../../store/webhooks.ts";
import type { App } from "../app.ts";
import { type Principal, reaches, requireDeployment, scopeOf } from "../auth.ts";
import { endpoint } from "../endpoint.ts";
import { attemptOf } from "../idempotency.ts";
import { Cursor, DEFAULT_LIMIT, decodeCursor, encodeCursor, Limit } from "../page.ts";
import { runOf } from "./runs.ts";

const tag = "webhooks";
const WebhookPath = Type.Object({ webhook_id: Type.String() });
const DeploymentPath = Type.Object({ deployment_id: Type.String() });
const Deliveries = Type.Object({ deliveries: Type.Array(Delivery), next_cursor: Nullable(Type.String()) });
const Page = Type.Object({ limit: Limit, cursor: Cursor }, { additionalProperties: false });
const Secret = Type.Object({ secret: Type.String() });

const hashToken = (token: string) => createHash("sha256").update(token).digest("hex");

async function webhookOf(app: App, principal: Principal, webhook_id: string): Promise<Webhook> {
  const webhook = await findWebhook(app.node.database, webhook_id);
  if (!webhook || !reaches(principal)(webhook.deployment_id)) {
    throw new Problem("not_found", { what: "webhook", id: webhook_id });
  }
  return webhook;
}

async function deploymentOf(app: App, principal: Principal, deployment_id: string): Promise<void> {
  requireDeployment(principal, deployment_id);
  if (!(await deploymentExists(app.node.database, deployment_id))) {
    throw new Problem("not_found", { what: "deployment", id: deployment_id });
  }
}

/** Keys that only the other direction takes. */
const foreign = {
  incoming: ["url", "events"],
  outgoing: ["environment", "thread_id", "multitask_strategy"],
} as const;

/** Throws a 400 or 404 for an order that makes no webhook. */
async function complete(app: App, order: NewWebhook): Promise<NewWebhook> {
  const stray = foreign[order.direction].find((key) => order[key] !== undefined);
  if (stray)
    throw new Problem("bad_request", { message: `body.${stray}: an ${order.direction} webhook has none.` });
  if (order.direction === "outgoing") {
    if (order.url === undefined) throw new Problem("bad_request", { message: 'body needs "url".' });
    await checkReceiver(order.url, app.node.webhookAllowPrivate);
    return { ...order, events: order.events ?? [...webhookEvents] };
  }
  const { thread_id } = order;
  const thread = thread_id === undefined ? undefined : await findThread(app.node.database, thread_id);
  if (thread_id !== undefined && thread?.deployment_id !== order.deployment_id) {
    throw new Problem("not_found", { what: "thread of this deployment", id: thread_id });
  }
  return {
    ...order,
    environment: order.environment ?? "production",
    multitask_strategy: order.multitask_strategy ?? "enqueue",
  };
}

export const create = endpoint(
  {
    summary: "Create a webhook; the address of an incoming one is shown only here",
    tag,
    body: NewWebhook,
    answers: {
      201: Type.Intersect([
        Webhook,
        Type.Object({ path: Type.Optional(Type.String({ description: "/webhooks/runs/<token>" })) }),
      ]),
    },
  },
  async ({ app, body, principal }) => {
    await deploymentOf(app, principal, body.deployment_id);
    const order = await complete(app, body);
    const token = order.direction === "incoming" ? randomBytes(32).toString("base64url") : null;
    const webhook = await app.node.database.transaction((tx) =>
      createWebhook(tx, {
        ...order,
        webhook_id: prefixedId("whk", randomBytes(12)),
        token_hash: token === null ? null : hashToken(token),
      }),
    );
    return { status: 201, body: { ...webhook, ...(token !== null && { path: `/webhooks/runs/${token}` }) } };
  },
);

export const list = endpoint(
  {
    summary: "List webhooks, oldest first",
    tag,
    query: Type.Object({ deployment_id: Type.Optional(Type.String()) }, { additionalProperties: false }),
    answers: { 200: Type.Object({ webhooks: Type.Array(Webhook) }) },
  },
  async ({ app, query: { deployment_id }, principal }) => {
    const scope = scopeOf(principal, deployment_id);
    return { status: 200, body: { webhooks: await listWebhooks(app.node.database, scope) } };
  },
);

export const remove = endpoint(
  {
    summary: "Delete a webhook; what it is owed is still delivered",
    tag,
    params: WebhookPath,
    answers: { 204: null },
  },
  async ({ app, params, principal }) => {
    await webhookOf(app, principal, params.webhook_id);
    await app.node.database.transaction((tx) => deleteWebhook(tx, params.webhook_id));
    return { status: 204 };
  },
);

export const deliveries = endpoint(
  {
    summary: "What a webhook was sent, newest first",
    tag,
    params: WebhookPath,
    query: Page,
    answers: { 200: Deliveries },
  },
  async ({ app, params, query, principal }) => {
    const { webhook_id } = await webhookOf(app, principal, params.webhook_id);
    return { status: 200, body: await deliveriesPage(app, { webhook_id }, query) };
  },
);

export const ofRun = endpoint(
  {
    summary: "What webhooks were sent of a run, newest first",
    tag,
    params: Type.Object({ run_id: Type.String() }),
    query: Page,
    answers: { 200: Deliveries },
  },
  async ({ app, params, query, principal }) => {
    const { run_id } = await runOf(app, principal, params.run_id);
    return { status: 200, body: await deliveriesPage(app, { run_id }, query) };
  },
);

type Place = { created_at: string; delivery_id: string };
const isPlace = (value: unknown): value is Place =>
  typeof (value as Place | null)?.created_at === "string" && typeof (value as Place).delivery_id === "string";

async function deliveriesPage(
  app: App,
  of: { webhook_id: string } | { run_id: string },
  query: { limit?: number; cursor?: string },
): Promise<object> {
  const limit = query.limit ?? DEFAULT_LIMIT;
  const before = decodeCursor(query.cursor, isPlace);
  const rows = await listDeliveries(app.node.database, of, { limit: limit + 1, before });
  const last = rows.length > limit ? rows[limit - 1]! : undefined;
  return {
    deliveries: rows.slice(0, limit),
    next_cursor: last ? encodeCursor({ created_at: last.created_at, delivery_id: last.delivery_id }) : null,
  };
}

export const secret = endpoint(
  {
    summary: "What a deployment's deliveries are signed with",
    tag,
    params: DeploymentPath,
    answers: { 200: Secret },
  },
  async ({ app, params: { deployment_id }, principal }) => {
    await deploymentOf(app, principal, deployment_id);
    const text = await app.node.database.transaction((tx) => signingSecret(tx, deployment_id, newSecret()));
    return { status: 200, body: { secret: text } };
  },
);

export const rotateSecret = endpoint(
  { summary: "Sign with a new secret from now on", tag, params: DeploymentPath, answers: { 201: Secret } },
  async ({ app, params: { deployment_id }, principal }) => {
    await deploymentOf(app, principal, deployment_id);
    const text = newSecret();
    await app.node.database.transaction((tx) => changeSecret(tx, deployment_id, text));
    return { status: 201, body: { secret: text } };
  },
);

export const receive = endpoint(
  {
    summary: "Start a run with the body as its input; the token in the path is the key",
    tag: "runs",
    params: Type.Object({ token: Type.String() }),
    body: JsonValue,
    answers: { 202: AcceptedRun },
  },
  async ({ app, params, body, request }) => {
    const { node } = app;
    const webhook = await findWebhookByToken(node.database, hashToken(params.token));
    if (!webhook) throw new Problem("not_found", { what: "webhook with this token" });
    const { webhook_id, deployment_id, thread_id = null, environment, multitask_strategy } = webhook;
    const thread = thread_id === null ? null : await findThread(node.database, thread_id);
    if (thread === undefined) throw new Problem("not_found", { what: "thread", id: thread_id });
    const accepted = await accept(node, app.worker, {
      thread,
      deployment_id,
      request: {
        input: body,
        metadata: { webhook_id },
        ...(environment && { environment }),
        ...(thread && multitask_strategy && { multitask_strategy }),
      },
      // The path holds the token, which is kept nowhere.
      attempt: attemptOf(request, webhook_id, "/webhooks/runs"),
    });
    return { status: 202, body: accepted };
  },
);

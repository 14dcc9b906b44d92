/** Webhooks, and what their deliveries are signed with. Of an incoming one's token only the SHA-256 is kept. */
import type { NewWebhook, Webhook, WebhookEvent } from "../core/webhook.ts";
import { first, only, type Queryable } from "./database.ts";
import { join, sql, where } from "./sql.ts";

type WebhookRow = {
  webhook_id: string;
  direction: Webhook["direction"];
  deployment_id: string;
  name: string | null;
  environment: Webhook["environment"] | null;
  thread_id: string | null;
  multitask_strategy: Webhook["multitask_strategy"] | null;
  url: string | null;
  events: string | null;
  created_at: string;
};

const columns = sql`webhook_id, direction, deployment_id, name, environment, thread_id, multitask_strategy, url, events,
  created_at`;

function parse(row: WebhookRow): Webhook {
  const { webhook_id, direction, deployment_id, name, created_at } = row;
  const about = { webhook_id, direction, deployment_id, name };
  return direction === "incoming"
    ? {
        ...about,
        environment: row.environment!,
        thread_id: row.thread_id,
        multitask_strategy: row.multitask_strategy!,
        created_at,
      }
    : { ...about, url: row.url!, events: JSON.parse(row.events!) as WebhookEvent[], created_at };
}

/** `token_hash` is an incoming one's, null otherwise. */
export async function createWebhook(
  tx: Queryable,
  webhook: NewWebhook & { webhook_id: string; token_hash: string | null },
): Promise<Webhook> {
  const { environment = null, thread_id = null, multitask_strategy = null, url = null, events } = webhook;
  const row = only(
    await tx.query<WebhookRow>(sql`
      insert into webhooks (${columns}, token_hash)
      values (${webhook.webhook_id}, ${webhook.direction}, ${webhook.deployment_id}, ${webhook.name ?? null},
        ${environment}, ${thread_id}, ${multitask_strategy}, ${url}, ${events ? JSON.stringify(events) : null},
        ${tx.dialect.now}, ${webhook.token_hash})
      returning ${columns}`),
  );
  return parse(row);
}

export async function findWebhook(q: Queryable, webhook_id: string): Promise<Webhook | undefined> {
  const row = first(
    await q.query<WebhookRow>(sql`select ${columns} from webhooks where webhook_id = ${webhook_id}`),
  );
  return row && parse(row);
}

export async function findWebhookByToken(q: Queryable, token_hash: string): Promise<Webhook | undefined> {
  const row = first(
    await q.query<WebhookRow>(sql`select ${columns} from webhooks where token_hash = ${token_hash}`),
  );
  return row && parse(row);
}

/** Oldest first. `deployment_ids` undefined: all. */
export async function listWebhooks(
  q: Queryable,
  deployment_ids: readonly string[] | undefined,
): Promise<Webhook[]> {
  if (deployment_ids?.length === 0) return [];
  const rows = await q.query<WebhookRow>(sql`
    select ${columns} from webhooks
    ${where([deployment_ids && sql`deployment_id in (${join(deployment_ids)})`])} order by created_at, webhook_id`);
  return rows.map(parse);
}

export async function deleteWebhook(tx: Queryable, webhook_id: string): Promise<void> {
  await tx.query(sql`delete from webhooks where webhook_id = ${webhook_id}`);
}

/** The secret a deployment's deliveries are signed with; `fresh` becomes it when there is none yet. */
export async function signingSecret(tx: Queryable, deployment_id: string, fresh: string): Promise<string> {
  await tx.query(sql`
    insert into webhook_secrets (deployment_id, secret) values (${deployment_id}, ${fresh}) on conflict do nothing`);
  const row = only(
    await tx.query<{ secret: string }>(
      sql`select secret from webhook_secrets where deployment_id = ${deployment_id}`,
    ),
  );
  return row.secret;
}

export async function changeSecret(tx: Queryable, deployment_id: string, secret: string): Promise<void> {
  await tx.query(sql`
    insert into webhook_secrets (deployment_id, secret) values (${deployment_id}, ${secret})
    on conflict (deployment_id) do update set secret = excluded.secret`);
}

/** The stored queue of deliveries: owed by the commit that ends a run, claimed by one node at a time, tried until a day is over. */
import { randomBytes } from "node:crypto";
import { prefixedId } from "../core/ids.ts";
import type { Delivery, WebhookEvent } from "../core/webhook.ts";
import { first, type Queryable } from "./database.ts";
import { type Sql, sql, where } from "./sql.ts";

/** A claimed delivery is another node's again after this: its claimer is gone. Longer than an attempt may take. */
const CLAIM_S = 30;
const KEPT_DAYS = 30;
const ROWS_PER_STEP = 500;

const columns = sql`delivery_id, webhook_id, run_id, event, url, status, attempts, last_status, last_error,
  next_attempt_at, created_at, completed_at`;

/** Everyone who is to be told of this end is owed a delivery. Returns whether there is anyone. */
export async function oweDeliveries(
  tx: Queryable,
  run: { log_id: number; run_id: string; deployment_id: string },
  event: WebhookEvent,
): Promise<boolean> {
  const receivers = await tx.query<{ webhook_id: string | null; url: string; events: string | null }>(sql`
    select webhook_id, url, events from webhooks
    where deployment_id = ${run.deployment_id} and direction = 'outgoing'
    union all
    select null, webhook, null from run_requests
    where log_id = ${run.log_id} and run_id = ${run.run_id} and webhook is not null`);
  const told = receivers.filter(
    ({ events }) => events === null || (JSON.parse(events) as string[]).includes(event),
  );
  for (const { webhook_id, url } of told) {
    await tx.query(sql`
      insert into webhook_deliveries
        (delivery_id, webhook_id, run_id, event, url, status, attempts, next_attempt_at, created_at)
      values (${prefixedId("dlv", randomBytes(12))}, ${webhook_id}, ${run.run_id}, ${event}, ${url}, 'pending', 0,
        ${tx.dialect.now}, ${tx.dialect.now})`);
  }
  return told.length > 0;
}

/** Takes up to `limit` deliveries that are due, for one attempt each. */
export function claimDeliveries(tx: Queryable, limit: number): Promise<Delivery[]> {
  const due = sql`status = 'pending' and next_attempt_at <= ${tx.dialect.now}`;
  return tx.query<Delivery>(sql`
    update webhook_deliveries set next_attempt_at = ${tx.dialect.nowPlus(CLAIM_S)}, attempts = attempts + 1
    where delivery_id in (
      select delivery_id from webhook_deliveries where ${due} order by next_attempt_at limit ${limit})
      and ${due}
    returning ${columns}`);
}

/** How long until the next one is due, in milliseconds; undefined when none waits. */
export async function nextDeliveryMs(q: Queryable): Promise<number | undefined> {
  const row = first(
    await q.query<{ at: string | null; now: string }>(sql`
      select min(next_attempt_at) as at, ${q.dialect.now} as now from webhook_deliveries where status = 'pending'`),
  );
  return row?.at ? Date.parse(row.at) - Date.parse(row.now) : undefined;
}

type Outcome = { last_status: number | null; last_error: string | null };

export async function settleDelivery(
  tx: Queryable,
  delivery_id: string,
  status: "delivered" | "failed",
  { last_status, last_error }: Outcome,
): Promise<void> {
  await tx.query(sql`
    update webhook_deliveries set status = ${status}, last_status = ${last_status}, last_error = ${last_error},
      next_attempt_at = null, completed_at = ${tx.dialect.now}
    where delivery_id = ${delivery_id} and status = 'pending'`);
}

/** It is tried again in `delay_s`, unless that is more than `limit_s` after it was made: then it has failed. */
export async function retryDelivery(
  tx: Queryable,
  delivery_id: string,
  { delay_s, limit_s }: { delay_s: number; limit_s: number },
  outcome: Outcome,
): Promise<void> {
  const again = await tx.query(sql`
    update webhook_deliveries set last_status = ${outcome.last_status}, last_error = ${outcome.last_error},
      next_attempt_at = ${tx.dialect.nowPlus(delay_s)}
    where delivery_id = ${delivery_id} and status = 'pending' and created_at > ${tx.dialect.nowPlus(delay_s - limit_s)}
    returning delivery_id`);
  if (again.length === 0) await settleDelivery(tx, delivery_id, "failed", outcome);
}

/** Newest first, those made before `before`. */
export function listDeliveries(
  q: Queryable,
  of: { webhook_id: string } | { run_id: string },
  page: { limit: number; before?: { created_at: string; delivery_id: string } | undefined },
): Promise<Delivery[]> {
  const { before } = page;
  const owner: Sql = "run_id" in of ? sql`run_id = ${of.run_id}` : sql`webhook_id = ${of.webhook_id}`;
  return q.query<Delivery>(sql`
    select ${columns} from webhook_deliveries
    ${where([owner, before && sql`(created_at, delivery_id) < (${before.created_at}, ${before.delivery_id})`])}
    order by created_at desc, delivery_id desc limit ${page.limit}`);
}

/** Forgets some of those that were over long ago. False: there was none. */
export async function sweepDeliveries(tx: Queryable): Promise<boolean> {
  const gone = await tx.query(sql`
    delete from webhook_deliveries where delivery_id in (
      select delivery_id from webhook_deliveries
      where completed_at is not null and completed_at < ${tx.dialect.nowPlus(-KEPT_DAYS * 86_400)}
      limit ${ROWS_PER_STEP})
    returning delivery_id`);
  return gone.length > 0;
}

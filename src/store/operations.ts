/** What is going on, counted by indexes that hold only what is. */
import type { Operations } from "../core/operations.ts";
import { only, type Queryable } from "./database.ts";
import { sql } from "./sql.ts";

const MAX_LEASES = 200;
const DAY_S = 24 * 3600;

export async function heldLeases(q: Queryable): Promise<Operations["leases"]> {
  return q.query(sql`
    select leases.run_id, runs.thread_id, runs.deployment_id, leases.node_id, leases.attempt, runs.started_at,
      leases.expires_at
    from leases join runs on runs.log_id = leases.log_id and runs.run_id = leases.run_id
    where leases.expires_at is not null order by runs.started_at limit ${MAX_LEASES}`);
}

/** Runs under way, by the node that holds their lease. */
export async function runningByNode(q: Queryable): Promise<Map<string, number>> {
  const rows = await q.query<{ node_id: string; running: number }>(sql`
    select node_id, count(*) as running from leases where expires_at is not null group by node_id`);
  return new Map(rows.map(({ node_id, running }) => [node_id, Number(running)]));
}

export async function countWaiting(q: Queryable): Promise<{ pending: number; oldest_due_at: string | null }> {
  const row = only(
    await q.query<{ pending: number; oldest_due_at: string | null }>(sql`
      select count(*) as pending, min(case when due_at <= ${q.dialect.now} then due_at end) as oldest_due_at
      from runs where status = 'pending'`),
  );
  return { pending: Number(row.pending), oldest_due_at: row.oldest_due_at };
}

export async function countDeliveries(q: Queryable): Promise<Operations["deliveries"]> {
  const row = only(
    await q.query<{ pending: number; failed: number }>(sql`
      select (select count(*) from webhook_deliveries where status = 'pending') as pending,
        (select count(*) from webhook_deliveries
          where completed_at > ${q.dialect.nowPlus(-DAY_S)} and status = 'failed') as failed`),
  );
  return { pending: Number(row.pending), failed: Number(row.failed) };
}

export async function countKeys(q: Queryable): Promise<{ keys: number; sessions: number }> {
  const row = only(
    await q.query<{ keys: number; sessions: number }>(sql`
      select (select count(*) from api_keys) as keys,
        (select count(*) from sessions where expires_at > ${q.dialect.now}) as sessions`),
  );
  return { keys: Number(row.keys), sessions: Number(row.sessions) };
}

/** Leases: who executes which live run, until when. All times are the database's. */
import { LEASE_S, type Lease } from "../core/lease.ts";
import { only, type Queryable } from "./database.ts";
import { join, type Sql, sql } from "./sql.ts";

/** A row for a run that waits to be claimed. */
export async function createLease(tx: Queryable, log_id: number, run_id: string): Promise<void> {
  await tx.query(
    sql`insert into leases (log_id, run_id, attempt, last_seq) values (${log_id}, ${run_id}, 0, 0)`,
  );
}

/**
 * Gives the run to a node; the attempt is the fence for all that an earlier holder may still send. Takes numbers
 * for so many events, and returns the last.
 */
export async function grantLease(tx: Queryable, lease: Lease, events: number): Promise<number> {
  const row = only(
    await tx.query<{ last_seq: number }>(sql`
      update leases set node_id = ${lease.node_id}, attempt = ${lease.attempt}, batch = 0, last_seq = last_seq + ${events},
        expires_at = ${tx.dialect.nowPlus(LEASE_S)}
      where log_id = ${lease.log_id} and run_id = ${lease.run_id} returning last_seq`),
  );
  return row.last_seq;
}

/** Takes the run from whoever holds it; the numbering of events stays. */
export async function revokeLease(tx: Queryable, log_id: number, run_id: string): Promise<void> {
  await tx.query(sql`
    update leases set node_id = null, expires_at = null where log_id = ${log_id} and run_id = ${run_id}`);
}

/** Condition: nobody else has taken the run meanwhile. */
export const holds = (lease: Lease): Sql => sql`exists (
  select 1 from leases where log_id = ${lease.log_id} and run_id = ${lease.run_id}
    and node_id = ${lease.node_id} and attempt = ${lease.attempt})`;

/** Renews a node's leases; returns those that it still holds, as `run_id attempt` keys. */
export async function renewLeases(tx: Queryable, node_id: string, leases: Lease[]): Promise<Set<string>> {
  const held = new Set<string>();
  for (let i = 0; i < leases.length; i += 100) {
    const some = leases
      .slice(i, i + 100)
      .map(({ log_id, run_id }) => sql`(log_id = ${log_id} and run_id = ${run_id})`);
    const rows = await tx.query<{ run_id: string; attempt: number }>(sql`
      update leases set expires_at = ${tx.dialect.nowPlus(LEASE_S)}
      where node_id = ${node_id} and (${join(some, " or ")}) returning run_id, attempt`);
    for (const { run_id, attempt } of rows) held.add(`${run_id} ${attempt}`);
  }
  return held;
}

/** The commit of the holder's batch has come through, though its answer was lost. */
export async function hasBatch(q: Queryable, lease: Lease, batch: number): Promise<boolean> {
  const rows = await q.query(sql`
    select 1 from leases where log_id = ${lease.log_id} and run_id = ${lease.run_id} and node_id = ${lease.node_id}
      and attempt = ${lease.attempt} and batch = ${batch}`);
  return rows.length > 0;
}

/** Runs whose holder has let the lease run out. With `all`, every held lease: the holders are known to be gone. */
export async function expiredLeases(q: Queryable, all: boolean): Promise<Lease[]> {
  return q.query(sql`
    select log_id, run_id, node_id, attempt from leases
    where ${hasExpired(q, all)} limit 1000`);
}

/** Locks one of them; false when its holder has renewed it meanwhile. */
export async function lockExpiredLease(tx: Queryable, lease: Lease, all: boolean): Promise<boolean> {
  const rows = await tx.query(sql`
    select 1 from leases where log_id = ${lease.log_id} and run_id = ${lease.run_id} and node_id = ${lease.node_id}
      and attempt = ${lease.attempt} and ${hasExpired(tx, all)} ${tx.dialect.forUpdate}`);
  return rows.length > 0;
}

const hasExpired = (q: Queryable, all: boolean): Sql =>
  sql`expires_at is not null ${all ? sql`` : sql`and expires_at < ${q.dialect.now}`}`;

/** How many runs wait to be claimed, and how many are held: every live run has a lease. */
export async function liveRuns(q: Queryable): Promise<{ pending: number; running: number }> {
  return only(
    await q.query<{ pending: number; running: number }>(sql`
      select count(*) - count(node_id) as pending, count(node_id) as running from leases`),
  );
}

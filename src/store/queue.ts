/** The queue: which run of a thread is live, which is next, and when. A thread's runs begin in the order they are due. */
import type { Event } from "../core/event.ts";
import type { Lease } from "../core/lease.ts";
import type { RunStatus } from "../core/moves.ts";
import { first, type Queryable } from "./database.ts";
import { insertEvents } from "./events.ts";
import { grantLease } from "./leases.ts";
import { advance, isLive, type MovedRun } from "./runs.ts";
import { sql } from "./sql.ts";

/** Condition: no other run of the thread is running, or comes before this one. */
const isNext = sql`not exists (select 1 from runs other where other.log_id = runs.log_id and (other.status = 'running'
  or (other.status = 'pending' and (other.due_at, other.queue_number) < (runs.due_at, runs.queue_number))))`;

/** The live run of a log, if any: the running one, else the pending one that is next. */
export async function liveRun(
  q: Queryable,
  log_id: number,
): Promise<{ run_id: string; status: RunStatus } | undefined> {
  return first(
    await q.query<{ run_id: string; status: RunStatus }>(sql`
      select run_id, status from runs where log_id = ${log_id} and ${isLive}
      order by status desc, due_at, queue_number limit 1`),
  );
}

/**
 * Claims a pending run for a node. Undefined: somebody else has it, or it is not its turn in its thread. `events`: those
 * with which the attempt begins.
 */
export async function claimRun(
  tx: Queryable,
  run: { log_id: number; run_id: string },
  node_id: string,
  events: (run: MovedRun) => Promise<Event[]>,
): Promise<{ lease: Lease; run: MovedRun } | undefined> {
  const moved = await advance(tx, "claim", run, { when: sql`due_at <= ${tx.dialect.now} and ${isNext}` });
  if (!moved) return undefined;
  const lease = { log_id: run.log_id, run_id: run.run_id, node_id, attempt: moved.attempt };
  const begins = await events(moved);
  const last_seq = await grantLease(tx, lease, begins.length);
  await insertEvents(tx, run.log_id, moved.run_number!, last_seq, begins);
  return { lease, run: moved };
}

/** Runs that are due, longest due first, one per thread, of versions this node can execute. */
export async function claimableRuns(
  q: Queryable,
  machine: string,
  limit: number,
): Promise<{ log_id: number; run_id: string; version_id: string }[]> {
  return q.query(sql`
    select runs.log_id, runs.run_id, runs.version_id from runs join versions on versions.version_id = runs.version_id
    where runs.status = 'pending' and runs.due_at <= ${q.dialect.now} and (versions.machine is null or versions.machine = ${machine})
      and ${isNext}
    order by runs.due_at limit ${limit}`);
}

/** How long until the next pending run is due that is not yet, in milliseconds; undefined when there is none. */
export async function nextDueMs(q: Queryable): Promise<number | undefined> {
  const row = first(
    await q.query<{ due_at: string | null; now: string }>(sql`
      select min(due_at) as due_at, ${q.dialect.now} as now from runs
      where status = 'pending' and due_at > ${q.dialect.now}`),
  );
  return row?.due_at ? Date.parse(row.due_at) - Date.parse(row.now) : undefined;
}

/** How long after each kill the runs it had broken went on, from the times of the events in the database. */
import { raw } from "../../src/store/sql.ts";
import type { Kill } from "./kills.ts";
import { openRecords } from "./records.ts";

export type Recovery = { kind: Kill["kind"]; ms: number };

/** One entry per broken run that went on before the next kill. */
export async function recoveries(source: string, kills: readonly Kill[]): Promise<Recovery[]> {
  const restarts = `case when events like '%"run.restarted"%' then 1 else 0 end`;
  const { q, close } = await openRecords(source);
  const rows = await q
    .query<{ created_at: string; restarts: number; next_at: string | null; next_restarts: number }>(
      raw(`
      select created_at, ${restarts} as restarts, lead(created_at) over run as next_at,
        lead(${restarts}) over run as next_restarts
      from event_batches window run as (partition by log_id, run_number order by last_seq)`),
    )
    .finally(close);
  return rows.flatMap(({ created_at, restarts, next_at, next_restarts }) => {
    if (!restarts || next_at === null || next_restarts) return [];
    const kill = kills.findLast(({ at }) => at <= Date.parse(created_at));
    return kill ? [{ kind: kill.kind, ms: Date.parse(next_at) - kill.at }] : [];
  });
}

export type Busy = { run_id: string; ms: number; after: string };

/**
 * For each run that a dead node left: how long until somebody went on with it, or ended it, without the time in which the
 * database itself was away.
 */
export async function busyAfterDeath(
  source: string,
  faults: readonly Kill[],
  away: readonly Kill[],
): Promise<Busy[]> {
  const { q, close } = await openRecords(source);
  const rows = await q
    .query<{ run_id: string; at: string }>(
      raw(`
      select run_id, event_batches.created_at as at from event_batches join runs using (log_id, run_number)
      order by event_batches.created_at`),
    )
    .finally(close);
  const events = Map.groupBy(rows, ({ run_id }) => run_id);
  return faults.flatMap(({ kind, at, held }) =>
    (held?.runs ?? []).flatMap((run_id) => {
      const next = events.get(run_id)?.find((event) => Date.parse(event.at) > held!.at);
      if (!next) return [];
      const end = Date.parse(next.at);
      const gone = away.map((one) => Math.min(end, one.until ?? end) - Math.max(at, one.at));
      const ms = gone.reduce((left, one) => left - Math.max(0, one), end - at);
      return [{ run_id, ms, after: kind }];
    }),
  );
}

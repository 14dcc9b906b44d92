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

export type Pause = { run_id: string; ms: number; after: string };

/**
 * The longest a run stood still between two of its events, counted from the first fault in between and without the
 * time in which the database itself was away: how long a thread stayed busy after its node died.
 */
export async function longestPause(
  source: string,
  faults: readonly Kill[],
  away: readonly Kill[],
): Promise<Pause> {
  const { q, close } = await openRecords(source);
  const rows = await q
    .query<{ run_id: string; at: string; next_at: string | null }>(
      raw(`
      select run_id, event_batches.created_at as at, lead(event_batches.created_at) over run as next_at
      from event_batches join runs using (log_id, run_number)
      window run as (partition by log_id, run_number order by last_seq)`),
    )
    .finally(close);
  let longest: Pause = { run_id: "none", ms: 0, after: "none" };
  for (const { run_id, at, next_at } of rows) {
    if (next_at === null) continue;
    const [begin, end] = [Date.parse(at), Date.parse(next_at)];
    const fault = faults.find((one) => one.at >= begin && one.at <= end);
    const from = fault?.at ?? begin;
    const gone = away.map((one) => Math.min(end, one.until ?? end) - Math.max(from, one.at));
    const ms = gone.reduce((left, one) => left - Math.max(0, one), end - from);
    if (ms > longest.ms) longest = { run_id, ms, after: fault?.kind ?? "no fault" };
  }
  return longest;
}

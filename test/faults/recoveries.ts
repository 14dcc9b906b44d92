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

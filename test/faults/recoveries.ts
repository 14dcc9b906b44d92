/** How long after each kill the runs it had broken went on, from the times of the events in the database. */
import { DatabaseSync } from "node:sqlite";
import type { Kill } from "./campaign.ts";

export type Recovery = { kind: Kill["kind"]; ms: number };

/** One entry per broken run that went on before the next kill. */
export function recoveries(path: string, kills: readonly Kill[]): Recovery[] {
  const database = new DatabaseSync(path, { readOnly: true });
  const rows = database
    .prepare(`
      select created_at, instr(events, '"run.restarted"') > 0 as restarts,
        lead(created_at) over run as next_at,
        lead(instr(events, '"run.restarted"') > 0) over run as next_restarts
      from event_batches window run as (partition by log_id, run_number order by last_seq)`)
    .all() as { created_at: string; restarts: number; next_at: string | null; next_restarts: number }[];
  database.close();
  return rows.flatMap(({ created_at, restarts, next_at, next_restarts }) => {
    if (!restarts || next_at === null || next_restarts) return [];
    const kill = kills.findLast(({ at }) => at <= Date.parse(created_at));
    return kill ? [{ kind: kill.kind, ms: Date.parse(next_at) - kill.at }] : [];
  });
}

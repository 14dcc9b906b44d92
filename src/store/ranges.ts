/** Which positions of a log a rollback or a prune hides. */
import type { JsonObject } from "../core/json.ts";
import { first, type Queryable } from "./database.ts";
import type { View } from "./logs.ts";
import { sql } from "./sql.ts";

/** The positions a run has written to in its log. Only one run writes at a time, so they are one range. */
export async function positionsOfRun(
  q: Queryable,
  log_id: number,
  run_id: string,
): Promise<{ from: number; to: number } | undefined> {
  const row = first(
    await q.query<{ from_position: number | null; to_position: number | null }>(sql`
      select min(position) as from_position, max(position) as to_position from (
        select position from checkpoints where log_id = ${log_id} and run_id = ${run_id}
        union all
        select position from pending_writes where log_id = ${log_id} and run_id = ${run_id}
      ) as written`),
  );
  if (!row || row.from_position === null || row.to_position === null) return undefined;
  return { from: row.from_position, to: row.to_position };
}

/**
 * What keep_latest hides: the positions of all checkpoints and writes but the newest checkpoint of each namespace
 * and its writes. A checkpoint whose channels need an ancestor's writes (a channel only a reducer can fold) keeps
 * its whole line of ancestors: nothing of it can be hidden.
 */
export async function pruneRanges(q: Queryable, view: View): Promise<{ from: number; to: number }[]> {
  const rows = await q.query<{
    position: number;
    namespace: string;
    checkpoint_id: string;
    shown: string | null;
  }>(sql`
    select position, namespace, checkpoint_id, shown from checkpoints where ${view.within} order by position desc`);
  const kept = new Map<string, string>();
  const dropped: number[] = [];
  for (const row of rows.filter(({ position }) => view.shows(position))) {
    const newest = kept.get(row.namespace);
    if (newest !== undefined) dropped.push(row.position);
    else {
      kept.set(row.namespace, row.checkpoint_id);
      const { values } = JSON.parse(row.shown ?? "{}") as { values?: JsonObject };
      if (Object.keys(values ?? {}).length > 0) return [];
    }
  }
  const writes = await q.query<{ position: number; namespace: string; checkpoint_id: string }>(sql`
    select position, namespace, checkpoint_id from pending_writes where ${view.within} order by position desc`);
  for (const row of writes) {
    if (view.shows(row.position) && kept.get(row.namespace) !== row.checkpoint_id) dropped.push(row.position);
  }
  return toRanges(dropped);
}

function toRanges(positions: number[]): { from: number; to: number }[] {
  const ranges: { from: number; to: number }[] = [];
  for (const position of positions.sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last && last.to + 1 === position) last.to = position;
    else ranges.push({ from: position, to: position });
  }
  return ranges;
}

/** Pending writes: what a task wrote at a checkpoint, before the next one takes it in. `append.ts` stores them. */
import type { Json } from "../core/json.ts";
import type { CheckpointRow } from "./checkpoints.ts";
import type { Queryable } from "./database.ts";
import { withInputs } from "./inputs.ts";
import type { View } from "./logs.ts";
import { runIdOf } from "./run_numbers.ts";
import { sql } from "./sql.ts";

export type NewWrites = {
  namespace: string;
  checkpoint_id: string;
  task_id: string;
  task_path: string;
  writes: [number, string, Json][];
};

export type PendingWrite = {
  task_id: string;
  task_path: string;
  idx: number;
  channel: string;
  value: Json;
  run_id: string | null;
};

/** What a task wrote at once. */
export type WritesRow = {
  position: number;
  namespace: string;
  checkpoint_id: string;
  task_id: string;
  task_path: string;
  run_id: string | null;
  writes: string;
};

/** The pending writes of a checkpoint in the order in which they were made. */
export async function writesAt(
  q: Queryable,
  view: View,
  namespace: string,
  checkpoint_id: string,
): Promise<WritesRow[]> {
  const rows = await q.query<WritesRow>(sql`
    select position, namespace, checkpoint_id, task_id, task_path, ${runIdOf("pending_writes")} as run_id, writes
    from pending_writes
    where ${view.within} and checkpoint_id = ${checkpoint_id} and namespace = ${namespace} order by position`);
  const shown: WritesRow[] = [];
  for (const row of rows) if (view.shows(row.position)) shown.push(await withInput(q, view, row));
  return shown.flatMap((row) => view.branch?.rest(row) ?? [row]);
}

async function withInput(q: Queryable, view: View, row: WritesRow): Promise<WritesRow> {
  if (!row.writes.includes('"input"')) return row;
  const writes = JSON.parse(row.writes) as NewWrites["writes"];
  const values = writes.map(([, , value]) => value);
  const whole = await withInputs(q, view.logAt(row.position), values);
  return { ...row, writes: JSON.stringify(writes.map(([idx, channel], i) => [idx, channel, whole[i]])) };
}

export async function pendingWrites(
  q: Queryable,
  view: View,
  namespace: string,
  checkpoint_id: string,
): Promise<PendingWrite[]> {
  return merged(await writesAt(q, view, namespace, checkpoint_id));
}

/**
 * Writes in (task_path, task_id, idx) order. For the framework's special channels (negative idx) the newest write counts,
 * for the others the first.
 */
export function merged(rows: readonly WritesRow[]): PendingWrite[] {
  const kept = new Map<string, PendingWrite>();
  for (const row of rows) {
    for (const [idx, channel, value] of JSON.parse(row.writes) as [number, string, Json][]) {
      const key = `${row.task_id}\n${idx}`;
      if (idx >= 0 && kept.has(key)) continue;
      kept.set(key, {
        task_id: row.task_id,
        task_path: row.task_path,
        idx,
        channel,
        value,
        run_id: row.run_id,
      });
    }
  }
  return [...kept.values()].sort(
    (a, b) => compare(a.task_path, b.task_path) || compare(a.task_id, b.task_id) || a.idx - b.idx,
  );
}

/** By code point, as Python's strings compare: a replay must apply the writes as the live run did. */
function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** The position of the last write that a checkpoint's own run left on it; 0 when there is none. */
export async function lastWriteOf(q: Queryable, view: View, checkpoint: CheckpointRow): Promise<number> {
  const rows = await q.query<{ position: number; run_id: string | null }>(sql`
    select position, ${runIdOf("pending_writes")} as run_id from pending_writes
    where ${view.within} and checkpoint_id = ${checkpoint.checkpoint_id} and namespace = ${checkpoint.namespace}`);
  const own = rows.filter((row) => row.run_id === checkpoint.run_id && view.shows(row.position));
  return Math.max(0, ...own.map((row) => row.position));
}

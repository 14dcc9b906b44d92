/** Which positions of a log a rollback or a prune hides. */
import type { CheckpointBody } from "./checkpoints.ts";
import { first, type Queryable } from "./database.ts";
import type { View } from "./logs.ts";
import { runIdOf, runNumberOf } from "./run_numbers.ts";
import { putTogether } from "./shapes.ts";
import { sql } from "./sql.ts";

/** The positions a run has written to in its log. Only one run writes at a time, so they are one range. */
export async function positionsOfRun(
  q: Queryable,
  log_id: number,
  run_id: string,
): Promise<{ from: number; to: number } | undefined> {
  const number = runNumberOf(log_id, run_id);
  const row = first(
    await q.query<{ from_position: number | null; to_position: number | null }>(sql`
      select min(position) as from_position, max(position) as to_position from (
        select position from checkpoints where log_id = ${log_id} and run_number = ${number}
        union all
        select position from pending_writes where log_id = ${log_id} and run_number = ${number}
      ) as written`),
  );
  if (!row || row.from_position === null || row.to_position === null) return undefined;
  return { from: row.from_position, to: row.to_position };
}

/** What a prune keeps of a thread beside its newest checkpoint: what either of them keeps. */
export type Keep = {
  /** The checkpoints of the newest runs, so many; a change by hand counts as one. */
  last?: number | undefined;
  /** The checkpoints that are younger, in seconds. */
  younger_than_s?: number | undefined;
};

/**
 * The positions a prune hides: of all checkpoints and writes but those it keeps, the newest checkpoint of each namespace,
 * and the newest of each subgraph's that was there before what it keeps, so that every state that is kept can be gone on
 * from. A checkpoint whose channels need an ancestor's writes (a channel only a reducer can fold) keeps its whole line of
 * ancestors: nothing of it can be hidden.
 */
export async function pruneRanges(
  q: Queryable,
  view: View,
  keep: Keep = {},
): Promise<{ from: number; to: number }[]> {
  const youngerThan = q.dialect.nowPlus(-(keep.younger_than_s ?? 0));
  const stored = await q.query<CheckpointRow>(sql`
    select position, namespace, checkpoint_id, ${runIdOf("checkpoints")} as run_id, shape_id, body,
      case when created_at > ${youngerThan} then 1 else 0 end as young
    from checkpoints where ${view.within} order by position desc`);
  const rows = stored.filter(({ position }) => view.shows(position));
  const cut = Math.min(cutByCount(rows, keep.last), cutByAge(rows, keep.younger_than_s));
  const kept = new Map<string, CheckpointRow>();
  const newest = new Set<string>();
  const dropped: number[] = [];
  for (const row of rows) {
    const isNewest = !newest.has(row.namespace);
    if (row.position < cut && !isNewest) {
      dropped.push(row.position);
      continue;
    }
    // A subgraph's newest before the cut is kept too: what stands at the cut may go on from it.
    if (row.position < cut || row.namespace === "") newest.add(row.namespace);
    kept.set(keyOf(row), row);
  }
  const bodies = (await putTogether(q, [...kept.values()])) as CheckpointBody[];
  if (bodies.some(([, , , shown]) => Object.keys(shown?.values ?? {}).length > 0)) return [];
  const writes = await q.query<{ position: number; namespace: string; checkpoint_id: string }>(sql`
    select position, namespace, checkpoint_id from pending_writes where ${view.within} order by position desc`);
  for (const row of writes) {
    if (view.shows(row.position) && !kept.has(keyOf(row))) dropped.push(row.position);
  }
  return toRanges(dropped);
}

type CheckpointRow = {
  position: number;
  namespace: string;
  checkpoint_id: string;
  run_id: string | null;
  shape_id: string | null;
  body: string;
  young: number;
};

const keyOf = ({ namespace, checkpoint_id }: { namespace: string; checkpoint_id: string }) =>
  `${namespace}\n${checkpoint_id}`;

/** The position from which on everything belongs to the newest runs. `rows` newest first. */
function cutByCount(rows: readonly CheckpointRow[], last = 0): number {
  let cut = Number.POSITIVE_INFINITY;
  let runs = 0;
  let run: string | null = null;
  for (const { namespace, run_id, position } of rows) {
    if (namespace !== "") continue;
    if (run_id === null || run_id !== run) runs++;
    if (runs > last) break;
    run = run_id;
    cut = position;
  }
  return cut;
}

function cutByAge(rows: readonly CheckpointRow[], younger_than_s: number | undefined): number {
  if (younger_than_s === undefined) return Number.POSITIVE_INFINITY;
  return Math.min(...rows.filter(({ young }) => young === 1).map(({ position }) => position));
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

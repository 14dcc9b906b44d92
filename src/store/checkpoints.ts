/** Checkpoints as they are read back through a View of their thread's lineage. `append.ts` writes them. */
import { TAG, tagOf } from "../core/encoding.ts";
import { isObject, type Json, type JsonObject } from "../core/json.ts";
import { first, type Queryable } from "./database.ts";
import { withInputs } from "./inputs.ts";
import { type LogState, openLog, setHead, takePositions, type View } from "./logs.ts";
import { runIdOf, runNumberOf } from "./run_numbers.ts";
import { putTogether, type Shaped } from "./shapes.ts";
import { join, type Sql, sql, where } from "./sql.ts";

export type Shown = { keys: string[]; values?: JsonObject; next: string[]; tasks: Json[] };

export type NewCheckpoint = {
  namespace: string;
  checkpoint_id: string;
  parent_checkpoint_id: string | null;
  step: number;
  source: string;
  /** Channels that changed since the parent, encoded. */
  channels: Record<string, Json>;
  /** Channels that hold nothing any more. */
  removed: string[];
  state: Json;
  metadata: Json;
  shown: Shown | null;
};

/** LangGraph's `branch:to:*` hold null, and are half of a graph's channels: they need no row. Positions begin with 1. */
export const NULL_POSITION = 0;

export type CheckpointRow = {
  position: number;
  namespace: string;
  checkpoint_id: string;
  parent_checkpoint_id: string | null;
  run_id: string | null;
  step: number;
  source: string;
  /** Channel → position of its value, NULL_POSITION where that is null. */
  channels: Record<string, number>;
  state: Json;
  metadata: Json;
  shown: Shown | null;
  created_at: string;
};

const columns = sql`position, namespace, checkpoint_id, parent_checkpoint_id, ${runIdOf("checkpoints")} as run_id, step,
  source, shape_id, body, created_at`;

type StoredRow = Omit<CheckpointRow, "channels" | "state" | "metadata" | "shown"> & Shaped;

/** What a checkpoint's shape and body hold. */
export type CheckpointBody = [
  channels: Record<string, number>,
  state: Json,
  metadata: Json,
  shown: Shown | null,
];

/** Stands in stored metadata for what the row's own column says. Not text: so it is a part of the shape and costs nothing. */
const IN_COLUMN: JsonObject = { [TAG]: [] };

export function bodyOf(
  { step, source, state, metadata, shown }: NewCheckpoint,
  channels: Record<string, number>,
): CheckpointBody {
  if (!isObject(metadata) || metadata.step !== step || metadata.source !== source)
    return [channels, state, metadata, shown];
  return [channels, state, { ...metadata, step: IN_COLUMN, source: IN_COLUMN }, shown];
}

function withColumns(metadata: Json, { step, source }: { step: number; source: string }): Json {
  const isStored =
    isObject(metadata) && isObject(metadata.step) && TAG in metadata.step && !tagOf(metadata.step);
  return isStored ? { ...metadata, step, source } : metadata;
}

async function whole(q: Queryable, rows: StoredRow[]): Promise<CheckpointRow[]> {
  const bodies = await putTogether(q, rows);
  return rows.map(({ shape_id: _, body: __, ...row }, i) => {
    const [channels, state, metadata, shown] = bodies[i] as CheckpointBody;
    return { ...row, channels, state, metadata: withColumns(metadata, row), shown };
  });
}

/** The bodies of some checkpoints. `condition` is over that table's columns. */
export async function checkpointBodies(q: Queryable, condition: Sql): Promise<CheckpointBody[]> {
  const rows = await q.query<Shaped>(sql`select shape_id, body from checkpoints where ${condition}`);
  return (await putTogether(q, rows)) as CheckpointBody[];
}

/** Appends a root checkpoint of the view once more, as where a run stands that made none: it becomes the head. */
export async function repeatCheckpoint(
  tx: Queryable,
  view: View,
  checkpoint_id: string,
  run_number: number,
): Promise<void> {
  const { log_id } = view;
  const position = await takePositions(tx, log_id, 1);
  const original = await findCheckpoint(tx, view, "", checkpoint_id);
  if (!original) throw new Error(`log ${log_id} does not show the checkpoint ${checkpoint_id}`);
  await tx.query(sql`
    insert into checkpoints (log_id, position, namespace, checkpoint_id, parent_checkpoint_id, run_number, step, source,
      shape_id, body, created_at)
    select ${log_id}, ${position}, namespace, checkpoint_id, parent_checkpoint_id, ${run_number}, step, source, shape_id,
      body, ${tx.dialect.now}
    from checkpoints where log_id = ${view.logAt(original.position)} and position = ${original.position}`);
  await setHead(tx, log_id, position);
}

/** A log as it stands, with its head: the root checkpoint committed last. */
export async function readHead(
  q: Queryable,
  log_id: number,
): Promise<{ view: View; log: LogState; head: CheckpointRow | undefined }> {
  const { view, log } = await openLog(q, log_id);
  const head = log.head_position === null ? undefined : await checkpointAt(q, view, log.head_position);
  // The next checkpoint's parent, as a rule.
  if (head) view.remember(head, head.channels);
  return { view, log, head };
}

/** The checkpoint at a position, whether or not the view still shows it. */
export async function checkpointAt(
  q: Queryable,
  view: View,
  position: number,
): Promise<CheckpointRow | undefined> {
  const rows = await q.query<StoredRow>(sql`
    select ${columns} from checkpoints where log_id = ${view.logAt(position)} and position = ${position}`);
  return first(await whole(q, rows));
}

/** A checkpoint by id, or without an id the one committed last in the namespace. */
export async function findCheckpoint(
  q: Queryable,
  view: View,
  namespace: string,
  checkpoint_id?: string,
): Promise<CheckpointRow | undefined> {
  return first(await selectCheckpoints(q, view, { namespace, checkpoint_id, limit: 1 }));
}

/** Checkpoints of a view, the one committed last first. */
export async function selectCheckpoints(
  q: Queryable,
  view: View,
  options: {
    namespace?: string | undefined;
    checkpoint_id?: string | undefined;
    run_id?: string | undefined;
    /** Only those committed before this position. */
    below?: number | undefined;
    limit: number;
  },
): Promise<CheckpointRow[]> {
  const { namespace, checkpoint_id, run_id } = options;
  const conditions: (Sql | undefined)[] = [
    namespace === undefined
      ? undefined
      : namespace === ""
        ? sql`namespace = ''`
        : sql`namespace = ${namespace}`,
    checkpoint_id === undefined ? undefined : sql`checkpoint_id = ${checkpoint_id}`,
  ];
  const found: CheckpointRow[] = [];
  // Segment by segment, so that each read is one range of the primary key, newest first.
  for (const { log_id, low, high } of view.segments) {
    let below = Math.min(
      options.below ?? Number.MAX_SAFE_INTEGER,
      high === Number.MAX_SAFE_INTEGER ? high : high + 1,
    );
    while (found.length < options.limit && below > low + 1) {
      const count = options.limit - found.length;
      const ofRun = run_id === undefined ? undefined : sql`run_number = ${runNumberOf(log_id, run_id)}`;
      const range = [sql`log_id = ${log_id}`, sql`position > ${low}`, sql`position < ${below}`];
      const rows = await q.query<StoredRow>(sql`
        select ${columns} from checkpoints ${where([...range, ...conditions, ofRun])}
        order by position desc limit ${count}`);
      const shown = rows.filter((row) => view.shows(row.position) && !view.branch?.leavesOut(row));
      found.push(...(await whole(q, shown)));
      if (rows.length < count) break;
      below = rows.at(-1)!.position;
    }
  }
  return found;
}

/** Checkpoints by id, greatest first, across namespaces when none is named: the order LangGraph's `list` promises. */
export async function listCheckpointsById(
  q: Queryable,
  view: View,
  options: {
    namespace?: string | undefined;
    checkpoint_id?: string | undefined;
    before?: string | undefined;
    limit?: number | undefined;
  },
): Promise<CheckpointRow[]> {
  const { namespace, checkpoint_id, before, limit } = options;
  const rows = await q.query<StoredRow>(sql`
    select ${columns} from checkpoints
    ${where([
      view.within,
      namespace === undefined ? undefined : sql`namespace = ${namespace}`,
      checkpoint_id === undefined ? undefined : sql`checkpoint_id = ${checkpoint_id}`,
      before === undefined ? undefined : sql`checkpoint_id < ${before}`,
    ])}
    order by checkpoint_id desc, position desc`);
  const seen = new Set<string>();
  const shown = rows.filter((row) => {
    const key = `${row.namespace}\n${row.checkpoint_id}`;
    if (seen.has(key) || !view.shows(row.position) || view.branch?.leavesOut(row)) return false;
    seen.add(key);
    return true;
  });
  return whole(q, shown.slice(0, limit));
}

/** Checkpoints looked at together for where runs end. */
const RUNS_PAGE = 100;

/**
 * For each run (and each update) of a log, newest first, the position of its last root checkpoint. The run that
 * made the checkpoint at `below` is left out: its last one does not lie before it.
 */
export async function lastPositionsByRun(
  q: Queryable,
  view: View,
  options: { below: number; limit: number; run_id?: string | undefined },
): Promise<number[]> {
  const found: number[] = [];
  // A run writes in one log, and its number is of that.
  let previous: string | undefined;
  if (options.below !== Number.MAX_SAFE_INTEGER) {
    const log_id = view.logAt(options.below);
    const [row] = await q.query<{ run_number: number | null }>(sql`
      select run_number from checkpoints where log_id = ${log_id} and position = ${options.below}`);
    previous = row && `${log_id} ${row.run_number}`;
  }
  const [wanted] =
    options.run_id === undefined
      ? []
      : await q.query<{ log_id: number; run_number: number }>(sql`
          select log_id, run_number from runs where run_id = ${options.run_id}`);
  if (options.run_id !== undefined && !wanted) return [];
  for (const { log_id, low, high } of view.segments) {
    let below = Math.min(options.below, high === Number.MAX_SAFE_INTEGER ? high : high + 1);
    while (found.length < options.limit) {
      const rows = await q.query<{ position: number; run_number: number | null }>(sql`
        select position, run_number from checkpoints
        where log_id = ${log_id} and namespace = '' and position > ${low} and position < ${below}
        order by position desc limit ${RUNS_PAGE}`);
      for (const { position, run_number } of rows) {
        if (!view.shows(position)) continue;
        const run = `${log_id} ${run_number}`;
        const starts = run_number === null || run !== previous;
        previous = run;
        if (starts && (!wanted || run === `${wanted.log_id} ${wanted.run_number}`)) found.push(position);
      }
      if (rows.length < RUNS_PAGE) break;
      below = rows.at(-1)!.position;
    }
  }
  return found.slice(0, options.limit);
}

/** The encoded values of several checkpoints' channels: position and channel → value. */
export async function channelValues(
  q: Queryable,
  view: View,
  checkpoints: readonly Pick<CheckpointRow, "channels">[],
): Promise<(position: number, channel: string) => Json> {
  const byLog = new Map<number, Set<number>>();
  for (const { channels } of checkpoints) {
    for (const position of Object.values(channels)) {
      if (position === NULL_POSITION) continue;
      const log_id = view.logAt(position);
      byLog.set(log_id, (byLog.get(log_id) ?? new Set()).add(position));
    }
  }
  const values = new Map<string, Json>();
  for (const [log_id, positions] of byLog) {
    const all = [...positions];
    for (let i = 0; i < all.length; i += 500) {
      const rows = await q.query<{ position: number; channel: string; value: string }>(sql`
        select position, channel, value from channel_values
        where log_id = ${log_id} and position in (${join(all.slice(i, i + 500))})`);
      const whole = await withInputs(
        q,
        log_id,
        rows.map(({ value }) => JSON.parse(value) as Json),
      );
      for (const [i, { position, channel }] of rows.entries())
        values.set(`${position}\n${JSON.parse(channel) as string}`, whole[i]!);
    }
  }
  return (position, channel) => {
    if (position === NULL_POSITION) return null;
    const value = values.get(`${position}\n${channel}`);
    if (value === undefined) throw new Error(`the value of ${channel} at position ${position} is gone`);
    return value;
  };
}

/** Positions of the root checkpoints committed after `from`, up to and including `to`. */
export async function rootCheckpointsBetween(
  q: Queryable,
  view: View,
  from: number,
  to: number,
): Promise<number[]> {
  const rows = await q.query<{ position: number }>(sql`
    select position from checkpoints
    where ${view.within} and namespace = '' and position > ${from} and position <= ${to}`);
  return rows.map((row) => row.position);
}

/** Positions of the root checkpoints that a run made in a part of its log, in order. */
export async function rootPositionsOfRun(
  q: Queryable,
  view: View,
  run: { log_id: number; run_id: string },
  range: { after: number; upTo: number },
): Promise<number[]> {
  const rows = await q.query<{ position: number }>(sql`
    select position from checkpoints
    where log_id = ${run.log_id} and namespace = '' and position > ${range.after} and position <= ${range.upTo}
      and run_number = ${runNumberOf(run.log_id, run.run_id)} order by position`);
  return rows.map(({ position }) => position).filter((position) => view.shows(position));
}

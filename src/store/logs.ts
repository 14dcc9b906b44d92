/**
 * Thread logs: numbered entries that are only ever appended. A copy is a new log that names its parent and the
 * position it branched at; what it reads is its own entries and its ancestors' up to the branch.
 */
import type { Branch } from "./branch.ts";
import { type Database, first, only, type Queryable, type Transaction } from "./database.ts";
import { join, type Sql, sql } from "./sql.ts";

type LogRow = { log_id: number; parent_log_id: number | null; branch_position: number };

/** The part of one log that belongs to a view: positions above `low`, up to and including `high`. */
type Segment = { log_id: number; low: number; high: number };

/** Positions a drop has hidden, both ends included. */
type Hidden = { from_position: number; to_position: number };

/** Parents a run's next checkpoints may name: the newest of each namespace it is in. */
const MAX_RECENT = 64;

/** A checkpoint's name within a lineage: ids are unique in their namespace only. */
export function nameOf(namespace: string, checkpoint_id: string): string {
  return `${namespace}\n${checkpoint_id}`;
}

/** What a reader of a log sees: segments of its lineage, newest first, without what drops hide. */
export class View {
  readonly segments: readonly Segment[];
  readonly hidden: readonly Hidden[];
  /** Where a question was answered more than once: what its other answers led to is left out. */
  readonly branch: Branch | undefined;

  constructor(segments: readonly Segment[], hidden: readonly Hidden[], branch?: Branch) {
    this.segments = segments;
    this.hidden = hidden;
    this.branch = branch;
  }

  /** Channel positions of the checkpoints read or put last through this view: the next one's parent is among them. */
  readonly #recent = new Map<string, Record<string, number>>();

  remember(at: { namespace: string; checkpoint_id: string }, channels: Record<string, number>): void {
    if (this.#recent.size >= MAX_RECENT) this.#recent.delete(this.#recent.keys().next().value!);
    this.#recent.set(nameOf(at.namespace, at.checkpoint_id), channels);
  }

  recall(namespace: string, checkpoint_id: string): Record<string, number> | undefined {
    return this.#recent.get(nameOf(namespace, checkpoint_id));
  }

  get log_id(): number {
    return this.segments[0]!.log_id;
  }

  shows(position: number): boolean {
    return !this.hidden.some((range) => position >= range.from_position && position <= range.to_position);
  }

  /** The log that holds a position of this lineage. */
  logAt(position: number): number {
    const segment = this.segments.find(({ low, high }) => position > low && position <= high);
    if (!segment) throw new Error(`position ${position} is outside the lineage of log ${this.log_id}`);
    return segment.log_id;
  }

  /** A condition that holds for this view's rows of a table keyed by (log_id, position). */
  get within(): Sql {
    const parts = this.segments.map(({ log_id, low, high }) =>
      high === Number.MAX_SAFE_INTEGER
        ? sql`(log_id = ${log_id} and position > ${low})`
        : sql`(log_id = ${log_id} and position > ${low} and position <= ${high})`,
    );
    return sql`(${join(parts, " or ")})`;
  }
}

/**
 * Whoever reads what it changes of a log, or of the thread and runs that name it, locks it first, before it locks anything
 * else: then what happens to one thread happens in one order, and nobody waits in a circle.
 */
export async function lockLog(tx: Queryable, log_id: number): Promise<void> {
  if (!tx.dialect.shared) return;
  await tx.query(sql`select 1 from logs where log_id = ${log_id} ${tx.dialect.forUpdate}`);
}

/** A transaction that locks one log and then changes what belongs to it. */
export function changeLog<T>(
  database: Database,
  log_id: number,
  body: (tx: Transaction) => Promise<T>,
): Promise<T> {
  return database.transaction(async (tx) => {
    await lockLog(tx, log_id);
    return body(tx);
  });
}

/** The same, unless another transaction has it locked now: false. */
export async function lockFreeLog(tx: Queryable, log_id: number): Promise<boolean> {
  if (!tx.dialect.shared) return true;
  const rows = await tx.query(
    sql`select 1 from logs where log_id = ${log_id} ${tx.dialect.forUpdateSkipLocked}`,
  );
  return rows.length > 0;
}

export async function createLog(tx: Queryable, log_id: number): Promise<boolean> {
  const rows = await tx.query(sql`
    insert into logs (log_id, branch_position, next_position, next_item, merged_item, next_run)
    values (${log_id}, 0, 1, 1, 0, 1) on conflict do nothing returning log_id`);
  return rows.length === 1;
}

/** A log that shows everything `parent` shows up to `position`. Constant time, whatever the parent's length. */
export async function branchLog(
  tx: Queryable,
  log: { log_id: number; parent_log_id: number; position: number; head_position: number | null },
): Promise<boolean> {
  const rows = await tx.query(sql`
    insert into logs
      (log_id, parent_log_id, branch_position, next_position, next_item, merged_item, next_run, head_position)
    values (${log.log_id}, ${log.parent_log_id}, ${log.position}, ${log.position + 1}, 1, 0, 1,
      ${log.head_position})
    on conflict do nothing returning log_id`);
  return rows.length === 1;
}

/** The log whose entries up to `position` are the newest part of what `view` shows: a copy branches from it. */
export function branchPoint(view: View, position: number): { parent_log_id: number; position: number } {
  const segment = view.segments.find(({ low }) => position > low);
  // Position 0 lies before every entry: branch from the root of the lineage.
  return { parent_log_id: segment?.log_id ?? view.segments.at(-1)!.log_id, position };
}

export type LogState = { next_position: number; next_item: number; head_position: number | null };

export async function openView(q: Queryable, log_id: number): Promise<View> {
  return (await openLog(q, log_id)).view;
}

/** What a reader of a log sees, and where its next entries go. */
export async function openLog(q: Queryable, log_id: number): Promise<{ view: View; log: LogState }> {
  const rows = await q.query<LogRow & LogState & { drops: number }>(sql`
    with recursive lineage (log_id, parent_log_id, branch_position, next_position, next_item, head_position, depth) as (
      select log_id, parent_log_id, branch_position, next_position, next_item, head_position, 0
      from logs where log_id = ${log_id}
      union all
      select logs.log_id, logs.parent_log_id, logs.branch_position, logs.next_position, logs.next_item,
        logs.head_position, depth + 1
      from logs join lineage on logs.log_id = lineage.parent_log_id
    )
    select log_id, parent_log_id, branch_position, next_position, next_item, head_position,
      (select count(*) from drops where drops.log_id = lineage.log_id) as drops
    from lineage order by depth`);
  if (rows.length === 0) throw new Error(`log ${log_id} is gone`);
  const { next_position, next_item, head_position } = rows[0]!;
  const log = { next_position, next_item, head_position };
  let high = Number.MAX_SAFE_INTEGER;
  const segments = rows.map(({ log_id, branch_position }) => {
    const segment = { log_id, low: branch_position, high };
    high = Math.min(high, branch_position);
    return segment;
  });
  const view = new View(segments, []);
  if (!rows.some(({ drops }) => drops > 0)) return { view, log };
  const drops = await q.query<{ from_position: number; to_position: number }>(
    sql`select from_position, to_position from drops where ${view.within}`,
  );
  return { view: new View(segments, drops), log };
}

export async function readLog(q: Queryable, log_id: number): Promise<LogState> {
  return only(
    await q.query<LogState>(
      sql`select next_position, next_item, head_position from logs where log_id = ${log_id}`,
    ),
  );
}

/** Takes the next `count` positions of a log; returns the first of them. */
export async function takePositions(tx: Queryable, log_id: number, count: number): Promise<number> {
  const row = only(
    await tx.query<{ next: number }>(sql`
      update logs set next_position = next_position + ${count} where log_id = ${log_id}
      returning next_position as next`),
  );
  return row.next - count;
}

export async function setHead(tx: Queryable, log_id: number, position: number | null): Promise<void> {
  await tx.query(sql`update logs set head_position = ${position} where log_id = ${log_id}`);
}

/**
 * Hides positions from readers of this log; a copy that branched earlier still sees them. The head moves back to
 * the newest root checkpoint still shown.
 */
export async function dropPositions(
  tx: Queryable,
  log_id: number,
  ranges: { from: number; to: number }[],
): Promise<void> {
  if (ranges.length === 0) return;
  let position = await takePositions(tx, log_id, ranges.length);
  for (const { from, to } of ranges) {
    await tx.query(sql`
      insert into drops (log_id, position, from_position, to_position) values (${log_id}, ${position++}, ${from}, ${to})`);
  }
  const view = await openView(tx, log_id);
  const { head_position } = await readLog(tx, log_id);
  if (head_position === null || view.shows(head_position)) return;
  const rows = await tx.query<{ position: number }>(sql`
    select position from checkpoints where ${view.within} and namespace = '' order by position desc`);
  await setHead(tx, log_id, rows.find((row) => view.shows(row.position))?.position ?? null);
}

/** The log's last name is gone: from now on it may be swept once nothing needs it. */
export async function abandonLog(tx: Queryable, log_id: number): Promise<void> {
  await tx.query(sql`update logs set dropped_at = ${tx.dialect.now} where log_id = ${log_id}`);
}

/** The next number for a run that begins in this log, from 1. */
export async function takeRunNumber(tx: Queryable, log_id: number): Promise<number> {
  const row = first(
    await tx.query<{ next: number }>(sql`
      update logs set next_run = next_run + 1 where log_id = ${log_id} returning next_run as next`),
  );
  if (!row) throw new Error(`log ${log_id} is gone`);
  return row.next - 1;
}

/** A stateless run is over: its state is of no use to anyone. Items stay, the run's output refers to them. */
export async function clearHiddenLog(tx: Queryable, log_id: number): Promise<void> {
  await tx.query(sql`delete from checkpoints where log_id = ${log_id}`);
  await tx.query(sql`delete from channel_values where log_id = ${log_id}`);
  await tx.query(sql`delete from pending_writes where log_id = ${log_id}`);
  await setHead(tx, log_id, null);
}

/**
 * Appends to a thread's log: checkpoints, pending writes, and the items they refer to. However many entries a commit
 * brings, their places are taken by one update and each table gets its rows together: a statement costs 20 µs on SQLite
 * and a round trip on PostgreSQL.
 */
import { type Json, setOwn } from "../core/json.ts";
import type { Lease } from "../core/lease.ts";
import {
  bodyOf,
  type CheckpointBody,
  findCheckpoint,
  type NewCheckpoint,
  NULL_POSITION,
} from "./checkpoints.ts";
import { first, type Queryable } from "./database.ts";
import { LeaseLost } from "./events.ts";
import type { RunInput } from "./inputs.ts";
import { holds } from "./leases.ts";
import { nameOf, type View } from "./logs.ts";
import { takeApart } from "./shapes.ts";
import { join, nothing, type Sql, sql } from "./sql.ts";
import type { NewWrites } from "./writes.ts";

/** Items under the numbers a runner gave them; they must follow the log's last one without a gap. */
export type NewItems = { first: number; bodies: Json[] };

export type Entry = { items?: NewItems | undefined } & (
  | ({ type: "checkpoint" } & NewCheckpoint)
  | ({ type: "writes" } & NewWrites)
  | { type: "items" }
);

/**
 * Stores entries in their order; the last root checkpoint becomes the log's head. With a lease it throws LeaseLost when
 * that is no longer held. `run_number`: of the run that brings them, null for a change by a person. `input`: what that
 * run was given, which they need not repeat.
 */
export async function appendEntries(
  tx: Queryable,
  view: View,
  entries: readonly Entry[],
  by: { run_number: number | null; lease?: Lease; input?: Input | undefined },
): Promise<void> {
  const { log_id } = view;
  const { run_number, lease, input = noInput } = by;
  const stored = entries.filter((entry) => entry.type !== "items");
  const head = stored.findLastIndex((entry) => entry.type === "checkpoint" && entry.namespace === "");
  const items = entries.flatMap((entry) => entry.items ?? []);
  const count = items.reduce((sum, { bodies }) => sum + bodies.length, 0);
  const log = first(
    await tx.query<{ next_position: number; next_item: number }>(sql`
      update logs set next_position = next_position + ${stored.length}, next_item = next_item + ${count}
        ${head < 0 ? sql`` : sql`, head_position = next_position + ${head}`}
      where log_id = ${log_id} ${lease ? sql`and ${holds(lease)}` : sql``} returning next_position, next_item`),
  );
  if (!log) {
    if (lease) throw new LeaseLost(lease);
    throw new Error(`log ${log_id} is gone`);
  }
  const position = log.next_position - stored.length;
  await insertRows(
    tx,
    sql`items (log_id, last_number, count, body)`,
    itemRows(log_id, log.next_item - count, items),
  );
  await insertWrites(tx, log_id, position, stored, { run_number, input });
  await insertCheckpoints(tx, view, position, stored, { run_number, input });
}

type By = { run_number: number | null; input: Input };
type Input = Pick<RunInput, "textOf">;
const noInput: Input = { textOf: (value) => JSON.stringify(value) };

function itemRows(log_id: number, next: number, items: readonly NewItems[]): Sql[] {
  return items.flatMap(({ first, bodies }) => {
    if (first !== next) throw new Error(`items ${first}… do not follow item ${next - 1} of log ${log_id}`);
    next += bodies.length;
    return bodies.map((body, i) => sql`(${log_id}, ${first + i}, 1, ${JSON.stringify(body)})`);
  });
}

async function insertWrites(
  tx: Queryable,
  log_id: number,
  position: number,
  entries: readonly Entry[],
  { run_number, input }: By,
): Promise<void> {
  const textOf = (writes: NewWrites["writes"]) =>
    `[${writes.map(([idx, channel, value]) => `[${idx},${JSON.stringify(channel)},${input.textOf(value)}]`).join(",")}]`;
  const rows = entries.flatMap((entry, i) =>
    entry.type === "writes"
      ? sql`(${log_id}, ${position + i}, ${entry.namespace}, ${entry.checkpoint_id}, ${entry.task_id},
          ${entry.task_path}, ${run_number}, ${textOf(entry.writes)})`
      : [],
  );
  const table = sql`pending_writes
    (log_id, position, namespace, checkpoint_id, task_id, task_path, run_number, writes)`;
  await insertRows(tx, table, rows);
}

async function insertCheckpoints(
  tx: Queryable,
  view: View,
  position: number,
  entries: readonly Entry[],
  { run_number, input }: By,
): Promise<void> {
  const { log_id } = view;
  const values: Sql[] = [];
  const made = new Map<string, Record<string, number>>();
  const checkpoints: { entry: NewCheckpoint; position: number; body: CheckpointBody }[] = [];
  for (const [i, entry] of entries.entries()) {
    if (entry.type !== "checkpoint") continue;
    const { namespace, checkpoint_id, parent_checkpoint_id } = entry;
    const parent = parent_checkpoint_id === null ? {} : made.get(nameOf(namespace, parent_checkpoint_id));
    const channels = { ...(parent ?? (await parentChannels(tx, view, entry))) };
    for (const name of entry.removed) delete channels[name];
    for (const [name, value] of Object.entries(entry.channels)) {
      setOwn(channels, name, value === null ? NULL_POSITION : position + i);
      if (value !== null)
        values.push(sql`(${log_id}, ${position + i}, ${JSON.stringify(name)}, ${input.textOf(value)})`);
    }
    checkpoints.push({ entry, position: position + i, body: bodyOf(entry, channels) });
    made.set(nameOf(namespace, checkpoint_id), channels);
    view.remember(entry, channels);
  }
  await insertRows(tx, sql`channel_values (log_id, position, channel, value)`, values);
  const { stored, shapes } = takeApart(checkpoints.map(({ body }) => body as Json));
  await insertRows(tx, sql`shapes (shape_id, body)`, shapes, sql`on conflict do nothing`);
  const rows = checkpoints.map(({ entry, position }, i) => {
    const { namespace, checkpoint_id, parent_checkpoint_id, step, source } = entry;
    const { shape_id, body } = stored[i]!;
    return sql`(${log_id}, ${position}, ${namespace}, ${checkpoint_id}, ${parent_checkpoint_id}, ${run_number}, ${step},
      ${source}, ${shape_id}, ${body}, ${tx.dialect.now})`;
  });
  const table = sql`checkpoints (log_id, position, namespace, checkpoint_id, parent_checkpoint_id, run_number, step, source,
    shape_id, body, created_at)`;
  await insertRows(tx, table, rows);
}

async function parentChannels(
  tx: Queryable,
  view: View,
  { namespace, checkpoint_id, parent_checkpoint_id }: NewCheckpoint,
): Promise<Record<string, number>> {
  const known = view.recall(namespace, parent_checkpoint_id!);
  if (known) return known;
  const parent = await findCheckpoint(tx, view, namespace, parent_checkpoint_id!);
  if (!parent)
    throw new Error(`checkpoint ${checkpoint_id} names a parent that log ${view.log_id} does not show`);
  return parent.channels;
}

const MAX_ROWS = 64;
const EXACT_ROWS = 8;

/** `table` names its columns. Few counts of rows, so that few texts are prepared: up to 8, then 16, 32 and 64. */
async function insertRows(
  tx: Queryable,
  table: Sql,
  rows: readonly Sql[],
  conflict: Sql = nothing,
): Promise<void> {
  for (let done = 0; done < rows.length; ) {
    const left = Math.min(rows.length - done, MAX_ROWS);
    const count = left <= EXACT_ROWS ? left : 2 ** Math.floor(Math.log2(left));
    await tx.query(sql`insert into ${table} values ${join(rows.slice(done, done + count))} ${conflict}`);
    done += count;
  }
}

/**
 * Removes what nothing needs any more: logs without a name, and entries that drops hide. A copy keeps what it can
 * see. Small steps: each call is one short transaction and says whether there is more to do.
 */
import { itemRanges } from "../core/encoding.ts";
import type { Json } from "../core/json.ts";
import { dropArtifacts } from "./artifacts.ts";
import { checkpointBodies } from "./checkpoints.ts";
import { first, type Queryable } from "./database.ts";
import { lockLog } from "./logs.ts";
import { join, raw, sql } from "./sql.ts";

/** Readers of a deleted thread still get the last event of its run for this long. */
const ABANDONED_S = 60;
const ROWS_PER_STEP = 2_000;

const logTables = [
  "event_batches",
  "pending_writes",
  "channel_values",
  "checkpoints",
  "items",
  "drops",
  "run_requests",
  "leases",
  "runs",
] as const;

/** Sweeps some of one abandoned log that no other log branches from. False: there was none. */
export async function sweepAbandonedLog(tx: Queryable, abandoned_s = ABANDONED_S): Promise<boolean> {
  const log = first(
    await tx.query<{ log_id: number }>(sql`
      select log_id from logs
      where dropped_at is not null and dropped_at < ${tx.dialect.nowPlus(-abandoned_s)}
        and not exists (select 1 from logs child where child.parent_log_id = logs.log_id)
        and not exists (select 1 from runs where runs.log_id = logs.log_id and status in ('pending', 'running'))
      limit 1 ${tx.dialect.forUpdateSkipLocked}`),
  );
  if (!log) return false;
  if ((await dropArtifacts(tx, log, ROWS_PER_STEP)) >= ROWS_PER_STEP) return true;
  for (const name of logTables) {
    const table = raw(name);
    const key = raw(keyOf[name]);
    const gone = await tx.query(sql`
      delete from ${table} where log_id = ${log.log_id} and ${key} in (
        select ${key} from ${table} where log_id = ${log.log_id} limit ${ROWS_PER_STEP})
      returning log_id`);
    if (gone.length >= ROWS_PER_STEP) return true;
  }
  await tx.query(sql`delete from logs where log_id = ${log.log_id}`);
  return true;
}

const keyOf: Record<(typeof logTables)[number], string> = {
  event_batches: "run_number",
  pending_writes: "position",
  channel_values: "position",
  checkpoints: "position",
  items: "last_number",
  drops: "position",
  run_requests: "run_id",
  leases: "run_id",
  runs: "run_id",
};

type Drop = { log_id: number; position: number; from_position: number; to_position: number };

/** Removes what one drop hides, unless a copy still sees it. False: there was no unswept drop. */
export async function sweepDrop(tx: Queryable): Promise<boolean> {
  const drop = first(
    await tx.query<Drop>(sql`
      select log_id, position, from_position, to_position from drops where swept = 0
      limit 1 ${tx.dialect.forUpdateSkipLocked}`),
  );
  if (!drop) return false;
  const { log_id } = drop;
  // A copy that is being made would not be seen.
  await lockLog(tx, log_id);
  // A child that branched inside the hidden range, or after it and before the drop, sees (some of) it.
  const viewers = await tx.query<{ branch_position: number }>(sql`
    select branch_position from logs where parent_log_id = ${log_id}
      and branch_position >= ${drop.from_position} and branch_position < ${drop.position}`);
  const from = Math.max(drop.from_position, ...viewers.map((viewer) => viewer.branch_position + 1));
  const range = sql`log_id = ${log_id} and position >= ${from} and position <= ${drop.to_position}`;
  if (from <= drop.to_position) {
    await tx.query(sql`delete from pending_writes where ${range}`);
    await tx.query(sql`delete from checkpoints where ${range}`);
    await dropUnreferencedValues(tx, log_id, from, drop.to_position);
  }
  await tx.query(sql`update drops set swept = 1 where log_id = ${log_id} and position = ${drop.position}`);
  return true;
}

/** How many logs are looked at for one that can be swept now: a busy one waits. */
const MAX_CANDIDATES = 50;

/**
 * Removes the items of one log that nothing refers to once the entries its drops hide are gone. False: there was no
 * such log, or a run is under way in each.
 *
 * An agent process knows items by their content, and would refer again to one that is swept here. So no run may be
 * under way, and the next item's number moves on, by which a process sees that what it kept of the thread is old.
 */
export async function sweepItems(tx: Queryable): Promise<boolean> {
  const candidates = await tx.query<{ log_id: number }>(sql`
    select distinct log_id from drops where swept = 1
      and not exists (select 1 from runs where runs.log_id = drops.log_id and runs.status = 'running')
    limit ${MAX_CANDIDATES}`);
  for (const { log_id } of candidates) {
    const members = await family(tx, log_id);
    const logs = sql`log_id in (${join(members)})`;
    if (tx.dialect.shared) {
      await tx.query(sql`select 1 from logs where ${logs} order by log_id ${tx.dialect.forUpdate}`);
      // Another copy has come meanwhile: it may refer to what is looked at here.
      if ((await family(tx, log_id)).length > members.length) continue;
    }
    if ((await tx.query(sql`select 1 from runs where ${logs} and status = 'running' limit 1`)).length > 0) {
      continue;
    }
    await tx.query(sql`update logs set next_item = next_item + 1 where ${logs}`);
    await dropUnreferencedItems(tx, log_id);
    await tx.query(sql`update drops set swept = 2 where log_id = ${log_id} and swept = 1`);
    return true;
  }
  return false;
}

/** A log and all that branched from it, however far: whoever may refer to its entries. */
async function family(tx: Queryable, log_id: number): Promise<number[]> {
  const rows = await tx.query<{ log_id: number }>(sql`
    with recursive family (log_id) as (
      select log_id from logs where log_id = ${log_id}
      union all
      select logs.log_id from logs join family on logs.parent_log_id = family.log_id
    )
    select log_id from family`);
  return rows.map((row) => row.log_id);
}

async function dropUnreferencedValues(
  tx: Queryable,
  log_id: number,
  from: number,
  to: number,
): Promise<void> {
  const logs = await family(tx, log_id);
  const bodies = await checkpointBodies(tx, sql`log_id in (${join(logs)}) and position > ${from}`);
  const needed = new Set<number>();
  for (const [channels] of bodies) for (const position of Object.values(channels)) needed.add(position);
  const stored = await tx.query<{ position: number }>(sql`
    select distinct position from channel_values
    where log_id = ${log_id} and position >= ${from} and position <= ${to}`);
  const gone = stored.map((row) => row.position).filter((position) => !needed.has(position));
  for (let i = 0; i < gone.length; i += 500) {
    await tx.query(sql`
      delete from channel_values where log_id = ${log_id} and position in (${join(gone.slice(i, i + 500))})`);
  }
}

async function dropUnreferencedItems(tx: Queryable, log_id: number): Promise<void> {
  const logs = sql`log_id in (${join(await family(tx, log_id))})`;
  // run_requests and events hold what clients sent, and outputs: they refer to items as states do.
  const texts = [
    ...(await tx.query<{ text: string }>(sql`select value as text from channel_values where ${logs}`)),
    ...(await tx.query<{ text: string }>(sql`select writes as text from pending_writes where ${logs}`)),
    ...(await tx.query<{ text: string }>(
      sql`select output as text from runs where ${logs} and output is not null`,
    )),
    ...(await tx.query<{ text: string }>(sql`select events as text from event_batches where ${logs}`)),
  ];
  const needed = new Set<number>();
  const need = (value: Json) => {
    for (const { log, first: start, count } of itemRanges(value)) {
      if (log === log_id) for (let i = 0; i < count; i++) needed.add(start + i);
    }
  };
  for (const { text } of texts) if (text.includes('"items"')) need(JSON.parse(text) as Json);
  for (const body of await checkpointBodies(tx, logs)) need(body.slice(1) as Json);
  const stored = await tx.query<{ last_number: number; count: number }>(
    sql`select last_number, count from items where log_id = ${log_id}`,
  );
  const gone = stored.filter(({ last_number, count }) => {
    for (let i = 0; i < count; i++) if (needed.has(last_number - i)) return false;
    return true;
  });
  for (let i = 0; i < gone.length; i += 500) {
    const numbers = gone.slice(i, i + 500).map((row) => row.last_number);
    await tx.query(sql`delete from items where log_id = ${log_id} and last_number in (${join(numbers)})`);
  }
}

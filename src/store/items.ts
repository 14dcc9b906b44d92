/** Stored list items, and the lookup that puts them back into encoded values. */
import { type ItemLookup, itemRanges } from "../core/encoding.ts";
import type { Json } from "../core/json.ts";
import { Problem } from "../core/problem.ts";
import type { Queryable } from "./database.ts";
import { sql } from "./sql.ts";

/** Items a merged row holds: reading one of them reads them all. */
const BLOCK = 64;

/** Reads every item the values refer to, each once. */
export async function readItems(
  q: Queryable,
  values: Iterable<Json>,
): Promise<Map<string, { log: number; number: number; body: Json }>> {
  const wanted = new Map<number, [number, number][]>();
  for (const value of values) {
    for (const { log, first, count } of itemRanges(value)) {
      const ranges = wanted.get(log) ?? [];
      wanted.set(log, ranges);
      ranges.push([first, first + count]);
    }
  }
  const found = new Map<string, { log: number; number: number; body: Json }>();
  for (const [log, ranges] of wanted) {
    for (const [from, to] of merge(ranges)) {
      for (const item of await readRange(q, log, from, to))
        found.set(`${log}:${item.number}`, { log, ...item });
    }
  }
  return found;
}

/** The items from `from` up to, not including, `to`. */
async function readRange(
  q: Queryable,
  log: number,
  from: number,
  to: number,
): Promise<{ number: number; body: Json }[]> {
  // The last row may be a block that begins inside the range and ends behind it.
  const rows = await q.query<{ last_number: number; count: number; body: string }>(sql`
    select last_number, count, body from items
    where log_id = ${log} and last_number >= ${from} and last_number < ${to + BLOCK}`);
  return rows.flatMap(({ last_number, count, body }) => {
    const parsed = JSON.parse(body) as Json;
    const bodies = count === 1 ? [parsed] : (parsed as Json[]);
    return bodies
      .map((body, i) => ({ number: last_number - count + 1 + i, body }))
      .filter(({ number }) => number >= from && number < to);
  });
}

/**
 * Merges the oldest unmerged items of one log that has enough of them into a block. A long conversation then is a few
 * rows instead of thousands, to store and to read. False: no log has enough.
 */
export async function mergeItems(tx: Queryable): Promise<boolean> {
  // The condition is the index's own, so only logs that need it are looked at.
  const [log] = await tx.query<{ log_id: number; merged_item: number }>(
    sql`select log_id, merged_item from logs where next_item - merged_item > 128 limit 1 ${tx.dialect.forUpdateSkipLocked}`,
  );
  if (!log) return false;
  const last = log.merged_item + BLOCK;
  const rows = await tx.query<{ body: string; count: number }>(sql`
    select body, count from items
    where log_id = ${log.log_id} and last_number > ${log.merged_item} and last_number <= ${last} order by last_number`);
  // Where a sweep has taken some of them, the others stay as they are.
  if (rows.length === BLOCK) {
    await tx.query(sql`
      delete from items where log_id = ${log.log_id} and last_number > ${log.merged_item} and last_number <= ${last}`);
    await tx.query(sql`
      insert into items (log_id, last_number, count, body)
      values (${log.log_id}, ${last}, ${BLOCK}, ${`[${rows.map((row) => row.body).join(",")}]`})`);
  }
  await tx.query(sql`update logs set merged_item = ${last} where log_id = ${log.log_id}`);
  return true;
}

/** A lookup over everything the values refer to, read from the store at once. */
export async function itemLookup(q: Queryable, values: Iterable<Json>): Promise<ItemLookup> {
  const items = await readItems(q, values);
  return (log, number) => {
    const item = items.get(`${log}:${number}`);
    if (!item) throw new Problem("internal", { log, number });
    return item.body;
  };
}

/** Overlapping and touching ranges as one, so that twenty checkpoints of a conversation cost one read. */
function merge(ranges: [number, number][]): [number, number][] {
  const merged: [number, number][] = [];
  for (const [from, to] of ranges.sort((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (last && from <= last[1]) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

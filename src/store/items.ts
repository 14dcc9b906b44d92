/** Stored list items, and the lookup that puts them back into encoded values. */
import { type ItemLookup, itemRanges } from "../core/encoding.ts";
import type { Json } from "../core/json.ts";
import { Problem } from "../core/problem.ts";
import { only, type Queryable } from "./database.ts";
import { join, sql } from "./sql.ts";

/** Stores items under the numbers a runner gave them; they must follow the log's last one without a gap. */
export async function appendItems(
  tx: Queryable,
  log_id: number,
  first: number,
  bodies: Json[],
): Promise<void> {
  const row = only(
    await tx.query<{ next_item: number }>(sql`
      update logs set next_item = next_item + ${bodies.length} where log_id = ${log_id} returning next_item`),
  );
  if (row.next_item !== first + bodies.length) {
    throw new Error(
      `items ${first}… do not follow item ${row.next_item - bodies.length - 1} of log ${log_id}`,
    );
  }
  const rows = bodies.map((body, i) => sql`(${log_id}, ${first + i}, ${JSON.stringify(body)})`);
  for (let i = 0; i < rows.length; i += 100) {
    await tx.query(sql`insert into items (log_id, number, body) values ${join(rows.slice(i, i + 100))}`);
  }
}

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
      const rows = await q.query<{ number: number; body: string }>(
        sql`select number, body from items where log_id = ${log} and number >= ${from} and number < ${to}`,
      );
      for (const { number, body } of rows)
        found.set(`${log}:${number}`, { log, number, body: JSON.parse(body) as Json });
    }
  }
  return found;
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

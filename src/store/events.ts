/** The event log of runs. Events of one commit share a row; their numbers come with the lease they were written under. */
import { type ItemLookup, show, TAG } from "../core/encoding.ts";
import type { Event, NumberedEvent } from "../core/event.ts";
import type { Json } from "../core/json.ts";
import type { Lease } from "../core/lease.ts";
import { withoutText, withText } from "../core/whole_message.ts";
import { first, type Queryable } from "./database.ts";
import { itemLookup } from "./items.ts";
import { sql } from "./sql.ts";

/** The writer's lease was lost: another attempt, or the run's end, has taken its place. */
export class LeaseLost extends Error {
  constructor(lease: Lease) {
    super(`attempt ${lease.attempt} of ${lease.run_id} no longer holds the run`);
    this.name = "LeaseLost";
  }
}

/** Who writes a run's events. `batch`: the number of the writer's commit, see `hasBatch`. */
export type Writer = { lease: Lease; run_number: number; batch: number };

/** Appends events under a lease. Throws LeaseLost, and so rolls back whatever else the transaction wrote. */
export async function appendEvents(
  tx: Queryable,
  { lease, run_number, batch }: Writer,
  events: Event[],
): Promise<void> {
  const row = first(
    await tx.query<{ last_seq: number }>(sql`
      update leases set last_seq = last_seq + ${events.length}, batch = ${batch}
      where log_id = ${lease.log_id} and run_id = ${lease.run_id}
        and node_id = ${lease.node_id} and attempt = ${lease.attempt}
      returning last_seq`),
  );
  if (!row) throw new LeaseLost(lease);
  if (events.length > 0) await insertEvents(tx, lease.log_id, run_number, row.last_seq, events);
}

/** Inserts events whose numbers end with `last_seq`. Only for a caller that took those numbers from the lease. */
export async function insertEvents(
  tx: Queryable,
  log_id: number,
  run_number: number,
  last_seq: number,
  events: Event[],
): Promise<void> {
  let seq = last_seq - events.length;
  for (const texts of rowsOf(events.map((event) => JSON.stringify(withoutText(event))))) {
    await tx.query(sql`
      insert into event_batches (log_id, run_number, last_seq, first_seq, events, created_at)
      values (${log_id}, ${run_number}, ${seq + texts.length}, ${seq + 1}, ${`[${texts.join(",")}]`},
        ${tx.dialect.now})`);
    seq += texts.length;
  }
}

/** Cut so that each row passes ROW_CHARACTERS with its last event, if at all: a reader takes rows whole. */
function* rowsOf(texts: string[]): Generator<string[]> {
  let row: string[] = [];
  let characters = 0;
  for (const text of texts) {
    row.push(text);
    characters += text.length;
    if (characters < ROW_CHARACTERS) continue;
    yield row;
    row = [];
    characters = 0;
  }
  if (row.length > 0) yield row;
}

const ROW_CHARACTERS = 64 * 1024;
/** A page ends with the row with which it passes this: what one slow reader holds in memory, parsed and as text. */
const PAGE_CHARACTERS = 128 * 1024;
const ROWS_PER_READ = 8;

type BatchRow = { run_number: number; first_seq: number; last_seq: number; events: string };

/** Events of a log after a place, in order, at most about `limit` of them and 128 KB. Data is shown, items in place. */
export async function readEvents(
  q: Queryable,
  log_id: number,
  after: { run_number: number; seq: number },
  limit: number,
  scope: "run" | "thread",
): Promise<NumberedEvent[]> {
  const events: NumberedEvent[] = [];
  const inRun = sql`run_number = ${after.run_number} and last_seq > ${after.seq}`;
  const place = scope === "run" ? inRun : sql`(run_number > ${after.run_number} or (${inRun}))`;
  // A row may hold many events: rows are read a few at a time until there are enough.
  let cursor: { run_number: number; last_seq: number } | undefined;
  let characters = 0;
  while (events.length < limit) {
    const from = cursor
      ? sql`and (run_number > ${cursor.run_number} or (run_number = ${cursor.run_number} and last_seq > ${cursor.last_seq}))`
      : sql``;
    const rows: BatchRow[] = await q.query<BatchRow>(sql`
      select run_number, first_seq, last_seq, events from event_batches
      where log_id = ${log_id} and ${place} ${from} order by run_number, last_seq limit ${ROWS_PER_READ}`);
    for (const row of rows) {
      const batch = (
        row.events.includes(TAG) ? await shown(q, row.events) : JSON.parse(row.events)
      ) as Event[];
      for (const [i, event] of batch.map(withText).entries()) {
        const seq = row.first_seq + i;
        if (row.run_number === after.run_number && seq <= after.seq) continue;
        const gone = seq - 1 - seenBefore(row.run_number);
        events.push({
          type: event.type,
          data: event.data,
          ...(event.langgraph !== undefined && { langgraph: event.langgraph }),
          run_number: row.run_number,
          seq,
          ...(gone > 0 && { gone }),
        });
      }
      cursor = row;
      characters += row.events.length;
      if (characters >= PAGE_CHARACTERS) return events;
    }
    if (rows.length < ROWS_PER_READ) break;
  }
  return events;

  /** The number of the run's event before the one that comes next. */
  function seenBefore(run_number: number): number {
    const last = events.at(-1);
    if (last?.run_number === run_number) return last.seq;
    return run_number === after.run_number ? after.seq : 0;
  }
}

/** The newest event of a run. */
export async function lastEventOf(
  q: Queryable,
  log_id: number,
  run_number: number,
): Promise<{ type: string; seq: number } | undefined> {
  const row = first(
    await q.query<BatchRow>(sql`
      select run_number, first_seq, last_seq, events from event_batches
      where log_id = ${log_id} and run_number = ${run_number} order by last_seq desc limit 1`),
  );
  const event = row && (JSON.parse(row.events) as Event[]).at(-1);
  return event && { type: event.type, seq: row.last_seq };
}

async function shown(q: Queryable, text: string): Promise<Json> {
  const encoded = JSON.parse(text) as Json;
  const lookup: ItemLookup = await itemLookup(q, [encoded]);
  return show(encoded, lookup);
}

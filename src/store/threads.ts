/** Threads: names for positions in logs, with a status, metadata and the tags a search starts from. */

import { show } from "../core/encoding.ts";
import type { Json, JsonObject } from "../core/json.ts";
import type { ThreadStatus } from "../core/moves.ts";
import { Problem } from "../core/problem.ts";
import type { Interrupt, Thread, Ttl } from "../core/thread.ts";
import { readHead } from "./checkpoints.ts";
import { first, type Queryable } from "./database.ts";
import { openQuestions } from "./questions.ts";
import { join, sql } from "./sql.ts";
import { showCheckpoints } from "./states.ts";

export type ThreadRow = {
  thread_id: string;
  log_id: number;
  deployment_id: string | null;
  status: ThreadStatus;
  metadata: string;
  initial_values: string | null;
  copied_from: string | null;
  ttl_minutes: number | null;
  ttl_strategy: "delete" | "keep_latest" | null;
  created_at: string;
  updated_at: string;
};

export const threadColumns = sql`thread_id, log_id, deployment_id, status, metadata, initial_values, copied_from, ttl_minutes,
  ttl_strategy, created_at, updated_at`;

export type NewThread = {
  thread_id: string;
  log_id: number;
  /** null: its first run decides. */
  deployment_id: string | null;
  status: ThreadStatus;
  metadata: JsonObject;
  /** Encoded. */
  initial_values: Json | null;
  copied_from: string | null;
  ttl: Ttl | null;
};

/** Stores a thread over a log that exists; false when the id is taken. */
export async function createThread(tx: Queryable, thread: NewThread): Promise<ThreadRow | undefined> {
  const row = first(
    await tx.query<ThreadRow>(sql`
      insert into threads (${threadColumns})
      values (${thread.thread_id}, ${thread.log_id}, ${thread.deployment_id}, ${thread.status},
        ${JSON.stringify(thread.metadata)},
        ${thread.initial_values === null ? null : JSON.stringify(thread.initial_values)}, ${thread.copied_from},
        ${thread.ttl?.minutes ?? null}, ${thread.ttl?.strategy ?? null}, ${tx.dialect.now}, ${tx.dialect.now})
      on conflict do nothing returning ${threadColumns}`),
  );
  if (row) await writeTags(tx, row, thread.metadata);
  return row;
}

/** Longer values are searched among the candidates, not by the index. */
const MAX_TAG_LENGTH = 256;

/** The pairs of key and value, as JSON text, that an index knows. */
export function tagsOf(metadata: JsonObject): [string, string][] {
  return Object.entries(metadata).flatMap(([key, value]) => {
    if (typeof value === "object" && value !== null) return [];
    const text = JSON.stringify(value);
    return text.length <= MAX_TAG_LENGTH ? [[JSON.stringify(key), text] as [string, string]] : [];
  });
}

async function writeTags(tx: Queryable, thread: ThreadRow, metadata: JsonObject): Promise<void> {
  const tags = tagsOf(metadata).map(
    ([key, value]) =>
      sql`(${thread.deployment_id ?? ""}, ${key}, ${value}, ${thread.created_at}, ${thread.thread_id})`,
  );
  for (let i = 0; i < tags.length; i += 100) {
    await tx.query(sql`
      insert into thread_tags (deployment_id, key, value, created_at, thread_id)
      values ${join(tags.slice(i, i + 100))} on conflict do nothing`);
  }
}

export async function findThread(q: Queryable, thread_id: string): Promise<ThreadRow | undefined> {
  return first(
    await q.query<ThreadRow>(sql`select ${threadColumns} from threads where thread_id = ${thread_id}`),
  );
}

/** A thread that must exist, in a deployment the caller may see (`allowed`); else the same 404 for both. */
export async function getThread(
  q: Queryable,
  thread_id: string,
  allowed: (deployment_id: string | null) => boolean,
): Promise<ThreadRow> {
  const row = await findThread(q, thread_id);
  if (!row || !allowed(row.deployment_id)) throw new Problem("not_found", { what: "thread", id: thread_id });
  return row;
}

/** Gives a thread that has none its deployment; false: it has another. */
export async function bindThread(tx: Queryable, thread_id: string, deployment_id: string): Promise<boolean> {
  const bound = await tx.query(sql`
    update threads set deployment_id = ${deployment_id}
    where thread_id = ${thread_id} and (deployment_id is null or deployment_id = ${deployment_id}) returning thread_id`);
  if (bound.length === 0) return false;
  await tx.query(sql`
    update thread_tags set deployment_id = ${deployment_id} where thread_id = ${thread_id} and deployment_id = ''`);
  return true;
}

/** Makes an idle thread busy, and so orders concurrent creates; false when it is busy already. */
export async function occupyThread(tx: Queryable, log_id: number): Promise<boolean> {
  const rows = await tx.query(sql`
    update threads set status = 'busy', updated_at = ${tx.dialect.now}
    where log_id = ${log_id} and status <> 'busy' returning thread_id`);
  return rows.length === 1;
}

/** Merges metadata (null removes a key) and sets the time to live. Undefined: no such thread. */
export async function patchThread(
  tx: Queryable,
  thread_id: string,
  change: { metadata?: JsonObject; ttl?: Ttl | null },
): Promise<ThreadRow | undefined> {
  const row = await findThread(tx, thread_id);
  if (!row) return undefined;
  const merged = Object.fromEntries(
    Object.entries({ ...(JSON.parse(row.metadata) as JsonObject), ...change.metadata }).filter(
      ([, v]) => v !== null,
    ),
  );
  const ttl = change.ttl;
  const updated = first(
    await tx.query<ThreadRow>(sql`
      update threads set metadata = ${JSON.stringify(merged)}, updated_at = ${tx.dialect.now}
        ${ttl === undefined ? sql`` : sql`, ttl_minutes = ${ttl?.minutes ?? null}, ttl_strategy = ${ttl?.strategy ?? null}`}
      where thread_id = ${thread_id} returning ${threadColumns}`),
  );
  if (updated && change.metadata) {
    await tx.query(sql`delete from thread_tags where thread_id = ${thread_id}`);
    await writeTags(tx, updated, merged);
  }
  return updated;
}

/** After a person changed the state: an interrupted or failed thread is ready again. */
export async function touchThread(tx: Queryable, log_id: number, status: ThreadStatus): Promise<void> {
  await tx.query(
    sql`update threads set status = ${status}, updated_at = ${tx.dialect.now} where log_id = ${log_id}`,
  );
}

/** It is at rest, and its last change is longer ago. */
export async function isUnchanged(q: Queryable, thread_id: string, seconds: number): Promise<boolean> {
  const rows = await q.query(sql`
    select 1 from threads where thread_id = ${thread_id} and status <> 'busy'
      and updated_at < ${q.dialect.nowPlus(-seconds)}`);
  return rows.length > 0;
}

export async function deleteThreadRow(tx: Queryable, thread_id: string): Promise<void> {
  await tx.query(sql`delete from thread_tags where thread_id = ${thread_id}`);
  await tx.query(sql`delete from threads where thread_id = ${thread_id}`);
}

/** Threads whose time to live has passed, never a busy one. */
export async function expiredThreads(q: Queryable, limit: number): Promise<ThreadRow[]> {
  const expired: ThreadRow[] = [];
  // The lifetimes in use are few: one range of the index for each, so that none waits behind a longer one.
  for (let minutes = await nextLifetime(q, 0); minutes !== null; minutes = await nextLifetime(q, minutes)) {
    expired.push(
      ...(await q.query<ThreadRow>(sql`
        select ${threadColumns} from threads
        where ttl_minutes = ${minutes} and updated_at < ${q.dialect.nowPlus(-60 * minutes)} and status <> 'busy'
        order by updated_at limit ${limit - expired.length}`)),
    );
    if (expired.length >= limit) break;
  }
  return expired;
}

async function nextLifetime(q: Queryable, after: number): Promise<number | null> {
  const rows = await q.query<{ minutes: number | null }>(
    sql`select min(ttl_minutes) as minutes from threads where ttl_minutes > ${after}`,
  );
  return rows[0]?.minutes ?? null;
}

export async function threadValues(q: Queryable, row: ThreadRow): Promise<JsonObject | null> {
  const { view, head } = await readHead(q, row.log_id);
  if (head) return (await showCheckpoints(q, view, row.thread_id, [head]))[0]!.values;
  if (row.initial_values === null) return null;
  return show(JSON.parse(row.initial_values) as Json, noItems) as JsonObject;
}

const noItems = (): never => {
  throw new Error("initial values refer to no items");
};

/** A thread as the API shows it. */
export async function showThread(q: Queryable, row: ThreadRow): Promise<Thread> {
  const interrupts: Interrupt[] | undefined =
    row.status === "interrupted" ? await openQuestions(q, row.log_id) : undefined;
  return {
    thread_id: row.thread_id,
    deployment_id: row.deployment_id,
    status: row.status,
    metadata: JSON.parse(row.metadata) as JsonObject,
    values: await threadValues(q, row),
    ...(interrupts ? { interrupts } : {}),
    ...(row.copied_from === null ? {} : { copied_from: row.copied_from }),
    ...(row.ttl_minutes === null
      ? {}
      : { ttl: { minutes: row.ttl_minutes, strategy: row.ttl_strategy ?? "delete" } }),
    created_at: row.created_at,
    updated_at: row.updated_at,
  };
}

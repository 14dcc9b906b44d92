/** Threads: names for positions in logs, with a status, metadata and the tags a search starts from. */

import { show } from "../core/encoding.ts";
import { contains, type Json, type JsonObject } from "../core/json.ts";
import type { ThreadStatus } from "../core/moves.ts";
import { Problem } from "../core/problem.ts";
import type { Interrupt, Thread, Ttl } from "../core/thread.ts";
import { readHead } from "./checkpoints.ts";
import { first, type Queryable } from "./database.ts";
import { openQuestions } from "./questions.ts";
import { join, raw, type Sql, sql, where } from "./sql.ts";
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

const columns = sql`thread_id, log_id, deployment_id, status, metadata, initial_values, copied_from, ttl_minutes,
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
      insert into threads (${columns})
      values (${thread.thread_id}, ${thread.log_id}, ${thread.deployment_id}, ${thread.status},
        ${JSON.stringify(thread.metadata)},
        ${thread.initial_values === null ? null : JSON.stringify(thread.initial_values)}, ${thread.copied_from},
        ${thread.ttl?.minutes ?? null}, ${thread.ttl?.strategy ?? null}, ${tx.dialect.now}, ${tx.dialect.now})
      on conflict do nothing returning ${columns}`),
  );
  if (row) await writeTags(tx, row, thread.metadata);
  return row;
}

/** Longer values are searched among the candidates, not by the index. */
const MAX_TAG_LENGTH = 256;

function tagsOf(metadata: JsonObject): [string, string][] {
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
  return first(await q.query<ThreadRow>(sql`select ${columns} from threads where thread_id = ${thread_id}`));
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
      where thread_id = ${thread_id} returning ${columns}`),
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
        select ${columns} from threads
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

export type ThreadFilter = {
  deployment_ids?: readonly string[] | undefined;
  ids?: readonly string[] | undefined;
  status?: ThreadStatus | undefined;
  metadata?: JsonObject | undefined;
  values?: JsonObject | undefined;
};

export type ThreadOrderField = "thread_id" | "status" | "created_at" | "updated_at";

/** How many candidates a filter that no index serves may look at. */
const MAX_CANDIDATES = 10_000;

function conditions(filter: ThreadFilter): (Sql | undefined)[] {
  const tags = tagsOf(filter.metadata ?? {});
  const scope = filter.deployment_ids;
  return [
    scope === undefined ? undefined : sql`deployment_id in (${join(scope)})`,
    filter.ids === undefined ? undefined : sql`thread_id in (${join(filter.ids)})`,
    filter.status === undefined ? undefined : sql`status = ${filter.status}`,
    ...tags.map(
      ([key, value]) => sql`thread_id in (
        select thread_id from thread_tags where key = ${key} and value = ${value}
        ${scope === undefined ? sql`` : sql`and deployment_id in (${join(scope)})`})`,
    ),
  ];
}

/** True when the filter asks for more than the indexes answer: nested metadata, long text, or values. */
function needsLook(filter: ThreadFilter): boolean {
  const indexed = tagsOf(filter.metadata ?? {}).length;
  return Object.keys(filter.metadata ?? {}).length > indexed || Object.keys(filter.values ?? {}).length > 0;
}

/** Threads that match, newest first, starting after `after` or at `offset`. */
export async function searchThreads(
  q: Queryable,
  filter: ThreadFilter,
  page: {
    limit: number;
    offset?: number;
    after?: { created_at: string; thread_id: string } | undefined;
    /** Instead of newest first; not with `after`. */
    order?: { by: ThreadOrderField; direction: "asc" | "desc" };
  },
): Promise<ThreadRow[]> {
  if (filter.ids?.length === 0 || filter.deployment_ids?.length === 0) return [];
  const { after, order = { by: "created_at", direction: "desc" } } = page;
  const direction = raw(order.direction);
  const from = after
    ? sql`(created_at < ${after.created_at} or (created_at = ${after.created_at} and thread_id < ${after.thread_id}))`
    : undefined;
  const select = (limit: number, offset: number) =>
    q.query<ThreadRow>(sql`
      select ${columns} from threads ${where([...conditions(filter), from])}
      order by ${raw(order.by)} ${direction}, thread_id ${direction} limit ${limit} offset ${offset}`);
  if (!needsLook(filter)) return select(page.limit, page.offset ?? 0);
  const candidates = await select(MAX_CANDIDATES + 1, 0);
  if (candidates.length > MAX_CANDIDATES) throw new Problem("search_too_wide", { limit: MAX_CANDIDATES });
  const matching: ThreadRow[] = [];
  let looked = 0;
  for (const row of candidates) {
    if (matching.length >= page.limit + (page.offset ?? 0)) break;
    if (await matches(q, row, filter)) matching.push(row);
    // On the embedded store nothing above waits: others get their turn here.
    if (++looked % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return matching.slice(page.offset ?? 0);
}

export async function countThreads(q: Queryable, filter: ThreadFilter): Promise<number> {
  if (filter.ids?.length === 0 || filter.deployment_ids?.length === 0) return 0;
  if (needsLook(filter)) return (await searchThreads(q, filter, { limit: MAX_CANDIDATES })).length;
  const rows = await q.query<{ n: number }>(
    sql`select count(*) as n from threads ${where(conditions(filter))}`,
  );
  return Number(rows[0]?.n ?? 0);
}

async function matches(q: Queryable, row: ThreadRow, filter: ThreadFilter): Promise<boolean> {
  if (filter.metadata && !contains(JSON.parse(row.metadata) as Json, filter.metadata)) return false;
  return !filter.values || contains((await threadValues(q, row)) ?? {}, filter.values);
}

async function threadValues(q: Queryable, row: ThreadRow): Promise<JsonObject | null> {
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

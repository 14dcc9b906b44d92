/**
 * Store items in the database: put, get, delete, search, and the namespaces there are. Each is its deployment's; what
 * has run out is gone for every reader, whether it was swept or not.
 */
import { setImmediate as turn } from "node:timers/promises";
import { matchesFilter } from "../core/item_filter.ts";
import type { JsonObject } from "../core/json.ts";
import { Problem } from "../core/problem.ts";
import type { FoundItem, StoreItem } from "../core/store_item.ts";
import { first, type Queryable } from "./database.ts";
import { join, type Sql, sql } from "./sql.ts";

/** What a search may look at that no index narrows: items with a filter, vectors, namespaces. */
export const MAX_FILTERED_ITEMS = 10_000;
export const MAX_VECTORS = 20_000;
const MAX_NAMESPACES = 100_000;
/** An answer is held in memory, and sent as one line. */
const MAX_ANSWER_CHARACTERS = 32 * 1024 * 1024;
const ROWS_PER_STEP = 500;

type ItemRow = {
  namespace: string;
  key: string;
  value: string;
  ttl_minutes: number | null;
  created_at: string;
  updated_at: string;
  expires_at: string | null;
};
const columns = sql`namespace, key, value, ttl_minutes, created_at, updated_at, expires_at`;

/** An item with what its time is begun anew with; null: it has none. */
export type ReadItem = { item: StoreItem; ttl_minutes: number | null };
export type PutItem = {
  namespace: readonly string[];
  key: string;
  /** JSON. */
  value: string;
  ttl_minutes: number | null;
  vectors: readonly { path: string; vector: Uint8Array }[];
};
export type ItemSearch = {
  prefix: readonly string[];
  filter?: JsonObject | undefined;
  limit: number;
  offset: number;
  /** float32: the nearest first. */
  vector?: Uint8Array | undefined;
};
export type NamespaceSearch = {
  /** A label `*` stands for any. */
  prefix: readonly string[];
  suffix: readonly string[];
  max_depth?: number | undefined;
  limit: number;
  offset: number;
};

const pathOf = (namespace: readonly string[]): string => namespace.map((label) => `${label}.`).join("");
const labelsOf = (path: string): string[] => path.slice(0, -1).split(".");

/** Neither may hold NUL. */
const nameOf = ({ namespace, key }: { namespace: string; key: string }): string => `${namespace}\0${key}`;

/** Condition: the namespace begins with these labels. `/` comes right after the full stop. */
function under(prefix: readonly string[]): Sql | undefined {
  if (prefix.length === 0) return undefined;
  const path = pathOf(prefix);
  return sql`namespace >= ${path} and namespace < ${`${path.slice(0, -1)}/`}`;
}

const lives = (q: Queryable): Sql => sql`(expires_at is null or expires_at > ${q.dialect.now})`;

function all(conditions: readonly (Sql | undefined)[]): Sql {
  return join(
    conditions.filter((condition) => condition !== undefined),
    " and ",
  );
}

export async function getItem(
  q: Queryable,
  deployment_id: string,
  namespace: readonly string[],
  key: string,
): Promise<ReadItem | undefined> {
  const row = first(
    await q.query<ItemRow>(sql`
      select ${columns} from store_items where deployment_id = ${deployment_id}
        and namespace = ${pathOf(namespace)} and key = ${key} and ${lives(q)}`),
  );
  return row && parse(row);
}

/** Makes the item or replaces it, its vectors and its time too; one that had run out is made anew. */
export async function putItem(tx: Queryable, deployment_id: string, item: PutItem): Promise<void> {
  const { key, value, ttl_minutes, vectors } = item;
  const namespace = pathOf(item.namespace);
  const { now } = tx.dialect;
  const expires_at = ttl_minutes === null ? null : tx.dialect.nowPlus(ttl_minutes * 60);
  await tx.query(sql`
    insert into store_items (deployment_id, namespace, key, value, ttl_minutes, expires_at, created_at, updated_at)
    values (${deployment_id}, ${namespace}, ${key}, ${value}, ${ttl_minutes}, ${expires_at}, ${now}, ${now})
    on conflict (deployment_id, namespace, key) do update set value = excluded.value,
      ttl_minutes = excluded.ttl_minutes, expires_at = excluded.expires_at, updated_at = excluded.updated_at,
      created_at = case when store_items.expires_at <= excluded.updated_at then excluded.created_at
        else store_items.created_at end`);
  await tx.query(sql`
    delete from store_vectors
    where deployment_id = ${deployment_id} and namespace = ${namespace} and key = ${key}`);
  if (vectors.length === 0) return;
  const rows = vectors.map(
    ({ path, vector }) => sql`(${deployment_id}, ${namespace}, ${key}, ${path}, ${vector})`,
  );
  await tx.query(
    sql`insert into store_vectors (deployment_id, namespace, key, path, vector) values ${join(rows)}`,
  );
}

export async function deleteItem(
  tx: Queryable,
  deployment_id: string,
  namespace: readonly string[],
  key: string,
): Promise<void> {
  await tx.query(sql`
    delete from store_items where deployment_id = ${deployment_id} and namespace = ${pathOf(namespace)} and key = ${key}`);
}

/** Their time begins anew. */
export async function refreshItems(
  tx: Queryable,
  deployment_id: string,
  read: readonly ReadItem[],
): Promise<void> {
  for (const { item, ttl_minutes } of read) {
    if (ttl_minutes === null) continue;
    await tx.query(sql`
      update store_items set expires_at = ${tx.dialect.nowPlus(ttl_minutes * 60)}
      where deployment_id = ${deployment_id} and namespace = ${pathOf(item.namespace)} and key = ${item.key}
        and ttl_minutes = ${ttl_minutes} and expires_at > ${tx.dialect.now}`);
  }
}

/** Those changed last first; with a vector the nearest first, of the items that have one. */
export async function searchItems(
  q: Queryable,
  deployment_id: string,
  search: ItemSearch,
): Promise<(ReadItem & { score: number | null })[]> {
  const found = new Page(search.limit, search.offset);
  if (search.limit === 0) return [];
  if (search.vector) await nearestItems(q, deployment_id, { ...search, vector: search.vector }, found);
  else await newestItems(q, deployment_id, search, found);
  return found.rows.map(({ row, score }) => ({ ...parse(row), score }));
}

export function foundItem({ item, score }: ReadItem & { score: number | null }): FoundItem {
  return { ...item, score };
}

async function newestItems(
  q: Queryable,
  deployment_id: string,
  { prefix, filter, limit, offset }: ItemSearch,
  found: Page,
): Promise<void> {
  const within = all([sql`deployment_id = ${deployment_id}`, under(prefix), lives(q)]);
  if (filter === undefined || Object.keys(filter).length === 0) {
    found.skip(offset);
    for (const row of await q.query<ItemRow>(sql`
      select ${columns} from store_items where ${within}
      order by updated_at desc, namespace desc, key desc limit ${limit} offset ${offset}`))
      found.take(row, null);
    return;
  }
  let last: ItemRow | undefined;
  for (let seen = 0; ; ) {
    const after =
      last && sql`(updated_at, namespace, key) < (${last.updated_at}, ${last.namespace}, ${last.key})`;
    const rows = await q.query<ItemRow>(sql`
      select ${columns} from store_items where ${all([within, after])}
      order by updated_at desc, namespace desc, key desc limit ${ROWS_PER_STEP}`);
    for (const row of rows) {
      if (++seen > MAX_FILTERED_ITEMS)
        throw new Problem("store_search_too_wide", { limit: MAX_FILTERED_ITEMS, what: "items" });
      if (matchesFilter(JSON.parse(row.value) as JsonObject, filter) && found.take(row, null)) return;
    }
    last = rows.at(-1);
    if (rows.length < ROWS_PER_STEP) return;
    await turn();
  }
}

type Scored = { namespace: string; key: string; score: number };

async function nearestItems(
  q: Queryable,
  deployment_id: string,
  { prefix, filter, vector }: ItemSearch & { vector: Uint8Array },
  found: Page,
): Promise<void> {
  const scored = await scores(q, deployment_id, prefix, vector);
  scored.sort((a, b) => b.score - a.score);
  for (let i = 0; i < scored.length; i += ROWS_PER_STEP) {
    const some = scored.slice(i, i + ROWS_PER_STEP);
    const keys = some.map(({ namespace, key }) => sql`(namespace = ${namespace} and key = ${key})`);
    const rows = await q.query<ItemRow>(sql`
      select ${columns} from store_items
      where deployment_id = ${deployment_id} and ${lives(q)} and (${join(keys, " or ")})`);
    const byName = new Map(rows.map((row) => [nameOf(row), row]));
    for (const { namespace, key, score } of some) {
      const row = byName.get(nameOf({ namespace, key }));
      if (!row || (filter && !matchesFilter(JSON.parse(row.value) as JsonObject, filter))) continue;
      if (found.take(row, score)) return;
    }
    await turn();
  }
}

/** Every item's nearest vector. One with another number of numbers, of an earlier model, is left out. */
async function scores(
  q: Queryable,
  deployment_id: string,
  prefix: readonly string[],
  vector: Uint8Array,
): Promise<Scored[]> {
  const wanted = floats(vector);
  const length = norm(wanted);
  const best = new Map<string, Scored>();
  let last: { namespace: string; key: string; path: string } | undefined;
  for (let seen = 0; ; ) {
    const after = last && sql`(namespace, key, path) > (${last.namespace}, ${last.key}, ${last.path})`;
    const rows = await q.query<{ namespace: string; key: string; path: string; vector: Uint8Array }>(sql`
      select namespace, key, path, vector from store_vectors
      where ${all([sql`deployment_id = ${deployment_id}`, under(prefix), after])}
      order by namespace, key, path limit ${ROWS_PER_STEP}`);
    seen += rows.length;
    if (seen > MAX_VECTORS)
      throw new Problem("store_search_too_wide", { limit: MAX_VECTORS, what: "vectors" });
    for (const { namespace, key, vector: bytes } of rows) {
      if (bytes.length !== vector.length) continue;
      const other = floats(bytes);
      const scale = length * norm(other);
      const score = scale === 0 ? 0 : dot(wanted, other) / scale;
      const name = nameOf({ namespace, key });
      if ((best.get(name)?.score ?? -2) < score) best.set(name, { namespace, key, score });
    }
    last = rows.at(-1);
    if (rows.length < ROWS_PER_STEP) return [...best.values()];
    await turn();
  }
}

/** A copy, since what a driver gives need not begin at a multiple of four. */
function floats(bytes: Uint8Array): Float32Array {
  return new Float32Array(Uint8Array.from(bytes).buffer);
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

const norm = (vector: Float32Array): number => Math.sqrt(dot(vector, vector));

/** The rows of an answer, bounded in number and size. */
class Page {
  readonly rows: { row: ItemRow; score: number | null }[] = [];
  readonly #limit: number;
  #offset: number;
  #characters = 0;

  constructor(limit: number, offset: number) {
    this.#limit = limit;
    this.#offset = offset;
  }

  /** The database has left out so many. */
  skip(count: number): void {
    this.#offset -= count;
  }

  /** True when the page is full. */
  take(row: ItemRow, score: number | null): boolean {
    if (this.#offset > 0) {
      this.#offset--;
      return false;
    }
    this.#characters += row.value.length;
    if (this.#characters > MAX_ANSWER_CHARACTERS)
      throw new Problem("bad_request", {
        message: `These items are more than ${MAX_ANSWER_CHARACTERS / 1024 / 1024} MB together. Ask for fewer at once.`,
      });
    return this.rows.push({ row, score }) >= this.#limit;
  }
}

/** In their order, each once; with `max_depth` only so many labels of each. */
export async function listNamespaces(
  q: Queryable,
  deployment_id: string,
  search: NamespaceSearch,
): Promise<string[][]> {
  const { prefix, suffix, max_depth, limit, offset } = search;
  const wild = prefix.indexOf("*");
  const within = under(wild === -1 ? prefix : prefix.slice(0, wild));
  const found = new Set<string>();
  let last: string | undefined;
  for (let seen = 0; ; ) {
    const after = last === undefined ? undefined : sql`namespace > ${last}`;
    const rows = await q.query<{ namespace: string }>(sql`
      select distinct namespace from store_items
      where ${all([sql`deployment_id = ${deployment_id}`, within, after, lives(q)])}
      order by namespace limit ${ROWS_PER_STEP}`);
    for (const { namespace } of rows) {
      const labels = labelsOf(namespace);
      if (!agree(labels, prefix) || !agree(labels.toReversed(), suffix.toReversed())) continue;
      found.add(pathOf(labels.slice(0, max_depth)));
      if (found.size >= offset + limit) return [...found].slice(offset).map(labelsOf);
    }
    seen += rows.length;
    if (seen > MAX_NAMESPACES)
      throw new Problem("store_search_too_wide", { limit: MAX_NAMESPACES, what: "namespaces" });
    last = rows.at(-1)?.namespace;
    if (rows.length < ROWS_PER_STEP) return [...found].slice(offset).map(labelsOf);
    await turn();
  }
}

function agree(labels: readonly string[], pattern: readonly string[]): boolean {
  return pattern.length <= labels.length && pattern.every((label, i) => label === "*" || label === labels[i]);
}

/** Removes some of the items that have run out. False: there was none. */
export async function sweepStoreItems(tx: Queryable): Promise<boolean> {
  const rows = await tx.query<{ deployment_id: string; namespace: string; key: string }>(sql`
    select deployment_id, namespace, key from store_items
    where expires_at is not null and expires_at <= ${tx.dialect.now} limit ${ROWS_PER_STEP}
    ${tx.dialect.forUpdateSkipLocked}`);
  for (const { deployment_id, namespace, key } of rows)
    await tx.query(sql`
      delete from store_items where deployment_id = ${deployment_id} and namespace = ${namespace} and key = ${key}`);
  return rows.length > 0;
}

function parse(row: ItemRow): ReadItem {
  const { key, created_at, updated_at, expires_at, ttl_minutes } = row;
  const value = JSON.parse(row.value) as JsonObject;
  return {
    item: { namespace: labelsOf(row.namespace), key, value, created_at, updated_at, expires_at },
    ttl_minutes,
  };
}

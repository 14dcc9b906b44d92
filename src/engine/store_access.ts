/**
 * A version's way to its deployment's store items: what is asked is checked, read, and written by one transaction. Throws a
 * Problem for what an agent or a client may not ask.
 */
import { checkFilter } from "../core/item_filter.ts";
import type { Json } from "../core/json.ts";
import { Problem } from "../core/problem.ts";
import {
  checkKey,
  checkNamespace,
  DEFAULT_NAMESPACES_LIMIT,
  DEFAULT_SEARCH_LIMIT,
  type StoreOperation,
  valueText,
  vectorBytes,
} from "../core/store_item.ts";
import type { StoreSettings } from "../core/store_settings.ts";
import type { Queryable, Transaction } from "../store/database.ts";
import {
  deleteItem,
  foundItem,
  getItem,
  listNamespaces,
  putItem,
  type ReadItem,
  refreshItems,
  searchItems,
} from "../store/store_items.ts";
import type { VersionRow } from "../store/versions.ts";

/** Items of one answer, from which an agent may ask for the next. */
const MAX_LIMIT = 10_000;
const FLOAT_BYTES = 4;

type Put = Extract<StoreOperation, { op: "put" }>;
type Search = Extract<StoreOperation, { op: "search" }>;
type Answer = { results: Json[]; writes: ((tx: Transaction) => Promise<void>) | undefined };

export class StoreAccess {
  readonly settings: StoreSettings;
  readonly #deployment_id: string;

  constructor({ deployment_id, store }: Pick<VersionRow, "deployment_id" | "store">) {
    this.#deployment_id = deployment_id;
    this.settings = JSON.parse(store) as StoreSettings;
  }

  /** The result of each operation, and what is left to do in a transaction: puts, and the times that begin anew. */
  async read(q: Queryable, operations: readonly StoreOperation[]): Promise<Answer> {
    const writes: ((tx: Transaction) => Promise<void>)[] = [];
    const read: ReadItem[] = [];
    const results: Json[] = [];
    const note = (items: ReadItem[], refresh = this.settings.refresh_on_read) => {
      if (refresh) read.push(...items.filter(({ ttl_minutes }) => ttl_minutes !== null));
    };
    for (const operation of operations) {
      switch (operation.op) {
        case "get": {
          checkNamespace(operation.namespace, true);
          checkKey(operation.key);
          const found = await getItem(q, this.#deployment_id, operation.namespace, operation.key);
          if (found) note([found], operation.refresh_ttl);
          results.push(found?.item ?? null);
          break;
        }
        case "put":
          writes.push(this.#put(operation));
          results.push(null);
          break;
        case "search": {
          const found = await this.#search(q, operation);
          note(found, operation.refresh_ttl);
          results.push(found.map(foundItem));
          break;
        }
        case "list_namespaces": {
          const { prefix = [], suffix = [], max_depth, offset = 0 } = operation;
          checkNamespace(prefix, true);
          checkNamespace(suffix, true);
          const limit = limited(operation.limit ?? DEFAULT_NAMESPACES_LIMIT);
          const search = { prefix, suffix, max_depth, limit, offset };
          results.push(await listNamespaces(q, this.#deployment_id, search));
        }
      }
    }
    if (read.length > 0) writes.unshift((tx) => refreshItems(tx, this.#deployment_id, read));
    if (writes.length === 0) return { results, writes: undefined };
    return {
      results,
      writes: async (tx) => {
        for (const write of writes) await write(tx);
      },
    };
  }

  #put({ namespace, key, value, ttl, vectors = [] }: Put): (tx: Transaction) => Promise<void> {
    checkNamespace(namespace);
    checkKey(key);
    if (value === null) return (tx) => deleteItem(tx, this.#deployment_id, namespace, key);
    const item = {
      namespace,
      key,
      value: valueText(value),
      ttl_minutes: ttl === undefined ? this.settings.default_ttl : ttl,
      vectors: vectors.map(([path, vector]) => ({ path, vector: this.#vector(vector) })),
    };
    return (tx) => putItem(tx, this.#deployment_id, item);
  }

  #search(q: Queryable, search: Search): ReturnType<typeof searchItems> {
    const { namespace_prefix: prefix, filter, vector, offset = 0 } = search;
    checkNamespace(prefix, true);
    if (filter) checkFilter(filter);
    return searchItems(q, this.#deployment_id, {
      prefix,
      filter,
      limit: limited(search.limit ?? DEFAULT_SEARCH_LIMIT),
      offset,
      vector: vector === undefined ? undefined : this.#vector(vector),
    });
  }

  #vector(text: string): Uint8Array {
    const bytes = vectorBytes(text);
    const dims = this.settings.index?.dims;
    if (dims === undefined || bytes.length !== dims * FLOAT_BYTES)
      throw new Problem("bad_request", {
        message: `A vector of ${bytes.length / FLOAT_BYTES} numbers does not fit [store] index, whose dims is ${dims ?? "not set"}.`,
      });
    return bytes;
  }
}

function limited(limit: number): number {
  if (limit > MAX_LIMIT)
    throw new Problem("bad_request", {
      message: `Ask for at most ${MAX_LIMIT} at once, and page by offset.`,
    });
  return limit;
}

/** Store items: kept by namespace and key, found by prefix, filter and meaning, gone when their time is up. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { matchesFilter } from "../../src/core/item_filter.ts";
import type { JsonObject } from "../../src/core/json.ts";
import { Problem } from "../../src/core/problem.ts";
import type { Queryable } from "../../src/store/database.ts";
import { sql } from "../../src/store/sql.ts";
import {
  deleteItem,
  getItem,
  type ItemSearch,
  listNamespaces,
  MAX_FILTERED_ITEMS,
  type NamespaceSearch,
  putItem,
  refreshItems,
  searchItems,
  sweepStoreItems,
} from "../../src/store/store_items.ts";
import { type Open, type Store, withStore } from "./store_fixture.ts";

type Put = { ttl?: number; vectors?: number[][]; deployment_id?: string };

async function put(store: Store, namespace: string[], key: string, value: JsonObject, more: Put = {}) {
  await store.database.transaction((tx) =>
    putItem(tx, more.deployment_id ?? "dep_1", {
      namespace,
      key,
      value: JSON.stringify(value),
      ttl_minutes: more.ttl ?? null,
      vectors: (more.vectors ?? []).map((vector, i) => ({ path: String(i), vector: bytes(vector) })),
    }),
  );
}

const bytes = (vector: number[]) => new Uint8Array(Float32Array.from(vector).buffer);
const get = async (q: Queryable, namespace: string[], key: string, deployment_id = "dep_1") =>
  (await getItem(q, deployment_id, namespace, key))?.item;

async function found(store: Store, search: Partial<ItemSearch>, deployment_id = "dep_1"): Promise<string[]> {
  const rows = await searchItems(store.database, deployment_id, {
    ...{ prefix: [], limit: 100, offset: 0 },
    ...search,
  });
  return rows.map(({ item }) => item.key);
}

const spaces = async (store: Store, search: Partial<NamespaceSearch>) =>
  (
    await listNamespaces(store.database, "dep_1", {
      ...{ prefix: [], suffix: [], limit: 100, offset: 0 },
      ...search,
    })
  ).map((labels) => labels.join("/"));

/** The database's clock goes on: what had time left has none. */
async function letRunOut(store: Store, key: string): Promise<void> {
  await store.database.transaction((tx) =>
    tx.query(sql`update store_items set expires_at = ${tx.dialect.nowPlus(-1)} where key = ${key}`),
  );
}

export function storeItemsSuite(name: string, open: Open): void {
  test(`${name}: a store item reads back as it was put, is replaced whole, and is gone once deleted`, () =>
    withStore(open, async (store) => {
      const value = { text: "nul \0, half \ud800, ü", deep: { list: [1, null, true] }, $crewship: ["x"] };
      await put(store, ["users", "ada"], "likes", value);
      const made = (await get(store.database, ["users", "ada"], "likes"))!;
      assert.deepEqual(made.value, value);
      assert.deepEqual(made.namespace, ["users", "ada"]);
      assert.equal(made.expires_at, null);
      await put(store, ["users", "ada"], "likes", { n: 2 }, { ttl: 5 });
      await store.reopen();
      const changed = (await get(store.database, ["users", "ada"], "likes"))!;
      assert.deepEqual(changed.value, { n: 2 });
      assert.equal(changed.created_at, made.created_at);
      assert.ok(changed.updated_at >= made.updated_at);
      assert.ok(changed.expires_at! > changed.updated_at);
      await store.database.transaction((tx) => deleteItem(tx, "dep_1", ["users", "ada"], "likes"));
      assert.equal(await get(store.database, ["users", "ada"], "likes"), undefined);
    }));

  test(`${name}: an item of one deployment is nowhere in another's store`, () =>
    withStore(open, async (store) => {
      await put(store, ["a"], "same", { of: 1 });
      await put(store, ["a"], "same", { of: 2 }, { deployment_id: "dep_2", vectors: [[1, 0]] });
      assert.deepEqual((await get(store.database, ["a"], "same"))?.value, { of: 1 });
      await store.database.transaction((tx) => deleteItem(tx, "dep_1", ["a"], "same"));
      assert.deepEqual((await get(store.database, ["a"], "same", "dep_2"))?.value, { of: 2 });
      assert.deepEqual(await found(store, {}), []);
      assert.deepEqual(await found(store, { vector: bytes([1, 0]) }), []);
      assert.deepEqual(await found(store, { vector: bytes([1, 0]) }, "dep_2"), ["same"]);
      assert.deepEqual(await spaces(store, {}), []);
    }));

  test(`${name}: a search finds what lies under a prefix, label by label, the item changed last first`, () =>
    withStore(open, async (store) => {
      await put(store, ["docs"], "root", { n: 0 });
      await put(store, ["docs", "a"], "first", { n: 1 });
      await put(store, ["docs", "a", "deep"], "second", { n: 2 });
      await put(store, ["docs-b"], "other", { n: 3 });
      await put(store, ["doc"], "shorter", { n: 4 });
      assert.deepEqual((await found(store, { prefix: ["docs"] })).sort(), ["first", "root", "second"]);
      assert.deepEqual((await found(store, { prefix: ["docs", "a"] })).sort(), ["first", "second"]);
      assert.equal((await found(store, {})).length, 5);
      await store.database.transaction((tx) =>
        tx.query(sql`update store_items set updated_at = ${tx.dialect.nowPlus(1)} where key = ${"root"}`),
      );
      assert.equal((await found(store, { prefix: ["docs"] }))[0], "root");
      const pages = [
        ...(await found(store, { limit: 2 })),
        ...(await found(store, { limit: 2, offset: 2 })),
        ...(await found(store, { limit: 2, offset: 4 })),
      ];
      assert.deepEqual(pages, await found(store, {}));
    }));

  test(`${name}: filters compare as LangGraph's stores do, page by page`, () =>
    withStore(open, async (store) => {
      const wanted: string[] = [];
      for (let n = 0; n < 12; n++) {
        await put(store, ["n"], `k${n}`, { n, kind: n % 2 ? "odd" : "even", at: `2026-01-${10 + n}` });
        if (n >= 3 && n % 2) wanted.push(`k${n}`);
      }
      const filter = { n: { $gte: 3 }, kind: { $ne: "even" } };
      assert.deepEqual((await found(store, { filter })).sort(), wanted.sort());
      const pages = [
        ...(await found(store, { filter, limit: 3 })),
        ...(await found(store, { filter, limit: 3, offset: 3 })),
      ];
      assert.deepEqual(pages, await found(store, { filter }));
      assert.deepEqual(await found(store, { filter: { at: { $lt: "2026-01-12", $gt: "2026-01-10" } } }), [
        "k1",
      ]);
      assert.equal((await found(store, { filter: { kind: "odd" }, prefix: ["m"] })).length, 0);
    }));

  test(`${name}: a search that would look at too many items is refused and says what to do`, () =>
    withStore(open, async (store) => {
      await put(store, ["many"], "first", { n: 0 });
      await store.database.transaction((tx) =>
        tx.query(sql`
          with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n <= ${MAX_FILTERED_ITEMS})
          insert into store_items (deployment_id, namespace, key, value, created_at, updated_at)
          select 'dep_1', 'many.', cast(n as text), '{}', ${tx.dialect.now}, ${tx.dialect.now} from numbers`),
      );
      await assert.rejects(
        found(store, { filter: { n: 7 } }),
        (error) => error instanceof Problem && error.code === "store_search_too_wide",
      );
      assert.equal((await found(store, { limit: 5 })).length, 5);
    }));

  test(`${name}: a search by meaning gives the nearest first, with the best of an item's vectors, and drops those it replaced`, () =>
    withStore(open, async (store) => {
      await put(store, ["v"], "east", { kind: "a" }, { vectors: [[1, 0]] });
      await put(
        store,
        ["v"],
        "both",
        { kind: "b" },
        {
          vectors: [
            [-1, 0],
            [0.6, 0.8],
          ],
        },
      );
      await put(store, ["v"], "west", { kind: "a" }, { vectors: [[-2, 0]] });
      await put(store, ["v"], "none", { kind: "a" });
      await put(store, ["v"], "earlier model", { kind: "a" }, { vectors: [[1, 0, 0]] });
      const rows = await searchItems(store.database, "dep_1", {
        ...{ prefix: ["v"], limit: 10, offset: 0, vector: bytes([2, 0]) },
      });
      assert.deepEqual(
        rows.map(({ item, score }) => [item.key, Math.round(score! * 1000) / 1000]),
        [
          ["east", 1],
          ["both", 0.6],
          ["west", -1],
        ],
      );
      assert.deepEqual(await found(store, { vector: bytes([1, 0]), filter: { kind: "a" } }), [
        "east",
        "west",
      ]);
      assert.deepEqual(await found(store, { vector: bytes([1, 0]), limit: 1, offset: 1 }), ["both"]);
      await put(store, ["v"], "east", { kind: "a" }, { vectors: [[0, 1]] });
      assert.deepEqual(await found(store, { vector: bytes([1, 0]), limit: 1 }), ["both"]);
      await store.database.transaction((tx) => deleteItem(tx, "dep_1", ["v"], "both"));
      assert.deepEqual(await found(store, { vector: bytes([1, 0]) }), ["east", "west"]);
    }));

  test(`${name}: an item whose time is up is gone for every reader, then swept; a read may begin its time anew`, () =>
    withStore(open, async (store) => {
      await put(store, ["t"], "old", { n: 1 }, { ttl: 1, vectors: [[1, 0]] });
      await put(store, ["t"], "kept", { n: 2 }, { ttl: 1 });
      await put(store, ["u"], "always", { n: 3 });
      const read = (await getItem(store.database, "dep_1", ["t"], "kept"))!;
      await store.database.transaction((tx) =>
        tx.query(sql`update store_items set expires_at = ${tx.dialect.nowPlus(5)} where key = ${"kept"}`),
      );
      await store.database.transaction((tx) => refreshItems(tx, "dep_1", [read]));
      assert.ok((await get(store.database, ["t"], "kept"))!.expires_at! >= read.item.expires_at!);
      await letRunOut(store, "old");
      assert.equal(await get(store.database, ["t"], "old"), undefined);
      assert.deepEqual(await found(store, { prefix: ["t"] }), ["kept"]);
      assert.deepEqual(await found(store, { vector: bytes([1, 0]) }), []);
      assert.equal(await store.database.transaction(sweepStoreItems), true);
      assert.equal(await store.database.transaction(sweepStoreItems), false);
      assert.deepEqual((await found(store, {})).sort(), ["always", "kept"]);
      assert.equal((await store.database.query(sql`select 1 from store_vectors`)).length, 0);
      await letRunOut(store, "kept");
      await put(store, ["t"], "kept", { n: 9 });
      const anew = (await get(store.database, ["t"], "kept"))!;
      assert.equal(anew.created_at, anew.updated_at, "what had run out is made anew");
    }));

  test(`${name}: namespaces are listed by prefix, suffix, wildcard and depth, each once`, () =>
    withStore(open, async (store) => {
      for (const path of ["a/b/c", "a/b/d", "a/x/c", "b/b/c", "ab/c", "a"])
        await put(store, path.split("/"), "k", {});
      await put(store, ["a"], "k2", {});
      const all = ["a", "a/b/c", "a/b/d", "a/x/c", "ab/c", "b/b/c"];
      assert.deepEqual(await spaces(store, {}), all);
      assert.deepEqual(await spaces(store, { prefix: ["a"] }), ["a", "a/b/c", "a/b/d", "a/x/c"]);
      assert.deepEqual(await spaces(store, { prefix: ["*", "b"] }), ["a/b/c", "a/b/d", "b/b/c"]);
      assert.deepEqual(await spaces(store, { suffix: ["c"], prefix: ["a"] }), ["a/b/c", "a/x/c"]);
      assert.deepEqual(await spaces(store, { suffix: ["b", "*"] }), ["a/b/c", "a/b/d", "b/b/c"]);
      assert.deepEqual(await spaces(store, { max_depth: 2 }), ["a", "a/b", "a/x", "ab/c", "b/b"]);
      assert.deepEqual(await spaces(store, { max_depth: 2, limit: 2, offset: 1 }), ["a/b", "a/x"]);
    }));

  test(`${name}: filters know nested objects, null and what has no order`, () => {
    const value = { a: { b: 1, c: [1, 2] }, none: null, text: "10", list: ["x"] };
    assert.ok(matchesFilter(value, { a: { b: 1 } }));
    assert.ok(matchesFilter(value, { a: { b: { $lt: 2 } }, none: null, missing: null }));
    assert.ok(matchesFilter(value, { text: { $gt: 9 }, list: ["x"] }));
    assert.ok(matchesFilter(value, { a: { $eq: { c: [1, 2], b: 1 } } }));
    assert.ok(!matchesFilter(value, { list: ["x", "y"] }) && !matchesFilter(value, { list: { 0: "x" } }));
    assert.ok(!matchesFilter(value, { list: { $gt: 1 } }));
    assert.ok(!matchesFilter(value, { a: { b: { $unknown: 1 } } }));
  });
}

/** Threads as they are searched, changed and forgotten; keys and the answers kept for repeated requests. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Json, JsonObject } from "../../src/core/json.ts";
import { Problem } from "../../src/core/problem.ts";
import { earlierAnswer, forgetOldAnswers, keepAnswer, openAnswer } from "../../src/store/idempotency.ts";
import { createKey, deleteKey, findKey, listKeys } from "../../src/store/keys.ts";
import { sql } from "../../src/store/sql.ts";
import { countThreads, searchThreads, type ThreadFilter } from "../../src/store/thread_search.ts";
import {
  createThread,
  deleteThreadRow,
  expiredThreads,
  findThread,
  getThread,
  occupyThread,
  patchThread,
  showThread,
} from "../../src/store/threads.ts";
import { anyObject } from "./json_values.ts";
import { type Open, type Store, withStore } from "./store_fixture.ts";

async function found(store: Store, filter: ThreadFilter): Promise<string[]> {
  const rows = await searchThreads(store.database, filter, { limit: 100 });
  const ids = rows.map((row) => row.thread_id);
  assert.equal(await countThreads(store.database, filter), ids.length, "a count is the length of its search");
  return ids.sort();
}

export function threadsSuite(name: string, open: Open): void {
  test(`${name}: threads are found by metadata, also nested or long, by status, deployment, ids and values`, () =>
    withStore(open, async (store) => {
      const long = "x".repeat(1000);
      const nested = { user: { id: 7, tags: ["a", "b"] }, plan: "pro" };
      await store.thread({ thread_id: "a", metadata: { owner: "ann", n: 1, on: true, none: null } });
      await store.thread({ thread_id: "b", metadata: { owner: "ann", n: "1", long }, status: "error" });
      await store.thread({
        thread_id: "c",
        metadata: nested,
        values: { topic: "tea", deep: { x: 1, y: 2 } },
      });
      const d = await store.thread({ thread_id: "d", deployment_id: "dep_2", metadata: { owner: "ann" } });
      await store.put(d.log_id, { topic: "coffee", list: ["an element long enough to be an item"] });
      const cases: [ThreadFilter, string[]][] = [
        [{}, ["a", "b", "c", "d"]],
        [{ metadata: { owner: "ann" } }, ["a", "b", "d"]],
        [{ metadata: { owner: "ann" }, deployment_ids: ["dep_1"] }, ["a", "b"]],
        [{ metadata: { owner: "ann" }, deployment_ids: [] }, []],
        [{ deployment_ids: ["dep_1", "dep_2"], status: "error" }, ["b"]],
        [{ metadata: { n: 1 } }, ["a"]],
        [{ metadata: { n: "1" } }, ["b"]],
        [{ metadata: { on: true, owner: "ann" } }, ["a"]],
        [{ metadata: { none: null } }, ["a"]],
        [{ metadata: { missing: null } }, []],
        [{ metadata: { long } }, ["b"]],
        [{ metadata: { long: `${long}y` } }, []],
        [{ metadata: { user: { id: 7 } } }, ["c"]],
        [{ metadata: { user: { id: 7, tags: ["a", "b"] }, plan: "pro" } }, ["c"]],
        [{ metadata: { user: { id: 7, tags: ["a"] } } }, []],
        [{ metadata: { user: {} } }, ["c"]],
        [{ metadata: JSON.parse('{"__proto__":{}}') as JsonObject }, []],
        [{ values: { topic: "tea" } }, ["c"]],
        [{ values: { deep: { x: 1 } } }, ["c"]],
        [{ values: { topic: "coffee", list: ["an element long enough to be an item"] } }, ["d"]],
        [{ values: { topic: "coffee" }, deployment_ids: ["dep_1"] }, []],
        [{ ids: ["a", "d", "unknown"] }, ["a", "d"]],
        [{ ids: [] }, []],
      ];
      for (const [filter, expected] of cases) {
        assert.deepEqual(await found(store, filter), expected, JSON.stringify(filter));
      }
    }));

  test(`${name}: a thread is found by exactly the metadata it has, whatever its keys and values are`, () =>
    withStore(open, async (store) => {
      let n = 0;
      const seen = new Map<string, string>();
      await fc.assert(
        fc.asyncProperty(anyObject, async (metadata) => {
          const thread_id = `thread-${++n}`;
          const row = await store.thread({ thread_id, metadata });
          assert.equal(
            JSON.stringify((await showThread(store.database, row)).metadata),
            JSON.stringify(metadata),
          );
          if (Object.keys(metadata).length === 0) return;
          assert.ok((await found(store, { metadata })).includes(thread_id));
          for (const other of await found(store, { metadata })) {
            // Containment: whatever else it has, it has all of this.
            const theirs = other === thread_id ? JSON.stringify(metadata) : seen.get(other)!;
            const has = JSON.parse(theirs) as JsonObject;
            for (const key of Object.keys(metadata))
              assert.ok(Object.hasOwn(has, key), `${other} lacks a key`);
          }
          seen.set(thread_id, JSON.stringify(metadata));
        }),
        { numRuns: 40 },
      );
    }));

  test(`${name}: pages of threads, by cursor or by offset, are newest first without a seam`, () =>
    withStore(open, async (store) => {
      const made: string[] = [];
      for (let n = 0; n < 25; n++) {
        const { thread_id } = await store.thread({
          metadata: { even: n % 2 === 0, third: n % 3, at: { n } },
          // Some have none until their first run.
          deployment_id: n % 5 < 3 ? "dep_1" : n % 5 === 3 ? "dep_2" : null,
          status: n % 4 === 0 ? "error" : "idle",
        });
        made.push(thread_id);
      }
      // Several in one millisecond: then the id decides.
      await store.database.transaction(async (tx) => {
        await tx.query(sql`update threads set created_at = substr(created_at, 1, 19) || '.000Z'`);
        await tx.query(sql`update thread_tags set created_at = substr(created_at, 1, 19) || '.000Z'`);
      });
      const filters: ThreadFilter[] = [
        {},
        { metadata: { even: true } },
        { metadata: { even: true, at: {} } },
        { metadata: { even: true, third: 0 } },
        { metadata: { third: 0 }, status: "idle" },
        { metadata: { even: false }, deployment_ids: ["dep_1", "dep_2"] },
        { status: "error", deployment_ids: ["dep_2"] },
        { ids: made },
        { deployment_ids: ["dep_1", ...Array.from({ length: 200 }, (_, i) => `dep_none_${i}`)] },
      ];
      const everyone = await searchThreads(store.database, {}, { limit: 100 });
      assert.deepEqual(everyone.map((row) => row.thread_id).sort(), made.toSorted());
      const byId = await searchThreads(
        store.database,
        { metadata: { even: true } },
        { limit: 5, order: { by: "thread_id", direction: "asc" } },
      );
      const even = made.filter((_, n) => n % 2 === 0).sort();
      assert.deepEqual(
        byId.map((row) => row.thread_id),
        even.slice(0, 5),
      );
      for (const filter of filters) {
        const all = await searchThreads(store.database, filter, { limit: 100 });
        const sorted = all.toSorted((a, b) =>
          `${a.created_at} ${a.thread_id}` < `${b.created_at} ${b.thread_id}` ? 1 : -1,
        );
        const ids = all.map((row) => row.thread_id);
        assert.deepEqual(
          ids,
          sorted.map((row) => row.thread_id),
        );
        const byCursor: string[] = [];
        const byOffset: string[] = [];
        for (let after: { created_at: string; thread_id: string } | undefined; ; ) {
          const page = await searchThreads(store.database, filter, { limit: 4, after });
          if (page.length === 0) break;
          byCursor.push(...page.map((row) => row.thread_id));
          after = page.at(-1);
        }
        for (let offset = 0; offset < ids.length; offset += 4) {
          const page = await searchThreads(store.database, filter, { limit: 4, offset });
          byOffset.push(...page.map((row) => row.thread_id));
        }
        assert.deepEqual(byCursor, ids);
        assert.deepEqual(byOffset, ids);
      }
    }));

  test(`${name}: changed metadata is merged, null removes a key, and a search follows`, () =>
    withStore(open, async (store) => {
      await store.thread({ thread_id: "t", metadata: { a: 1, b: 2, "\ud800": "half" } });
      const row = await store.database.transaction((tx) =>
        patchThread(tx, "t", { metadata: { b: null, c: "3" }, ttl: { minutes: 5, strategy: "delete" } }),
      );
      const thread = await showThread(store.database, row!);
      assert.deepEqual(thread.metadata, { a: 1, c: "3", "\ud800": "half" });
      assert.deepEqual(thread.ttl, { minutes: 5, strategy: "delete" });
      assert.deepEqual(await found(store, { metadata: { b: 2 } }), []);
      assert.deepEqual(await found(store, { metadata: { a: 1, c: "3" } }), ["t"]);
      assert.deepEqual(await found(store, { metadata: { "\ud800": "half" } }), ["t"]);
      assert.deepEqual(await found(store, { metadata: { "\ud801": "half" } }), []);
      await store.database.transaction((tx) => patchThread(tx, "t", { ttl: null }));
      assert.equal(
        (await showThread(store.database, (await findThread(store.database, "t"))!)).ttl,
        undefined,
      );
      assert.equal(await store.database.transaction((tx) => patchThread(tx, "nobody", {})), undefined);
      await store.database.transaction((tx) => deleteThreadRow(tx, "t"));
      assert.deepEqual(await found(store, {}), []);
      assert.equal((await store.rows()).thread_tags, 0);
    }));

  test(`${name}: an id is given to one thread only, and one outside a key's scope is not told from none`, () =>
    withStore(open, async (store) => {
      const thread = await store.thread({ thread_id: "t" });
      const again = { ...thread, log_id: (await store.thread()).log_id, initial_values: null, metadata: {} };
      assert.equal(
        await store.database.transaction((tx) =>
          createThread(tx, { ...again, deployment_id: "dep_1", ttl: null }),
        ),
        undefined,
      );
      assert.equal((await getThread(store.database, "t", (id) => id === "dep_1")).log_id, thread.log_id);
      for (const get of [
        () => getThread(store.database, "t", (id) => id === "dep_2"),
        () => getThread(store.database, "u", () => true),
      ]) {
        await assert.rejects(get, (error) => error instanceof Problem && error.code === "not_found");
      }
    }));

  test(`${name}: of many that occupy an idle thread at once exactly one does`, () =>
    withStore(open, async (store) => {
      const thread = await store.thread({ status: "error" });
      const occupied = await Promise.all(
        Array.from({ length: 20 }, () => store.database.transaction((tx) => occupyThread(tx, thread.log_id))),
      );
      assert.equal(occupied.filter(Boolean).length, 1);
      assert.equal(await store.threadStatus(thread), "busy");
    }));

  test(`${name}: a thread's time to live has passed by its own minutes, never while it is busy, and behind no other`, () =>
    withStore(open, async (store) => {
      const age = (minutes: number, ids: string[]) =>
        store.database.transaction(async (tx) => {
          for (const id of ids) {
            await tx.query(
              sql`update threads set updated_at = ${tx.dialect.nowPlus(-60 * minutes)} where thread_id = ${id}`,
            );
          }
        });
      const long = Array.from({ length: 30 }, (_, i) => `long-${i}`);
      for (const thread_id of long) await store.thread({ thread_id, ttl_minutes: 5_000 });
      await age(4_000, long);
      await store.thread({ thread_id: "short", ttl_minutes: 1 });
      await store.thread({ thread_id: "half", ttl_minutes: 2.5 });
      await store.thread({ thread_id: "busy", ttl_minutes: 1, status: "busy" });
      await store.thread({ thread_id: "fresh", ttl_minutes: 1 });
      await store.thread({ thread_id: "forever" });
      await age(3, ["short", "half", "busy", "forever"]);
      const expired = async (limit: number) =>
        (await expiredThreads(store.database, limit)).map((row) => row.thread_id).sort();
      assert.deepEqual(await expired(10), ["half", "short"]);
      assert.equal((await expired(1)).length, 1);
    }));

  test(`${name}: a kept answer is given again to the same request for a day, and another body is a mismatch`, () =>
    withStore(open, async (store) => {
      const attempt = { key_id: "k", path: "POST /v1/threads", idempotency_key: "once", body_hash: "h1" };
      assert.equal(await earlierAnswer(store.database, attempt), undefined);
      const answered = (one: typeof attempt, answer: Json) =>
        store.database.transaction(async (tx) => {
          const isFirst = await openAnswer(tx, one);
          if (isFirst) await keepAnswer(tx, one, answer);
          return isFirst;
        });
      assert.ok(await answered(attempt, { thread_id: "t", text: "\ud800" }));
      assert.ok(!(await answered(attempt, "a second time")));
      assert.deepEqual(await earlierAnswer(store.database, attempt), { thread_id: "t", text: "\ud800" });
      await assert.rejects(
        earlierAnswer(store.database, { ...attempt, body_hash: "h2" }),
        (error) => error instanceof Problem && error.code === "idempotency_mismatch",
      );
      for (const other of [{ key_id: "k2" }, { path: "POST /v1/runs" }, { idempotency_key: "twice" }]) {
        assert.equal(
          await earlierAnswer(store.database, { ...attempt, ...other, body_hash: "h2" }),
          undefined,
        );
      }
      await store.database.transaction(forgetOldAnswers);
      assert.ok(await earlierAnswer(store.database, attempt), "an answer of today is kept");
      const yesterday = store.database.dialect.nowPlus(-24 * 3600 - 1);
      await store.database.transaction((tx) =>
        tx.query(sql`update idempotency_keys set created_at = ${yesterday}`),
      );
      assert.equal(await earlierAnswer(store.database, { ...attempt, body_hash: "h2" }), undefined);
      assert.ok(await answered({ ...attempt, body_hash: "h2" }, "new"));
      assert.equal(await earlierAnswer(store.database, { ...attempt, body_hash: "h2" }), "new");
      await store.database.transaction((tx) =>
        tx.query(sql`update idempotency_keys set created_at = ${yesterday}`),
      );
      await store.database.transaction(forgetOldAnswers);
      assert.deepEqual(await store.database.query(sql`select 1 from idempotency_keys`), []);
    }));

  test(`${name}: a key is found by its hash alone, keeps its role and scope, and is gone once deleted`, () =>
    withStore(open, async (store) => {
      const made = await store.database.transaction((tx) =>
        createKey(tx, {
          key_id: "key_1",
          name: "ci",
          key_hash: "hash",
          role: "run",
          deployment_ids: ["dep_1"],
        }),
      );
      assert.deepEqual(await findKey(store.database, "hash"), made);
      assert.deepEqual([made.role, made.deployment_ids], ["run", ["dep_1"]]);
      assert.doesNotMatch(JSON.stringify(await listKeys(store.database)), /hash/);
      assert.equal(await findKey(store.database, "other"), undefined);
      const twice = store.database.transaction((tx) =>
        createKey(tx, { key_id: "key_2", name: "x", key_hash: "hash", role: "admin", deployment_ids: null }),
      );
      await assert.rejects(twice, "no two keys share a hash");
      assert.equal(await store.database.transaction((tx) => deleteKey(tx, "key_1")), true);
      assert.equal(await store.database.transaction((tx) => deleteKey(tx, "key_1")), false);
      assert.equal(await findKey(store.database, "hash"), undefined);
    }));
}

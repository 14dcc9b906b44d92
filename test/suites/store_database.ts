/** What every Database promises: atomic, serial, isolated transactions, hints after commits, and migrations. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Database } from "../../src/store/database.ts";
import { migrate } from "../../src/store/migrate.ts";
import { raw, sql } from "../../src/store/sql.ts";
import { type Open, withStore } from "./store_fixture.ts";

async function scratch(database: Database): Promise<void> {
  await database.transaction((tx) =>
    tx.query(raw("create table scratch (id bigint primary key, body text not null)")),
  );
}

const insert = (id: number, body = "") => sql`insert into scratch (id, body) values (${id}, ${body})`;

async function ids(database: Database): Promise<number[]> {
  const rows = await database.query<{ id: number }>(sql`select id from scratch order by id`);
  return rows.map(({ id }) => Number(id));
}

export function databaseSuite(name: string, open: Open): void {
  test(`${name}: a transaction happens whole or not at all, and its error reaches its caller`, () =>
    withStore(open, async ({ database }) => {
      await scratch(database);
      const boom = new Error("boom");
      const failing = database.transaction(async (tx) => {
        await tx.query(insert(1));
        await tx.query(insert(2));
        throw boom;
      });
      await assert.rejects(failing, (error) => error === boom);
      assert.deepEqual(await ids(database), []);
      const answer = await database.transaction(async (tx) => {
        await tx.query(insert(1));
        await tx.query(insert(2));
        return "done";
      });
      assert.equal(answer, "done");
      assert.deepEqual(await ids(database), [1, 2]);
    }));

  test(`${name}: a failing transaction rejects only its own caller, whoever is committed with it`, () =>
    withStore(open, async ({ database }) => {
      await scratch(database);
      await database.transaction((tx) => tx.query(insert(1000)));
      const settled = await Promise.allSettled(
        Array.from({ length: 60 }, (_, i) =>
          database.transaction(async (tx) => {
            await tx.query(insert(i));
            if (i % 3 === 1) throw new Error(`no to ${i}`);
            // A statement the database itself refuses.
            if (i % 3 === 2) await tx.query(insert(1000));
            return i;
          }),
        ),
      );
      for (const [i, result] of settled.entries()) {
        assert.equal(result.status, i % 3 === 0 ? "fulfilled" : "rejected", `transaction ${i}`);
        if (result.status === "fulfilled") assert.equal(result.value, i);
        else if (i % 3 === 1) assert.equal((result.reason as Error).message, `no to ${i}`);
      }
      const kept = Array.from({ length: 60 }, (_, i) => i).filter((i) => i % 3 === 0);
      assert.deepEqual(await ids(database), [...kept, 1000]);
    }));

  test(`${name}: what is to begin at a commit begins once it can be read, and never when there was none`, () =>
    withStore(open, async ({ database }) => {
      await scratch(database);
      const seen: Promise<number[]>[] = [];
      const transactions = [1, 2, 3].map((id) =>
        database.transaction(async (tx) => {
          await tx.query(insert(id));
          tx.onCommit(() => seen.push(ids(database)));
          if (id === 2) throw new Error("no");
        }),
      );
      await Promise.allSettled(transactions);
      const [one, two] = await Promise.all(seen);
      assert.equal(seen.length, 2);
      assert.ok(one!.includes(1) && two!.includes(3), "each sees its own");
      assert.deepEqual(await ids(database), [1, 3]);
    }));

  test(`${name}: concurrent transactions are serial, and nobody sees half of one`, () =>
    withStore(open, async ({ database }) => {
      await scratch(database);
      await database.transaction((tx) => tx.query(insert(0, "0")));
      const seen: number[] = [];
      const write = (i: number) =>
        database.transaction(async (tx) => {
          await tx.query(insert(2 * i));
          const rows = await tx.query<{ body: string }>(
            sql`update scratch set body = cast(cast(body as integer) + 1 as text) where id = 0 returning body`,
          );
          await tx.query(insert(2 * i + 1));
          return Number(rows[0]!.body);
        });
      const look = async () => {
        seen.push((await ids(database)).length);
      };
      const numbers = await Promise.all(
        Array.from({ length: 100 }, async (_, i) => {
          await look();
          return write(i + 1);
        }),
      );
      assert.deepEqual(
        numbers.toSorted((a, b) => a - b),
        Array.from({ length: 100 }, (_, i) => i + 1),
      );
      for (const rows of seen) assert.equal(rows % 2, 1, "a reader saw one of a transaction's two rows");
      assert.equal((await ids(database)).length, 201);
    }));

  test(`${name}: a read sees only committed rows, a transaction its own`, () =>
    withStore(open, async ({ database }) => {
      await scratch(database);
      await database.transaction(async (tx) => {
        await tx.query(insert(1));
        assert.equal((await tx.query(sql`select id from scratch`)).length, 1);
        assert.deepEqual(await ids(database), []);
      });
      assert.deepEqual(await ids(database), [1], "and whoever awaited the commit sees it at once");
    }));

  test(`${name}: a hint comes after its commit, once for a topic, and never from a transaction that failed`, () =>
    withStore(open, async ({ database }) => {
      await scratch(database);
      const { promise: hinted, resolve } = Promise.withResolvers<void>();
      const topics: string[] = [];
      let committedWhenHinted = false;
      const stop = database.listen((topic) => {
        topics.push(topic);
        if (topic !== "two") return;
        void ids(database).then((found) => {
          committedWhenHinted = found.includes(2);
          resolve();
        });
      });
      await database
        .transaction(async (tx) => {
          await tx.query(insert(1));
          tx.hint("one");
          throw new Error("never mind");
        })
        .catch(() => undefined);
      await database.transaction(async (tx) => {
        tx.hint("two");
        await tx.query(insert(2));
        tx.hint("two");
        assert.deepEqual(topics, []);
      });
      await hinted;
      assert.ok(committedWhenHinted);
      assert.deepEqual(topics, ["two"]);
      stop();
      const { promise: heard, resolve: hear } = Promise.withResolvers<void>();
      database.listen((topic) => topic === "three" && hear());
      await database.transaction(async (tx) => tx.hint("three"));
      await heard;
      assert.deepEqual(topics, ["two"], "a listener that was stopped hears nothing");
    }));

  test(`${name}: what a transaction acknowledged is there after the database was opened again`, () =>
    withStore(open, async (store) => {
      await scratch(store.database);
      await store.database.transaction((tx) => tx.query(insert(7, JSON.stringify("\u0000\ud800😀"))));
      const database = await store.reopen();
      const rows = await database.query<{ id: number; body: string }>(sql`select id, body from scratch`);
      assert.deepEqual({ ...rows[0] }, { id: 7, body: '"\\u0000\\ud800😀"' });
    }));

  test(`${name}: integers to 2^53, text and null come back as they were bound, and text is never SQL`, () =>
    withStore(open, async ({ database }) => {
      await scratch(database);
      const hostile = "'); drop table scratch; -- ? $1 :x @y";
      await database.transaction((tx) => tx.query(insert(Number.MAX_SAFE_INTEGER, hostile)));
      const rows = await database.query<{ id: number; body: string; none: null }>(
        sql`select id, body, nullif(id, id) as none from scratch where body = ${hostile}`,
      );
      assert.deepEqual({ ...rows[0] }, { id: Number.MAX_SAFE_INTEGER, body: hostile, none: null });
    }));

  test(`${name}: the database's clock is ISO 8601 in UTC with milliseconds, and can be moved by seconds`, () =>
    withStore(open, async ({ database }) => {
      const { now, nowPlus } = database.dialect;
      const [row] = await database.query<{ now: string; later: string; before: string }>(
        sql`select ${now} as now, ${nowPlus(90)} as later, ${nowPlus(-24 * 3600)} as before`,
      );
      for (const text of Object.values(row!)) assert.match(text, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      assert.ok(Math.abs(Date.parse(row!.now) - Date.now()) < 5_000);
      assert.ok(Math.abs(Date.parse(row!.later) - Date.parse(row!.now) - 90_000) < 100);
      assert.ok(Math.abs(Date.parse(row!.now) - Date.parse(row!.before) - 86_400_000) < 100);
    }));

  test(`${name}: a transaction after close is refused, and close waits for those before it`, () =>
    withStore(open, async (store) => {
      const { database } = store;
      await scratch(database);
      const writes = Promise.all(
        Array.from({ length: 20 }, (_, i) => database.transaction((tx) => tx.query(insert(i)))),
      );
      const again = store.reopen();
      await writes;
      await assert.rejects(database.transaction((tx) => tx.query(insert(99))));
      assert.equal((await ids(await again)).length, 20);
    }));

  test(`${name}: migrations are applied once each, and a second start changes nothing`, () =>
    withStore(open, async (store) => {
      const before = await store.database.query(sql`select version from schema_version order by version`);
      await store.thread();
      const rows = await store.everything();
      await migrate(store.database);
      await migrate(await store.reopen());
      assert.deepEqual(
        await store.database.query(sql`select version from schema_version order by version`),
        before,
      );
      assert.ok(before.length > 0);
      assert.equal(await store.everything(), rows);
    }));

  test(`${name}: a database written by a newer crewship is refused with a sentence, and left alone`, () =>
    withStore(open, async (store) => {
      await store.database.transaction((tx) =>
        tx.query(sql`insert into schema_version (version) values (999)`),
      );
      const rows = await store.everything();
      await assert.rejects(migrate(store.database), {
        message:
          /^This database has schema 999, and this crewship knows \d+\. Upgrade crewship and start again\.$/,
      });
      assert.equal(await store.everything(), rows);
    }));
}

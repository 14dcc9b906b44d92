/** Migrations of a live database: several nodes start at once, and an index of a large table is built beside its writers. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { migrate, SCHEMA_VERSION } from "../src/store/migrate.ts";
import type { PostgresDatabase } from "../src/store/postgres.ts";
import { raw, sql } from "../src/store/sql.ts";
import { until } from "./faults/until.ts";
import { freshPostgresUrl, openPostgres } from "./fixtures/fresh_postgres.ts";

const table = "create table large (id bigint primary key, name text not null)";
const index = "create index concurrently large_by_name on large (name)";

async function opened(t: TestContext, url: string): Promise<PostgresDatabase> {
  const database = await openPostgres(url);
  t.after(() => database.close());
  return database;
}

/** A table with rows, and a transaction that has it in use: what is built concurrently waits for that one's end. */
async function inUse(t: TestContext) {
  const url = await freshPostgresUrl();
  const database = await opened(t, url);
  await migrate(database, [table]);
  await database.query(raw("insert into large select n, md5(n::text) from generate_series(1, 50000) as n"));
  const { promise: end, resolve: finish } = Promise.withResolvers<void>();
  const { promise: begun, resolve: began } = Promise.withResolvers<void>();
  // Asks now and then, as a busy transaction does; one that asks nothing for long is ended.
  const using = database.transaction(async (tx) => {
    await tx.query(sql`update large set name = 'in use' where id = 1`);
    began();
    let over = false;
    void end.then(() => {
      over = true;
    });
    while (!over) {
      await tx.query(sql`select 1`);
      await Promise.race([end, new Promise((resolve) => setTimeout(resolve, 200))]);
    }
  });
  await begun;
  return {
    url,
    database,
    finish() {
      finish();
      return using;
    },
  };
}

async function indexes(database: PostgresDatabase) {
  return database.query<{ name: string; valid: boolean }>(
    raw(
      "select indexrelid::regclass::text as name, indisvalid as valid from pg_index where indrelid = 'large'::regclass and not indisprimary",
    ),
  );
}

const building = async (database: PostgresDatabase) => (await indexes(database)).some(({ valid }) => !valid);

test("nodes that start at once over an empty database migrate it once", async (t) => {
  const url = await freshPostgresUrl();
  const nodes = await Promise.all([1, 2, 3, 4].map(() => opened(t, url)));
  await Promise.all(nodes.map((database) => migrate(database)));
  const rows = await nodes[0]!.query(raw("select version from schema_version order by version"));
  assert.deepEqual(
    rows,
    Array.from({ length: SCHEMA_VERSION }, (_, i) => ({ version: i + 1 })),
  );
});

test("while an index of a large table is built, others read and write it, and each node gets its turn", async (t) => {
  const { url, database, finish } = await inUse(t);
  const nodes = await Promise.all([opened(t, url), opened(t, url)]);
  const migrating = Promise.all(nodes.map((node) => migrate(node, [table, index])));
  await until("the index is being built", () => building(database));
  await database.query(sql`insert into large values (0, 'written meanwhile')`);
  await database.query(sql`update large set name = 'changed meanwhile' where id = 2`);
  await database.query(sql`delete from large where id = 3`);
  assert.ok(await building(database), "it waits for the transaction that has the table in use");
  await finish();
  await migrating;
  assert.deepEqual(await indexes(database), [{ name: "large_by_name", valid: true }]);
  const rows = await database.query(raw("select version from schema_version order by version"));
  assert.deepEqual(rows, [{ version: 1 }, { version: 2 }]);
});

test("an index whose building broke off is built anew by the next start", async (t) => {
  const { url, database, finish } = await inUse(t);
  const breaking = assert.rejects(migrate(await opened(t, url), [table, index]), /cannot be reached/);
  await until("the index is being built", () => building(database));
  await database.query(
    raw(
      "select pg_terminate_backend(pid) from pg_stat_activity where query like 'create index concurrently%'",
    ),
  );
  await breaking;
  assert.deepEqual(await indexes(database), [{ name: "large_by_name", valid: false }]);
  await finish();
  await migrate(database, [table, index]);
  assert.deepEqual(await indexes(database), [{ name: "large_by_name", valid: true }]);
});

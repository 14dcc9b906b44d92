/** What only the embedded database promises: one server a folder, and nothing acknowledged is lost to a kill or a full disk. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Problem } from "../src/core/problem.ts";
import { migrate } from "../src/store/migrate.ts";
import { raw, sql } from "../src/store/sql.ts";
import { DataFolderLocked, type Durability, SqliteDatabase } from "../src/store/sqlite.ts";
import { smallDisk } from "./fixtures/disk.ts";

const writer = fileURLToPath(new URL("fixtures/sqlite_writer.ts", import.meta.url));
const ROUNDS = 6;

function folderOf(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "crewship-sqlite-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Starts the writer, kills it after about `lines` acknowledgements, and returns all that it has acknowledged. */
async function writeUntilKilled(
  folder: string,
  durability: Durability,
  start: number,
  lines: number,
): Promise<number[]> {
  const child = spawn(process.execPath, [writer, folder, durability, String(start)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const acknowledged: number[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.push(Number(line));
    if (acknowledged.length === lines) child.kill("SIGKILL");
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  assert.equal(child.signalCode, "SIGKILL", "the writer ended by itself");
  return acknowledged;
}

for (const durability of ["full", "normal"] as const) {
  test(`what was acknowledged with durability ${durability} is there after kill -9, at whatever moment it came`, async (t) => {
    const folder = folderOf(t);
    const acknowledged: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const lines = 1 + Math.floor(Math.random() ** 2 * 400);
      const start = round * 1_000_000;
      acknowledged.push(...(await writeUntilKilled(folder, durability, start, lines)));
      const database = new SqliteDatabase(folder, durability);
      const rows = await database.query<{ id: number; halves: number }>(
        sql`select id, count(*) as halves from pairs group by id`,
      );
      const kept = new Map(rows.map(({ id, halves }) => [id, halves]));
      for (const id of acknowledged)
        assert.ok(kept.has(id), `transaction ${id} was acknowledged, and is lost`);
      for (const [id, halves] of kept) assert.equal(halves, 2, `transaction ${id} is there by half`);
      const [check] = await database.query<Record<string, string>>(raw("pragma integrity_check"));
      assert.deepEqual(Object.values(check!), ["ok"]);
      await database.close();
    }
    assert.ok(acknowledged.length >= ROUNDS);
  });
}

test("a data folder belongs to one server: a second one is told so, and gets it when the first has closed", async (t) => {
  const folder = folderOf(t);
  const first = new SqliteDatabase(folder, "full");
  assert.throws(
    () => new SqliteDatabase(folder, "full"),
    (error) => error instanceof DataFolderLocked && error.message.includes(folder),
  );
  const other = spawn(process.execPath, [writer, folder, "full", "0"], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  other.stderr.on("data", (chunk) => {
    said += String(chunk);
  });
  await once(other, "close");
  assert.match(said, /DataFolderLocked: Another server is using .* choose another folder with --data/);
  await first.transaction((tx) => tx.query(raw("create table still_works (id bigint)")));
  await first.close();
  const second = new SqliteDatabase(folder, "full");
  assert.deepEqual(await second.query(sql`select * from still_works`), []);
  await second.close();
});

test("a folder whose server was killed is free at once", async (t) => {
  const folder = folderOf(t);
  await writeUntilKilled(folder, "full", 0, 1);
  const database = new SqliteDatabase(folder, "full");
  await database.close();
});

test("the data folder and its files are for their owner only", async (t) => {
  const folder = join(folderOf(t), "data");
  const database = new SqliteDatabase(folder, "full");
  assert.equal(statSync(folder).mode & 0o077, 0);
  await database.close();
});

test("closing waits for what was asked before it, and leaves no write-ahead log behind", async (t) => {
  const folder = folderOf(t);
  const database = new SqliteDatabase(folder, "full");
  await migrate(database);
  const asked = Promise.all(
    Array.from({ length: 300 }, (_, i) =>
      database.transaction((tx) =>
        tx.query(
          sql`insert into nodes (node_id, machine, started_at) values (${`n${i}`}, 'm', ${tx.dialect.now})`,
        ),
      ),
    ),
  );
  await database.close();
  assert.equal((await asked).length, 300);
  assert.equal(statSync(join(folder, "crewship.db-wal"), { throwIfNoEntry: false })?.size ?? 0, 0);
  await assert.rejects(
    database.transaction(async () => undefined),
    (error) => error instanceof Problem && error.code === "unavailable",
  );
});

for (const durability of ["full", "normal"] as const) {
  test(`on a full disk a write is a 503, nothing acknowledged is lost, and it works again with space (${durability})`, async (t) => {
    const folder = smallDisk(t, 12);
    if (!folder) return;
    const ballast = join(folder, "ballast");
    writeFileSync(ballast, Buffer.alloc(5 * 1024 * 1024));
    const database = new SqliteDatabase(folder, durability);
    await database.transaction((tx) => tx.query(raw("create table rows (id bigint primary key, body text)")));
    const acknowledged: number[] = [];
    const refused: unknown[] = [];
    const write = (id: number) =>
      database
        .transaction((tx) => tx.query(sql`insert into rows (id, body) values (${id}, ${"x".repeat(3_000)})`))
        .then(
          () => acknowledged.push(id),
          (error: unknown) => refused.push(error),
        );
    let next = 0;
    while (refused.length < 40) await Promise.all(Array.from({ length: 20 }, () => write(next++)));
    assert.ok(acknowledged.length > 0);
    for (const error of refused) {
      assert.ok(error instanceof Problem, String(error));
      assert.equal(error.status, 503);
      assert.equal(error.code, "unavailable");
      assert.match(error.message, /^The disk is full\. Free some space and try again\.$/);
    }
    const ids = async () => {
      const rows = await database.query<{ id: number }>(sql`select id from rows order by id`);
      return rows.map(({ id }) => id);
    };
    assert.deepEqual(
      await ids(),
      acknowledged.toSorted((a, b) => a - b),
      "reads go on, of all that was acknowledged",
    );
    rmSync(ballast);
    const before = acknowledged.length;
    for (let i = 0; i < 20; i++) await write(next++);
    assert.equal(acknowledged.length, before + 20, "with space it works again, without a restart");
    await database.close();
    const reopened = new SqliteDatabase(folder, durability);
    const rows = await reopened.query<{ id: number }>(sql`select id from rows order by id`);
    assert.deepEqual(
      rows.map(({ id }) => id),
      acknowledged.toSorted((a, b) => a - b),
    );
    await reopened.close();
  });
}

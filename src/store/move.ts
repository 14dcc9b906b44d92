/** Moves all data of an embedded database to an empty PostgreSQL, in one transaction there. */
import { existsSync } from "node:fs";
import { Problem } from "../core/problem.ts";
import { type Database, only, type Queryable } from "./database.ts";
import { migrate } from "./migrate.ts";
import { PostgresDatabase, type PostgresSettings } from "./postgres.ts";
import { join, raw, sql } from "./sql.ts";
import { databaseFile, SqliteDatabase } from "./sqlite.ts";

/** Rows read and inserted at once, and what they may hold together. */
const ROWS = 500;
const CHARACTERS = 4 * 1024 * 1024;
/** What belongs to the database it is in: its own schema, and the servers that used it. */
const LEFT_OUT = new Set(["schema_version", "nodes"]);

type Value = string | number | Uint8Array | null;
type Row = Record<string, Value> & { place: number };

/** `rows` of `table` have been moved so far, of `total`. */
type OnMoved = (table: string, rows: number, total: number) => void;

/** Opens both databases: the folder's, which no server may use, and PostgreSQL. */
export async function openToMove(folder: string, settings: PostgresSettings) {
  if (!existsSync(databaseFile(folder)))
    throw new Problem("bad_request", {
      message: `There is no database in ${folder}. Say where it is with --data.`,
    });
  const from = new SqliteDatabase(folder, "full");
  try {
    const to = await PostgresDatabase.open(settings);
    return {
      move: (onMoved: OnMoved) => moveToPostgres(from, to, onMoved),
      async close() {
        await to.close();
        await from.close();
      },
    };
  } catch (error) {
    await from.close();
    throw error;
  }
}

/**
 * Brings both schemas up to date, then copies every table; `from` stays as it is. Resolves with the rows of each table.
 * Throws a bad_request when `to` holds anything.
 */
async function moveToPostgres(from: Database, to: Database, onMoved: OnMoved): Promise<Map<string, number>> {
  await migrate(from);
  await migrate(to);
  const tables = await tablesOf(from);
  return to.transaction(async (tx) => {
    for (const { name } of tables) {
      if ((await countOf(tx, name)) === 0) continue;
      throw new Problem("bad_request", {
        message: `That database is in use: its table ${name} holds rows. Name an empty one.`,
      });
    }
    const moved = new Map<string, number>();
    for (const { name, columns } of tables) {
      const total = await countOf(from, name);
      let rows = 0;
      for await (const page of pagesOf(from, name)) {
        await insert(tx, name, columns, page);
        rows += page.length;
        onMoved(name, rows, total);
      }
      const there = await countOf(tx, name);
      if (there !== total) throw new Error(`${name} has ${total} rows here and ${there} there`);
      moved.set(name, total);
    }
    return moved;
  });
}

/** In the order they were made, so that a table comes after those it refers to. */
async function tablesOf(from: Queryable): Promise<{ name: string; columns: string[] }[]> {
  const names = await from.query<{ name: string }>(
    sql`select name from sqlite_master where type = 'table' and name not like 'sqlite_%' order by rowid`,
  );
  const tables = [];
  for (const { name } of names) {
    if (LEFT_OUT.has(name)) continue;
    const columns = await from.query<{ name: string }>(sql`select name from pragma_table_info(${name})`);
    tables.push({ name, columns: columns.map((column) => column.name) });
  }
  return tables;
}

/** Rows in the order of their insertion: one that refers to another of its table comes after it. */
async function* pagesOf(from: Queryable, table: string): AsyncGenerator<Row[]> {
  let limit = ROWS;
  for (let place = -1; ; ) {
    const rows: Row[] = await from.query<Row>(
      sql`select rowid as place, * from ${raw(table)} where rowid > ${place} order by rowid limit ${limit}`,
    );
    if (rows.length === 0) return;
    yield rows;
    place = rows.at(-1)!.place;
    const size = rows.reduce((sum, row) => sum + sizeOf(row), 0) / rows.length;
    limit = Math.max(1, Math.min(ROWS, Math.floor(CHARACTERS / size)));
  }
}

function sizeOf(row: Row): number {
  return Object.values(row).reduce<number>(
    (sum, value) =>
      sum + (value !== null && typeof value === "object" ? value.byteLength : String(value).length),
    0,
  );
}

async function insert(tx: Queryable, table: string, columns: string[], rows: Row[]): Promise<void> {
  const list = join(
    rows.map(
      (row) =>
        sql`(${join(
          columns.map((column) => sql`${row[column]!}`),
          ", ",
        )})`,
    ),
    ", ",
  );
  await tx.query(sql`insert into ${raw(table)} (${raw(columns.join(", "))}) values ${list}`);
}

async function countOf(q: Queryable, table: string): Promise<number> {
  return Number(
    only(await q.query<{ count: number }>(sql`select count(*) as count from ${raw(table)}`)).count,
  );
}

/** Brings the schema up to date. Migrations are numbered files, applied once each, in order. */
import { readdirSync, readFileSync } from "node:fs";
import { Problem } from "../core/problem.ts";
import { type Database, first } from "./database.ts";
import { raw, type Sql, sql } from "./sql.ts";

const FOLDER = new URL("./migrations/", import.meta.url);

/** The texts of the migrations, in order. */
const ours = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".sql"))
  .sort()
  .map((name) => readFileSync(new URL(name, FOLDER), "utf8"));

/** The schema that this crewship reads and writes. */
export const SCHEMA_VERSION = ours.length;

/**
 * Each migration is one transaction, except on a shared database one that builds indexes `concurrently`: there each statement
 * stands alone and may be repeated, so that a table with millions of rows is never locked for long.
 *
 * Throws when the database was written by a newer crewship.
 */
export async function migrate(database: Database, migrations: readonly string[] = ours): Promise<void> {
  await database.exclusively(async (ask) => {
    await ask(raw("create table if not exists schema_version (version bigint not null)"));
    const row = first(
      await database.query<{ version: number | null }>(
        sql`select max(version) as version from schema_version`,
      ),
    );
    const current = row?.version ?? 0;
    if (current > migrations.length) {
      throw new Problem("bad_request", {
        message: `This database has schema ${current}, and this crewship knows ${migrations.length}. Upgrade crewship and start again.`,
      });
    }
    for (const [i, text] of migrations.entries()) {
      if (i < current) continue;
      const statements = statementsOf(database, text);
      const alone = statements.filter((statement) => /\bconcurrently\b/.test(statement));
      for (const statement of alone) await buildIndex(ask, statement);
      await database.transaction(async (tx) => {
        for (const statement of statements) if (!alone.includes(statement)) await tx.query(raw(statement));
        await tx.query(sql`insert into schema_version (version) values (${i + 1})`);
      });
    }
  });
}

function statementsOf({ dialect }: Database, text: string): string[] {
  return dialect
    .schema(text.replace(/^\s*--.*$/gm, ""))
    .split(/;\s*$/m)
    .filter((statement) => statement.trim());
}

/** What an attempt that broke off has left is no index: it is removed before the next. */
async function buildIndex(ask: (statement: Sql) => Promise<unknown>, statement: string): Promise<void> {
  const name = /create (?:unique )?index concurrently (\w+)/.exec(statement)?.[1];
  if (!name) throw new Error(`not the form of a concurrent index: ${statement}`);
  await ask(raw(`drop index concurrently if exists ${name}`));
  await ask(raw(statement));
}

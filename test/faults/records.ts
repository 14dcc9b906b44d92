/** What a server has stored, for those who look from outside: the store's own reads over a SQLite file or PostgreSQL. */
import { DatabaseSync } from "node:sqlite";
import type { Queryable } from "../../src/store/database.ts";
import { type Sql, sql } from "../../src/store/sql.ts";
import { openPostgres } from "../fixtures/fresh_postgres.ts";

export type Records = { q: Queryable; close(): Promise<void> };

/** `source` is the path of a SQLite file, or postgres://…. */
export async function openRecords(source: string): Promise<Records> {
  if (source.startsWith("postgres:")) {
    const database = await openPostgres(source);
    return { q: database, close: () => database.close() };
  }
  const database = new DatabaseSync(source, { readOnly: true });
  const q: Queryable = {
    dialect: {
      name: "sqlite",
      shared: false,
      now: sql`strftime('%Y-%m-%dT%H:%M:%fZ', 'now')`,
      nowPlus: () => {
        throw new Error("Nobody who only looks waits for a time.");
      },
      forUpdate: sql``,
      forUpdateSkipLocked: sql``,
      schema: (text) => text,
    },
    query: async <R>(statement: Sql) => {
      const { text, values } = statement.render(() => "?");
      return database.prepare(text).all(...values) as R[];
    },
  };
  return { q, close: async () => database.close() };
}

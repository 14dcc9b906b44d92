/** Brings the schema up to date. Migrations are numbered files, applied once each, in order. */
import { readdirSync, readFileSync } from "node:fs";
import { type Database, first } from "./database.ts";
import { raw, sql } from "./sql.ts";

const FOLDER = new URL("./migrations/", import.meta.url);

/** Throws when the database was written by a newer crewship. */
export async function migrate(database: Database): Promise<void> {
  const files = readdirSync(FOLDER)
    .filter((name) => name.endsWith(".sql"))
    .sort();
  await database.transaction(async (tx) => {
    const row = first(
      await tx.query<{ version: number | null }>(sql`select max(version) as version from schema_version`),
    );
    const current = row?.version ?? 0;
    if (current > files.length) {
      throw new Error(
        `This database has schema ${current}, and this crewship knows ${files.length}. Upgrade crewship and start again.`,
      );
    }
    for (const [i, name] of files.entries()) {
      if (i < current) continue;
      for (const statement of readFileSync(new URL(name, FOLDER), "utf8").split(/;\s*$/m)) {
        if (statement.replace(/^\s*--.*$/gm, "").trim()) await tx.query(raw(statement));
      }
      await tx.query(sql`insert into schema_version (version) values (${i + 1})`);
    }
  });
}

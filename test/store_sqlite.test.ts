import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Durability, SqliteDatabase } from "../src/store/sqlite.ts";
import { type Open, storeSuite } from "./suites/store.suite.ts";

function inFreshFolder(durability: Durability): Open {
  return async () => {
    const folder = mkdtempSync(join(tmpdir(), "crewship-store-"));
    let database = new SqliteDatabase(folder, durability);
    return {
      database,
      async reopen() {
        await database.close();
        database = new SqliteDatabase(folder, durability);
        return database;
      },
      async close() {
        await database.close();
        rmSync(folder, { recursive: true });
      },
    };
  };
}

storeSuite("SQLite, durability full", inFreshFolder("full"));
storeSuite("SQLite, durability normal", inFreshFolder("normal"));

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Durability, SqliteDatabase } from "../src/store/sqlite.ts";
import { type Open, storeSuite } from "./suites/store.suite.ts";

/** In memory where there is such a disk: what the contract says does not depend on how slow one is. */
const disk = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

function inFreshFolder(durability: Durability): Open {
  return async () => {
    const folder = mkdtempSync(join(disk, "crewship-store-"));
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

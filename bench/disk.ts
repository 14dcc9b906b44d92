/** How large a server's database is. */
import { copyFileSync, existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { ServerProcess } from "../test/faults/server.ts";

/** After a truncating checkpoint, of a copy, so that the server's own write-ahead log stays as it is. Nothing writes meanwhile. */
export function diskBytes(server: ServerProcess): number {
  const folder = mkdtempSync(join(server.folder, "disk-"));
  const copy = join(folder, "copy.db");
  for (const end of ["", "-wal"])
    if (existsSync(server.database + end)) copyFileSync(server.database + end, copy + end);
  const database = new DatabaseSync(copy);
  database.exec("pragma wal_checkpoint(truncate)");
  database.close();
  const { size } = statSync(copy);
  rmSync(folder, { recursive: true });
  return size;
}

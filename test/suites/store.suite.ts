/** The contract of the store. Every database passes the same suite: it adds a line in its own test file. */
import { checkpointsSuite } from "./store_checkpoints.ts";
import { databaseSuite } from "./store_database.ts";
import type { Open } from "./store_fixture.ts";
import { storeItemsSuite } from "./store_items.ts";
import { logsSuite } from "./store_logs.ts";
import { runsSuite } from "./store_runs.ts";
import { sweepSuite } from "./store_sweep.ts";
import { threadsSuite } from "./store_threads.ts";

export type { Open } from "./store_fixture.ts";

export function storeSuite(name: string, open: Open): void {
  databaseSuite(name, open);
  runsSuite(name, open);
  checkpointsSuite(name, open);
  logsSuite(name, open);
  sweepSuite(name, open);
  threadsSuite(name, open);
  storeItemsSuite(name, open);
}

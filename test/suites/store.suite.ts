/** The contract of the store. Every database passes the same suite: it adds a line in its own test file. */
import { databaseSuite } from "./store_database.ts";
import type { Open } from "./store_fixture.ts";
import { runsSuite } from "./store_runs.ts";
import { sweepSuite } from "./store_sweep.ts";

export type { Open } from "./store_fixture.ts";

export function storeSuite(name: string, open: Open): void {
  databaseSuite(name, open);
  runsSuite(name, open);
  sweepSuite(name, open);
}

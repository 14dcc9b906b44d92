/**
 * Log entries name the run that made them by its number in their own log: 2 bytes instead of the 36 of its id. Everyone
 * else speaks of ids, so SQL turns the one into the other.
 */
import { raw, type Sql, sql } from "./sql.ts";

/** The id of the run that made an entry; null for what a person changed. */
export const runIdOf = (table: "checkpoints" | "pending_writes"): Sql =>
  sql`(select runs.run_id from runs where runs.log_id = ${raw(table)}.log_id and runs.run_number = ${raw(table)}.run_number)`;

/** The number of a run in a log; null when it is a run of another, or has not begun. */
export const runNumberOf = (log_id: number, run_id: string): Sql =>
  sql`(select runs.run_number from runs where runs.log_id = ${log_id} and runs.run_id = ${run_id})`;

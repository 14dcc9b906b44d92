/** What every part of the engine works with: one node, its database and its agent processes. */
import { randomBytes } from "node:crypto";
import { logId } from "../core/ids.ts";
import type { LoadRequest, Supervisor } from "../runner/supervisor.ts";
import type { Database, Queryable, Transaction } from "../store/database.ts";
import { createLog } from "../store/logs.ts";
import type { MovedRun } from "../store/runs.ts";
import type { VersionRow } from "../store/versions.ts";
import type { Execution } from "./begin.ts";
import type { Hints } from "./hints.ts";
import type { Metrics } from "./metrics.ts";
import type { RunMemory } from "./run_memory.ts";

export type Logger = Record<"debug" | "info" | "warn" | "error", (details: object, message: string) => void>;

/** Told of what happens here, for people who look on. */
export type Watch = {
  began(execution: Execution): void;
  ended(execution: Execution): void;
  printed(execution: Execution, line: string): void;
};

export type Node = {
  node_id: string;
  /** Dev versions are folders on one machine: this node executes only those on its own. */
  machine: string;
  /** The folder of the folders in which runs leave files. */
  artifacts: string;
  /** Webhooks may lead to addresses that are not public. */
  webhookAllowPrivate: boolean;
  /** How long events are kept after their run is over, in days; null: for ever. */
  retentionDays: number | null;
  database: Database;
  supervisor: Supervisor;
  hints: Hints;
  logger: Logger;
  metrics: Metrics;
  watch: Watch;
  /** Runs whose last attempt here lost its agent process: the next one gets a process to itself. */
  lost: RunMemory;
  /** Runs claimed here, as far as is known: the answer to the commit was lost, so no agent process was given them. */
  unsure: RunMemory;
  /**
   * What an agent process of the version needs: its source and packages on this node, its environment variables. Waits for
   * them to be there, until the signal aborts. Throws a LoadError.
   */
  prepare(version: VersionRow, environment: string, signal: AbortSignal): Promise<LoadRequest>;
};

const LOG = "log:";
/** The topic on which readers of a thread log (its runs, events and state) are told to look. */
export const logTopic = (log_id: number): string => `${LOG}${log_id}`;
/** The log whose topic it is, undefined for any other topic. */
export function hintedLog(topic: string): number | undefined {
  return topic.startsWith(LOG) ? Number(topic.slice(LOG.length)) : undefined;
}
/** The topic on which readers of lists are told that a thread is gone: which one, its log cannot say any more. */
export const DELETED_TOPIC = "deleted";
/** The topic on which nodes are told that a run waits to be claimed. */
export const PENDING_TOPIC = "pending";
/** The topic on which nodes are told that a webhook's delivery is owed. */
export const DELIVERIES_TOPIC = "deliveries";
/** The topic on which nodes are told that a schedule has other due times. */
export const SCHEDULES_TOPIC = "schedules";

/** Every node hears at once that a run was canceled; the one that executes it stops its agent. */
const CANCELED = "canceled:";
export const canceledTopic = (run_id: string): string => `${CANCELED}${run_id}`;
/** The run whose cancel the topic tells of, undefined for any other topic. */
export function canceledRun(topic: string): string | undefined {
  return topic.startsWith(CANCELED) ? topic.slice(CANCELED.length) : undefined;
}

/** Tells whoever waits for what a run's move made possible: its readers, the next run of its thread, deliveries. */
export function hintMoved(tx: Transaction, { log_id, queued, owed }: MovedRun): void {
  tx.hint(logTopic(log_id));
  if (queued) tx.hint(PENDING_TOPIC);
  if (owed) tx.hint(DELIVERIES_TOPIC);
}

/** Makes a new, empty log under a fresh id. */
export async function newLog(tx: Queryable): Promise<number> {
  for (;;) {
    const log_id = logId(Date.now(), randomBytes(2));
    if (await createLog(tx, log_id)) return log_id;
  }
}

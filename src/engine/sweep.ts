/** The node's housekeeping: runs whose holder is gone, threads past their time, and entries nothing needs any more. */
import { RENEW_MS } from "../core/lease.ts";
import { sweepBlob } from "../store/blobs.ts";
import { sweepDeliveries } from "../store/deliveries.ts";
import { forgetOldAnswers } from "../store/idempotency.ts";
import { mergeItems } from "../store/items.ts";
import { expiredLeases, lockExpiredLease } from "../store/leases.ts";
import { lockFreeLog } from "../store/logs.ts";
import { forgetOldNodes } from "../store/nodes.ts";
import { sweepOldRun } from "../store/retention.ts";
import { forgetOldSessions } from "../store/sessions.ts";
import { sweepStoreItems } from "../store/store_items.ts";
import { sweepAbandonedLog, sweepDrop, sweepItems } from "../store/sweep.ts";
import { expiredThreads } from "../store/threads.ts";
import { sweepArtifacts } from "./artifacts.ts";
import { deleteThread } from "./delete_thread.ts";
import { giveBack } from "./give_back.ts";
import type { Node } from "./node.ts";
import { isUnavailable, logFailure } from "./outage.ts";
import { keepLatest } from "./prune.ts";
import { after, type Worker } from "./worker.ts";

const LEASE_SWEEP_MS = 1_000;
const HOUSEKEEPING_MS = 30_000;
/** A database that was away was so for other nodes too: they go first, to renew what ran out meanwhile. */
const AFTER_OUTAGE_MS = RENEW_MS;
/** Steps of one housekeeping round; what is left waits for the next. */
const MAX_STEPS = 100;

/**
 * Gives back the runs of nodes that are gone, not before a time by performance.now(). `all`: no other node exists, so every
 * held lease is one. Runs that `worker` still executes are its own: a machine that slept has let their leases run out, and
 * renews them now.
 */
export async function recoverRuns(node: Node, all = false, worker?: Worker, notBefore = 0): Promise<number> {
  const leases = (await expiredLeases(node.database, all)).filter((lease) => !worker?.holds(lease));
  if (performance.now() < notBefore) return 0;
  for (const lease of leases) {
    const reason = "The server that executed the run is gone, and this agent cannot be continued by another.";
    const seated = lease.node_id !== node.node_id || !node.unsure.has(lease.run_id);
    try {
      // A log that somebody holds now is looked at again in the next round: it must not keep the others waiting.
      await node.database.transaction(async (tx) => {
        if ((await lockFreeLog(tx, lease.log_id)) && (await lockExpiredLease(tx, lease, all)))
          await giveBack(tx, lease, reason, "node", { progressed: false, seated });
      });
    } catch (error) {
      logFailure(node.logger, error, "could not take a run back", { run_id: lease.run_id });
    }
  }
  return leases.length;
}

/** Sweeps until the signal aborts. */
export async function sweep(node: Node, worker: Worker, signal: AbortSignal): Promise<void> {
  const { logger } = node;
  let away = false;
  let recoverFrom = 0;
  let housekeepingDue = performance.now() + HOUSEKEEPING_MS;
  while (!signal.aborted) {
    await after(LEASE_SWEEP_MS, signal);
    if (signal.aborted) return;
    try {
      const recovered = await recoverRuns(node, false, worker, recoverFrom);
      if (away) logger.warn({}, "the database can be used again");
      away = false;
      if (recovered > 0) logger.warn({ recovered }, "took runs back from a node that is gone");
      if (performance.now() >= housekeepingDue) {
        await keepHouse(node);
        housekeepingDue = performance.now() + HOUSEKEEPING_MS;
      }
    } catch (error) {
      recoverFrom = performance.now() + AFTER_OUTAGE_MS;
      if (isUnavailable(error)) {
        if (!away)
          logger.error({ error: (error as Error).message }, "the database cannot be used: trying on");
        away = true;
      } else logger.error({ error: String(error) }, "a sweep failed; the next one tries again");
    }
  }
}

/** One round of what can wait. */
export async function keepHouse(node: Node, abandoned_s?: number): Promise<void> {
  const { database } = node;
  for (const thread of await expiredThreads(database, MAX_STEPS)) {
    if (thread.ttl_strategy === "keep_latest") await keepLatest(node, thread);
    else await deleteThread(node, thread, 60 * (thread.ttl_minutes ?? 0));
  }
  const days = node.retentionDays;
  for (let i = 0; days !== null && i < MAX_STEPS; i++) {
    if (!(await database.transaction((tx) => sweepOldRun(tx, days)))) break;
  }
  for (let i = 0; i < MAX_STEPS; i++) {
    if (!(await database.transaction((tx) => sweepAbandonedLog(tx, abandoned_s)))) break;
  }
  for (let i = 0; i < MAX_STEPS; i++) if (!(await database.transaction(sweepDrop))) break;
  for (let i = 0; i < MAX_STEPS; i++) if (!(await database.transaction(sweepItems))) break;
  for (let i = 0; i < MAX_STEPS; i++) if (!(await database.transaction(mergeItems))) break;
  for (let i = 0; i < MAX_STEPS; i++) if (!(await database.transaction(sweepDeliveries))) break;
  for (let i = 0; i < MAX_STEPS; i++) if (!(await database.transaction(sweepStoreItems))) break;
  await database.transaction(forgetOldAnswers);
  await database.transaction(forgetOldSessions);
  await database.transaction((tx) => forgetOldNodes(tx, node.node_id));
  await sweepArtifacts(node);
  for (let i = 0; i < MAX_STEPS; i++) if (!(await database.transaction((tx) => sweepBlob(tx)))) break;
}

/** What becomes of a run whose agent process or node is gone: continued by a new attempt, or failed as worker_lost. */
import { type Lease, type Loss, MAX_ATTEMPTS_WITHOUT_PROGRESS } from "../core/lease.ts";
import type { Transaction } from "../store/database.ts";
import { getVersion } from "../store/deployments.ts";
import { revokeLease } from "../store/leases.ts";
import { clearHiddenLog } from "../store/logs.ts";
import { advance, findRun, noteProgress } from "../store/runs.ts";
import { failure } from "./commit.ts";
import { logTopic, PENDING_TOPIC } from "./node.ts";

/**
 * Gives the run of a lease back to the queue, or fails it when it has been lost too often. Changes nothing when the
 * lease is no longer held.
 */
export async function giveBack(tx: Transaction, lease: Lease, reason: string, loss: Loss): Promise<void> {
  const run = await findRun(tx, lease.run_id);
  const version = run && (await getVersion(tx, run.version_id));
  if (!run || !version) return;
  if (mayTryAgain(run, version, loss)) {
    if (!(await advance(tx, "requeue", lease, { lease }))) return;
    if (loss === "drain") await noteProgress(tx, lease.log_id, lease.run_id);
    await revokeLease(tx, lease.log_id, lease.run_id);
    tx.hint(PENDING_TOPIC);
  } else {
    const ending = failure({ code: "worker_lost", message: reason });
    const moved = await advance(tx, "fail", lease, { lease, ending });
    if (moved?.thread_id === null) await clearHiddenLog(tx, lease.log_id);
  }
  tx.hint(logTopic(lease.log_id));
}

/** LangGraph continues from its checkpoints; anything else is repeated only as often as its version says. */
function mayTryAgain(
  run: { attempt: number; fruitless_attempts: number },
  version: { framework: string; runner: string },
  loss: Loss,
): boolean {
  if (version.framework.startsWith("langgraph")) {
    return run.fruitless_attempts < MAX_ATTEMPTS_WITHOUT_PROGRESS[loss];
  }
  const { retry } = JSON.parse(version.runner) as { retry: number };
  return run.attempt <= retry;
}

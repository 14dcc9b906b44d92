/** What becomes of a run whose agent process or node is gone: continued by a new attempt, or failed as worker_lost. */
import { type Lease, type Loss, MAX_LOST_NODES, MAX_LOST_PROCESSES } from "../core/lease.ts";
import type { Transaction } from "../store/database.ts";
import { revokeLease } from "../store/leases.ts";
import { clearHiddenLog } from "../store/logs.ts";
import { advance, findRun, noteLoss } from "../store/runs.ts";
import { getVersion } from "../store/versions.ts";
import { failure } from "./commit.ts";
import { hintMoved, logTopic, PENDING_TOPIC } from "./node.ts";

/**
 * Gives the run of a lease back to the queue, or fails it when it has been lost too often. Changes nothing when the
 * lease is no longer held. What is known of the attempt: one that committed a checkpoint does not count; one that no
 * agent process was given has done nothing that a repeat could do twice.
 */
export async function giveBack(
  tx: Transaction,
  lease: Lease,
  reason: string,
  loss: Loss,
  attempt: { progressed: boolean; seated: boolean } = { progressed: false, seated: true },
): Promise<void> {
  const counts = attempt.progressed ? undefined : loss;
  const lost = { processes: counts === "process" ? 1 : 0, nodes: counts === "node" ? 1 : 0 };
  const run = await findRun(tx, lease.run_id);
  const version = run && (await getVersion(tx, run.version_id));
  if (!run || !version) return;
  if (mayTryAgain(run, version, lost, attempt.seated)) {
    if (!(await advance(tx, "requeue", lease, { lease }))) return;
    await noteLoss(tx, lease.log_id, lease.run_id, lost);
    await revokeLease(tx, lease.log_id, lease.run_id);
    tx.hint(PENDING_TOPIC);
    tx.hint(logTopic(lease.log_id));
  } else {
    const ending = failure({ code: "worker_lost", message: reason });
    const moved = await advance(tx, "fail", lease, { lease, ending });
    if (moved?.thread_id === null) await clearHiddenLog(tx, lease.log_id);
    if (moved) hintMoved(tx, moved);
  }
}

/** LangGraph continues from its checkpoints; anything else is repeated only as often as its version says. */
function mayTryAgain(
  run: { attempt: number; lost_processes: number; lost_nodes: number },
  version: { framework: string; runner: string },
  lost: { processes: number; nodes: number },
  seated: boolean,
): boolean {
  if (version.framework.startsWith("langgraph") || !seated) {
    return (
      run.lost_processes + lost.processes < MAX_LOST_PROCESSES && run.lost_nodes + lost.nodes < MAX_LOST_NODES
    );
  }
  const { retry } = JSON.parse(version.runner) as { retry: number };
  return run.attempt <= retry;
}

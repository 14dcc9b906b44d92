/** Cancels runs: the move first, so the thread is free at once; then the agent process is told. */
import { isOver, type RunStatus } from "../core/moves.ts";
import { Problem } from "../core/problem.ts";
import type { Transaction } from "../store/database.ts";
import { changeLog, clearHiddenLog, dropPositions } from "../store/logs.ts";
import { headWaits } from "../store/questions.ts";
import { positionsOfRun } from "../store/ranges.ts";
import { advance, findRun, hideRun, type RunRow } from "../store/runs.ts";
import { touchThread } from "../store/threads.ts";
import { canceledTopic, hintMoved, logTopic, type Node } from "./node.ts";

/** `cancel` keeps the checkpoints the run has committed, `rollback` drops them. Throws for a run that is over. */
export async function cancel(
  node: Node,
  run: Pick<RunRow, "log_id" | "run_id">,
  action: "cancel" | "rollback",
): Promise<void> {
  await changeLog(node.database, run.log_id, async (tx) => {
    if (await cancelIn(tx, run, action)) return;
    const status: RunStatus | undefined = (await findRun(tx, run.run_id))?.status;
    if (status === undefined || !isOver(status))
      throw new Problem("not_found", { what: "run", id: run.run_id });
    throw new Problem("bad_request", { message: `Cannot cancel run with status: ${status}` });
  });
}

/** A run that nobody finds any more; what it left is hidden, but from copies made before. A live one is canceled first. */
export async function forget(node: Node, run: Pick<RunRow, "log_id" | "run_id">): Promise<void> {
  await changeLog(node.database, run.log_id, async (tx) => {
    if (!(await cancelIn(tx, run, "rollback"))) {
      const range = await positionsOfRun(tx, run.log_id, run.run_id);
      if (range) await dropPositions(tx, run.log_id, [range]);
    }
    await hideRun(tx, run);
    tx.hint(logTopic(run.log_id));
  });
}

/** The cancel as part of a larger transaction; false when the run is over already. */
export async function cancelIn(
  tx: Transaction,
  run: { log_id: number; run_id: string },
  action: "cancel" | "rollback",
): Promise<boolean> {
  const moved = await advance(tx, "cancel", run, {
    ending: { data: ({ completed_at }) => ({ canceled_at: completed_at }) },
  });
  if (!moved) return false;
  if (action === "rollback") {
    const range = await positionsOfRun(tx, run.log_id, run.run_id);
    if (range) await dropPositions(tx, run.log_id, [range]);
  }
  // The question that the run was to answer is open again.
  if (!moved.queued && (await headWaits(tx, run.log_id))) await touchThread(tx, run.log_id, "interrupted");
  if (moved.thread_id === null) await clearHiddenLog(tx, run.log_id);
  tx.hint(canceledTopic(run.run_id));
  hintMoved(tx, moved);
  return true;
}

/** Prunes threads: deletes them, or shortens their history. Copies keep what they need either way. */
import { Problem } from "../core/problem.ts";
import { changeLog, dropPositions, openView } from "../store/logs.ts";
import { type Keep, pruneRanges } from "../store/ranges.ts";
import { findThread, type ThreadRow, touchThread } from "../store/threads.ts";
import { deleteThread } from "./delete_thread.ts";
import { logTopic, type Node } from "./node.ts";

export type PruneOrder = {
  ids: string[];
  strategy: "delete" | "keep_latest";
  /** With keep_latest: the newest runs whose checkpoints stay. */
  keep_last?: number;
  /** With keep_latest: only older checkpoints go. With delete: only threads whose last change is longer ago. */
  older_than_s?: number;
};

/**
 * How many of the threads were pruned. Busy ones keep their history: they are skipped, as are unknown ids. Throws a 400
 * for an order that says nothing.
 */
export async function prune(
  node: Node,
  order: PruneOrder,
  allowed: (deployment_id: string | null) => boolean,
): Promise<number> {
  const { strategy, keep_last, older_than_s } = order;
  if (strategy === "delete" && keep_last !== undefined) {
    throw new Problem("bad_request", { message: 'body.keep_last: only the strategy "keep_latest" has it.' });
  }
  let pruned = 0;
  for (const thread_id of new Set(order.ids)) {
    const thread = await findThread(node.database, thread_id);
    if (!thread || !allowed(thread.deployment_id)) continue;
    if (strategy === "delete") {
      if (await deleteThread(node, thread, older_than_s)) pruned++;
    } else if (await keepLatest(node, thread, { last: keep_last, younger_than_s: older_than_s })) pruned++;
  }
  return pruned;
}

/** Hides all but the newest checkpoint of each namespace and what `keep` names, with the writes left on them. */
export async function keepLatest(
  node: Node,
  { thread_id, log_id }: Pick<ThreadRow, "thread_id" | "log_id">,
  keep: Keep = {},
): Promise<boolean> {
  return changeLog(node.database, log_id, async (tx) => {
    const thread = await findThread(tx, thread_id);
    if (thread?.log_id !== log_id || thread.status === "busy") return false;
    const view = await openView(tx, thread.log_id);
    await dropPositions(tx, thread.log_id, await pruneRanges(tx, view, keep));
    // The time to live counts from here again, so the next sweep does not find the thread once more.
    await touchThread(tx, thread.log_id, thread.status);
    tx.hint(logTopic(thread.log_id));
    return true;
  });
}

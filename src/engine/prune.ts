/** Prunes threads: deletes them, or keeps only their newest checkpoint. Copies keep what they need either way. */

import { dropPositions, openView } from "../store/logs.ts";
import { pruneRanges } from "../store/ranges.ts";
import { findThread, touchThread } from "../store/threads.ts";
import { deleteThread } from "./delete_thread.ts";
import { logTopic, type Node } from "./node.ts";
import type { Worker } from "./worker.ts";

export type PruneOrder = { ids: string[]; strategy: "delete" | "keep_latest" };

/** How many of the threads were pruned. Busy ones keep their history: they are skipped, as are unknown ids. */
export async function prune(
  node: Node,
  worker: Worker,
  order: PruneOrder,
  allowed: (deployment_id: string | null) => boolean,
): Promise<number> {
  let pruned = 0;
  for (const thread_id of new Set(order.ids)) {
    const thread = await findThread(node.database, thread_id);
    if (!thread || !allowed(thread.deployment_id)) continue;
    if (order.strategy === "delete") {
      await deleteThread(node, worker, thread);
      pruned++;
    } else if (await keepLatest(node, thread_id)) pruned++;
  }
  return pruned;
}

/** Hides all but the newest checkpoint of each namespace, with the writes left on it. */
export async function keepLatest(node: Node, thread_id: string): Promise<boolean> {
  return node.database.transaction(async (tx) => {
    const thread = await findThread(tx, thread_id);
    if (!thread || thread.status === "busy") return false;
    const view = await openView(tx, thread.log_id);
    await dropPositions(tx, thread.log_id, await pruneRanges(tx, view));
    // The time to live counts from here again, so the next sweep does not find the thread once more.
    await touchThread(tx, thread.log_id, thread.status);
    tx.hint(logTopic(thread.log_id));
    return true;
  });
}

/** Deletes threads: a running run is canceled first, the name goes at once, the log is swept later. */

import { abandonLog, changeLog } from "../store/logs.ts";
import { liveRun } from "../store/queue.ts";
import { deleteThreadRow, findThread, isUnchanged, type ThreadRow } from "../store/threads.ts";
import { cancelIn } from "./cancel.ts";
import { DELETED_TOPIC, logTopic, type Node } from "./node.ts";

/** `unchanged_s`: only a thread at rest whose last change is longer ago. False: it stays. */
export async function deleteThread(node: Node, thread: ThreadRow, unchanged_s?: number): Promise<boolean> {
  return changeLog(node.database, thread.log_id, async (tx) => {
    // Another has deleted it meanwhile, and perhaps made one of the same name.
    if ((await findThread(tx, thread.thread_id))?.log_id !== thread.log_id) return false;
    if (unchanged_s !== undefined && !(await isUnchanged(tx, thread.thread_id, unchanged_s))) return false;
    for (let live = await liveRun(tx, thread.log_id); live; live = await liveRun(tx, thread.log_id)) {
      await cancelIn(tx, { log_id: thread.log_id, run_id: live.run_id }, "cancel");
    }
    await deleteThreadRow(tx, thread.thread_id);
    await abandonLog(tx, thread.log_id);
    tx.hint(logTopic(thread.log_id));
    tx.hint(DELETED_TOPIC);
    return true;
  });
}

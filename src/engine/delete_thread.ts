/** Deletes threads: a running run is canceled first, the name goes at once, the log is swept later. */

import { abandonLog } from "../store/logs.ts";
import { liveRun } from "../store/queue.ts";
import { deleteThreadRow, type ThreadRow } from "../store/threads.ts";
import { cancelIn } from "./cancel.ts";
import { logTopic, type Node } from "./node.ts";
import type { Worker } from "./worker.ts";

export async function deleteThread(node: Node, worker: Worker, thread: ThreadRow): Promise<void> {
  const canceled: string[] = [];
  await node.database.transaction(async (tx) => {
    canceled.length = 0;
    for (let live = await liveRun(tx, thread.log_id); live; live = await liveRun(tx, thread.log_id)) {
      await cancelIn(tx, { log_id: thread.log_id, run_id: live.run_id }, "cancel");
      canceled.push(live.run_id);
    }
    await deleteThreadRow(tx, thread.thread_id);
    await abandonLog(tx, thread.log_id);
    tx.hint(logTopic(thread.log_id));
  });
  for (const run_id of canceled) worker.stop(run_id);
}

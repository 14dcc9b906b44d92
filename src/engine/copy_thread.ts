/** Copies threads: a second name for a position in the log, so it costs the same whatever the thread's length. */
import { randomBytes } from "node:crypto";
import { logId, prefixedId } from "../core/ids.ts";
import type { Json, JsonObject } from "../core/json.ts";
import type { Thread } from "../core/thread.ts";
import { type CheckpointRow, readHead, rootCheckpointsBetween } from "../store/checkpoints.ts";
import type { Transaction } from "../store/database.ts";
import type { Attempt } from "../store/idempotency.ts";
import { branchLog, branchPoint, dropPositions, lockLog, openView, type View } from "../store/logs.ts";
import { headWaits } from "../store/questions.ts";
import { createThread, showThread, type ThreadRow } from "../store/threads.ts";
import { lastWriteOf } from "../store/writes.ts";
import { findCheckpointOf } from "./find_checkpoint.ts";
import { logTopic, type Node } from "./node.ts";
import { once } from "./once.ts";

/** A new thread with the source's state and history, up to `checkpoint_id` when one is named. */
export async function copyThread(
  node: Node,
  source: ThreadRow,
  order: { checkpoint_id?: string; metadata?: JsonObject; thread_id?: string },
  attempt: Attempt | undefined,
): Promise<Thread> {
  const answer = await node.database.transaction((tx) =>
    once(tx, attempt, async () => {
      await lockLog(tx, source.log_id);
      const log_id =
        order.checkpoint_id === undefined
          ? await branchHere(tx, source.log_id)
          : await branchAt(tx, await findCheckpointOf(tx, source.log_id, order.checkpoint_id));
      const row = await createThread(tx, {
        thread_id: order.thread_id ?? prefixedId("thr", randomBytes(12)),
        log_id,
        deployment_id: source.deployment_id,
        status: (await headWaits(tx, log_id)) ? "interrupted" : "idle",
        metadata: order.metadata ?? (JSON.parse(source.metadata) as JsonObject),
        initial_values: source.initial_values === null ? null : (JSON.parse(source.initial_values) as Json),
        copied_from: source.thread_id,
        ttl: null,
      });
      tx.hint(logTopic(log_id));
      return (await showThread(tx, row!)) as unknown as Json;
    }),
  );
  return answer as unknown as Thread;
}

/** A branch of everything committed. One that has written nothing is skipped: its parent serves as well. */
async function branchHere(tx: Transaction, log_id: number): Promise<number> {
  const { view, log, head } = await readHead(tx, log_id);
  return branch(tx, view, log.next_position - 1, head?.position ?? null);
}

/** A branch that ends with one checkpoint and the writes its own run left on it. */
async function branchAt(tx: Transaction, { view, row }: { view: View; row: CheckpointRow }): Promise<number> {
  const last = Math.max(row.position, await lastWriteOf(tx, view, row));
  const log_id = await branch(tx, view, last, row.position);
  // States after the checkpoint are not part of the copy; those of its own subgraphs are, its writes rest on them.
  const later = last > row.position ? await rootCheckpointsBetween(tx, view, row.position, last) : [];
  // A drop made after the branch does not reach the copy by itself; what was hidden must not come back by copying.
  const dropped = view.hidden.filter(({ from_position }) => from_position <= last);
  const { hidden } = await openView(tx, log_id);
  const known = new Set(hidden.map(({ from_position, to_position }) => `${from_position} ${to_position}`));
  await dropPositions(tx, log_id, [
    ...later.map((position) => ({ from: position, to: position })),
    ...dropped
      .filter(({ from_position, to_position }) => !known.has(`${from_position} ${to_position}`))
      .map(({ from_position, to_position }) => ({ from: from_position, to: Math.min(to_position, last) })),
  ]);
  return log_id;
}

async function branch(
  tx: Transaction,
  view: View,
  position: number,
  head_position: number | null,
): Promise<number> {
  const point = branchPoint(view, position);
  // A sweep looks there for who else sees what it removes.
  await lockLog(tx, point.parent_log_id);
  for (;;) {
    const log_id = logId(Date.now(), randomBytes(2));
    if (await branchLog(tx, { log_id, ...point, head_position })) return log_id;
  }
}

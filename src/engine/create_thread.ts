/** Creates threads: a name, a log, and nothing else; no process is started for it. */
import { randomBytes } from "node:crypto";
import { escapeTags } from "../core/encoding.ts";
import { prefixedId } from "../core/ids.ts";
import type { Json, JsonObject } from "../core/json.ts";
import { Problem } from "../core/problem.ts";
import type { Thread, Ttl } from "../core/thread.ts";
import { deploymentExists } from "../store/deployments.ts";
import type { Attempt } from "../store/idempotency.ts";
import { findThread, createThread as insertThread, showThread } from "../store/threads.ts";
import { logTopic, type Node, newLog } from "./node.ts";
import { once } from "./once.ts";

export type ThreadOrder = {
  /** null: its first run decides. */
  deployment_id: string | null;
  thread_id?: string;
  metadata?: JsonObject;
  values?: JsonObject;
  if_exists?: "raise" | "do_nothing";
  ttl?: Ttl;
};

/** `created` is false when the thread existed and the order said that is fine. */
export async function createThread(
  node: Node,
  order: ThreadOrder,
  attempt: Attempt | undefined,
): Promise<{ thread: Thread; created: boolean }> {
  const answer = await node.database.transaction((tx) =>
    once(tx, attempt, async () => {
      if (order.deployment_id !== null && !(await deploymentExists(tx, order.deployment_id))) {
        throw new Problem("not_found", { what: "deployment", id: order.deployment_id });
      }
      const thread_id = order.thread_id ?? prefixedId("thr", randomBytes(12));
      const existing = order.thread_id === undefined ? undefined : await findThread(tx, thread_id);
      if (existing) {
        // A foreign thread's existence is told to nobody who could not have made it.
        if (order.if_exists !== "do_nothing") throw new Problem("thread_exists", { thread_id });
        if (order.deployment_id !== null && existing.deployment_id !== order.deployment_id) {
          throw new Problem("wrong_deployment", { thread_id });
        }
        return { thread: await showThread(tx, existing), created: false } as unknown as Json;
      }
      const log_id = await newLog(tx);
      const row = await insertThread(tx, {
        thread_id,
        log_id,
        deployment_id: order.deployment_id,
        status: "idle",
        metadata: order.metadata ?? {},
        initial_values: order.values === undefined ? null : escapeTags(order.values),
        copied_from: null,
        ttl: order.ttl ?? null,
      });
      if (!row) throw new Problem("thread_exists", { thread_id });
      tx.hint(logTopic(log_id));
      return { thread: await showThread(tx, row), created: true } as unknown as Json;
    }),
  );
  return answer as unknown as { thread: Thread; created: boolean };
}

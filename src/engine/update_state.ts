/**
 * POST state: a person changes a thread's values. For LangGraph an agent process computes the update, since reducers
 * and next nodes are the graph's; it is committed only if the thread has not moved meanwhile.
 */

import { v6 as uuidv6 } from "uuid";
import type { Checkpoint } from "../core/checkpoint.ts";
import { escapedFields, escapeTags } from "../core/encoding.ts";
import type { Json, JsonObject } from "../core/json.ts";
import { Problem } from "../core/problem.ts";
import { appendEntries } from "../store/append.ts";
import { type CheckpointRow, channelValues, readHead } from "../store/checkpoints.ts";
import type { Transaction } from "../store/database.ts";
import { type Attempt, earlierAnswer } from "../store/idempotency.ts";
import { lockLog, openView, readLog, type View } from "../store/logs.ts";
import { liveRun } from "../store/queue.ts";
import { showCheckpoints } from "../store/states.ts";
import { findThread, type ThreadRow, touchThread } from "../store/threads.ts";
import { activeVersion } from "../store/versions.ts";
import { computeUpdate, type Said, type StateOrder } from "./compute_update.ts";
import { findCheckpointOf } from "./find_checkpoint.ts";
import { logTopic, type Node } from "./node.ts";
import { once } from "./once.ts";

export async function updateState(
  node: Node,
  thread: ThreadRow,
  order: StateOrder,
  attempt: Attempt | undefined,
): Promise<Checkpoint> {
  const earlier = attempt && (await earlierAnswer(node.database, attempt));
  if (earlier !== undefined) return earlier as unknown as Checkpoint;
  await refuseBusy(node.database, thread);
  const { view, log: before, head } = await readHead(node.database, thread.log_id);
  const base =
    order.checkpoint_id === undefined
      ? head
      : (await findCheckpointOf(node.database, thread.log_id, order.checkpoint_id)).row;
  const version = await activeVersion(node.database, thread.deployment_id ?? "", "production");
  if (!version) throw new Problem("no_version", { environment: "production" });
  const said = version.framework.startsWith("langgraph")
    ? await computeUpdate(node, { thread, version, view, head, order })
    : [await replaceKeys(node, thread, view, base, order)];
  const answer = await node.database.transaction((tx) =>
    once(tx, attempt, async () => {
      await lockLog(tx, thread.log_id);
      await refuseBusy(tx, thread);
      const fresh = await openView(tx, thread.log_id);
      const now = await readLog(tx, thread.log_id);
      const changed =
        now.head_position !== (head?.position ?? null) ||
        now.next_item !== before.next_item ||
        (base !== undefined && !fresh.shows(base.position));
      if (changed) throw new Problem("thread_changed", { thread_id: thread.thread_id });
      return (await store(tx, thread, fresh, said)) as unknown as Json;
    }),
  );
  return answer as unknown as Checkpoint;
}

async function refuseBusy(q: Pick<Transaction, "query" | "dialect">, thread: ThreadRow): Promise<void> {
  const current = await findThread(q, thread.thread_id);
  if (current?.log_id !== thread.log_id)
    throw new Problem("not_found", { what: "thread", id: thread.thread_id });
  if (current.status !== "busy") return;
  const live = await liveRun(q, thread.log_id);
  throw new Problem("thread_busy", { thread_id: thread.thread_id, run_id: live?.run_id ?? null });
}

/** Without a graph: top-level keys are replaced, null removes one. */
async function replaceKeys(
  node: Node,
  thread: ThreadRow,
  view: View,
  base: CheckpointRow | undefined,
  order: StateOrder,
): Promise<Said> {
  const initial = escapedFields(
    thread.initial_values === null ? {} : (JSON.parse(thread.initial_values) as JsonObject),
  );
  // The first checkpoint takes the thread's initial values with it.
  const before: Record<string, Json> = base ? await valuesAt(node, view, base) : initial;
  const changed = escapedFields(escapeTags(order.values ?? {}) as JsonObject);
  const removed = Object.keys(changed).filter((key) => changed[key] === null);
  const channels = Object.fromEntries(
    Object.entries(base ? changed : { ...initial, ...changed }).filter(([, value]) => value !== null),
  );
  const keys = [...new Set([...Object.keys(before), ...Object.keys(channels)])].filter(
    (key) => !removed.includes(key),
  );
  const step = (base?.step ?? -1) + 1;
  return {
    type: "checkpoint",
    run_id: "",
    n: 1,
    namespace: "",
    checkpoint_id: uuidv6(),
    parent_checkpoint_id: base?.checkpoint_id ?? null,
    step,
    source: "update",
    channels,
    removed,
    state: {},
    metadata: { source: "update", step },
    shown: { keys, next: [], tasks: [] },
  };
}

async function valuesAt(node: Node, view: View, row: CheckpointRow): Promise<Record<string, Json>> {
  const valueAt = await channelValues(node.database, view, [row]);
  return Object.fromEntries(
    Object.entries(row.channels).map(([key, position]) => [key, valueAt(position, key)]),
  );
}

async function store(tx: Transaction, thread: ThreadRow, view: View, said: Said[]): Promise<Checkpoint> {
  await appendEntries(tx, view, said, { run_number: null });
  const { view: fresh, head: row } = await readHead(tx, thread.log_id);
  if (!row) throw new Problem("node_unknown", { message: "The graph made no checkpoint of this update." });
  await touchThread(
    tx,
    thread.log_id,
    thread.status === "interrupted" && row.shown?.next.length ? "interrupted" : "idle",
  );
  tx.hint(logTopic(thread.log_id));
  const [checkpoint] = await showCheckpoints(tx, fresh, thread.thread_id, [row]);
  return checkpoint!;
}

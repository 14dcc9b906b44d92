/**
 * Has an agent process compute a person's update: the graph's own reducers decide. What it would store is collected,
 * not stored.
 */
import { randomBytes } from "node:crypto";
import { escapeTags } from "../core/encoding.ts";
import { prefixedId } from "../core/ids.ts";
import type { Json, JsonObject } from "../core/json.ts";
import { Problem } from "../core/problem.ts";
import { AgentLost, LoadError } from "../runner/errors.ts";
import type { RunnerMessageOf, RunStart } from "../runner/protocol.ts";
import type { AgentRun } from "../runner/run.ts";
import type { Slot } from "../runner/supervisor.ts";
import type { CheckpointRow } from "../store/checkpoints.ts";
import { readLog, type View } from "../store/logs.ts";
import type { ThreadRow } from "../store/threads.ts";
import type { VersionRow } from "../store/versions.ts";
import { answerRead } from "./answer_read.ts";
import type { Node } from "./node.ts";
import { StoreAccess } from "./store_access.ts";

/** How long an agent may take to compute an update. */
const UPDATE_TIMEOUT_MS = 60_000;

export type StateOrder = { values: JsonObject | null; as_node?: string; checkpoint_id?: string };
export type Said = RunnerMessageOf<"checkpoint" | "writes">;
export type Update = {
  thread: ThreadRow;
  version: VersionRow;
  view: View;
  head: CheckpointRow | undefined;
  order: StateOrder;
};

export async function computeUpdate(node: Node, update: Update): Promise<Said[]> {
  const { thread, version, view, order } = update;
  const signal = AbortSignal.timeout(UPDATE_TIMEOUT_MS);
  const slot = await takeSlot(node, thread.log_id, version, signal);
  try {
    const values = order.values === null ? null : escapeTags(order.values);
    const run = slot.update(await updateStart(node, update), values, order.as_node ?? null, signal);
    const said: Said[] = [];
    for await (const message of run) {
      if (message.type === "read") await answerRead(node.database, view, run, message);
      else if (message.type === "store") await answerStore(node, version, run, message);
      else if (message.type === "checkpoint" || message.type === "writes") {
        said.push(message);
        run.ack(message.n);
      } else if (message.type === "done" && message.outcome !== "succeeded") {
        throw new Problem("node_unknown", {
          message: message.error?.message ?? "The graph refused the update.",
        });
      }
    }
    return said;
  } catch (error) {
    if (error instanceof AgentLost || signal.aborted) {
      throw new Problem(
        "unavailable",
        { message: "The agent did not compute the update. Try again." },
        { cause: error },
      );
    }
    throw error;
  } finally {
    slot.release();
  }
}

/** An update is computed, and may yet be refused: it can read the store, not write it. */
async function answerStore(
  node: Node,
  version: VersionRow,
  run: AgentRun,
  { request_id, operations }: RunnerMessageOf<"store">,
): Promise<void> {
  try {
    if (operations.some(({ op }) => op === "put"))
      throw new Problem("bad_request", {
        message: "An update of the state can read the store, not write it.",
      });
    const { results } = await new StoreAccess(version).read(node.database, operations);
    run.stored(request_id, { results });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    run.stored(request_id, { error: { message: error.message } });
  }
}

/** A seat in a process of the version, in what it serves production with. */
export async function takeSlot(
  node: Node,
  log_id: number,
  version: VersionRow,
  signal: AbortSignal,
): Promise<Slot> {
  try {
    const prepared = await node.prepare(version, "production", signal);
    return await node.supervisor.acquire({ ...prepared, log_id, alone: false });
  } catch (error) {
    if (error instanceof LoadError) throw new Problem("agent_unavailable", { message: error.message });
    if (!signal.aborted) throw error;
    throw new Problem("unavailable", { message: "The agent is not ready yet. Try again." }, { cause: error });
  }
}

async function updateStart(node: Node, { thread, version, head, order }: Update): Promise<RunStart> {
  const { next_item } = await readLog(node.database, thread.log_id);
  const initial = head ? null : thread.initial_values;
  return {
    run_id: prefixedId("upd", randomBytes(12)),
    thread_id: thread.thread_id,
    log_id: thread.log_id,
    next_item,
    head: head ? { checkpoint_id: head.checkpoint_id, position: head.position } : null,
    checkpoint_id: order.checkpoint_id ?? null,
    attempt: 1,
    initial_values: initial === null ? null : (JSON.parse(initial) as Json),
    input: null,
    command: null,
    config: null,
    metadata: {},
    interrupt_before: null,
    interrupt_after: null,
    stream_tokens: false,
    stream_events: false,
    deployment_id: version.deployment_id,
    version_id: version.version_id,
    artifacts: null,
  };
}

/**
 * Accepts runs: decides by the thread's one row who may run, makes room as the run's strategy says, and claims the run
 * in the same commit when it can.
 */
import { randomBytes } from "node:crypto";
import { escapeTags } from "../core/encoding.ts";
import { runId } from "../core/ids.ts";
import type { Json } from "../core/json.ts";
import { Problem } from "../core/problem.ts";
import type { AcceptedRun, LangGraphRequest, MultitaskStrategy, RunRequest } from "../core/run.ts";
import type { Transaction } from "../store/database.ts";
import type { Attempt } from "../store/idempotency.ts";
import { lockLog } from "../store/logs.ts";
import { liveRun } from "../store/queue.ts";
import { createRun, hideRun } from "../store/runs.ts";
import { bindThread, occupyThread, type ThreadRow } from "../store/threads.ts";
import { activeVersion, type VersionRow } from "../store/versions.ts";
import { begin, type Execution } from "./begin.ts";
import { cancelIn } from "./cancel.ts";
import { checkAnswer, checkForm, checkNodes } from "./check_command.ts";
import { findCheckpointOf } from "./find_checkpoint.ts";
import { logTopic, type Node, newLog, PENDING_TOPIC } from "./node.ts";
import { once } from "./once.ts";
import { checkReceiver } from "./receivers.ts";
import type { Worker } from "./worker.ts";

export type RunOrder = {
  /** null: a stateless run. */
  thread: ThreadRow | null;
  deployment_id: string;
  request: RunRequest;
  attempt: Attempt | undefined;
  langgraph?: LangGraphRequest;
};

/**
 * Stores the run, and claims it for this node when it is its turn and there is a free place. Resolves once that is
 * durable. Throws thread_busy, no_version, not_found, interrupt_not_waiting or a 400, having changed nothing.
 */
export async function accept(node: Node, worker: Worker, order: RunOrder): Promise<AcceptedRun> {
  await checkNodes(node, order);
  if (order.request.webhook !== undefined) {
    await checkReceiver(order.request.webhook, node.webhookAllowPrivate);
  }
  const place = worker.reserve();
  let claimed: Execution | undefined;
  let started = false;
  try {
    return await node.database.transaction(async (tx) => {
      claimed = undefined;
      const answer = await once(tx, order.attempt, async () => {
        const run = await store(tx, node, order);
        if (
          place &&
          (run.version.machine ?? node.machine) === node.machine &&
          !worker.isSettling(run.log_id)
        ) {
          claimed = await begin(tx, node, run);
        }
        if (!claimed) {
          tx.hint(PENDING_TOPIC);
          tx.hint(logTopic(run.log_id));
        }
        const accepted: AcceptedRun = {
          run_id: run.run_id,
          ...(order.thread ? { thread_id: order.thread.thread_id } : {}),
          version_id: run.version.version_id,
          version_number: run.version.number,
          status: claimed ? "running" : "pending",
        };
        return accepted as unknown as Json;
      });
      const execution = claimed;
      // The agent's part and the flush of the disk go on side by side: nobody is told of the run before that.
      if (execution)
        tx.onCommit(() => {
          started = true;
          worker.start(execution);
        });
      return answer as unknown as AcceptedRun;
    });
  } finally {
    if (place && !started) worker.release(claimed);
  }
}

type StoredRun = {
  log_id: number;
  run_id: string;
  version: VersionRow;
};

async function store(tx: Transaction, node: Node, order: RunOrder): Promise<StoredRun> {
  const environment = order.request.environment ?? "production";
  const version = await activeVersion(tx, order.deployment_id, environment);
  if (version?.status !== "ready") throw new Problem("no_version", { environment });
  checkForm(order.request, version.framework);
  if (order.thread) await lockLog(tx, order.thread.log_id);
  if (order.thread) await bind(tx, order.thread, order);
  const strategy = order.request.multitask_strategy ?? "reject";
  const { log_id, queued } = order.thread
    ? await occupy(tx, order.thread, strategy, order.langgraph !== undefined)
    : { log_id: await newLog(tx), queued: false };
  if (order.request.checkpoint_id !== undefined) {
    await findCheckpointOf(tx, log_id, order.request.checkpoint_id);
  }
  // What a run in the queue finds to answer is known when its turn comes.
  if (order.thread && !queued) await checkAnswer(tx, order.thread, order.request);
  const run_id = runId(Date.now(), log_id, randomBytes(8));
  await createRun(tx, {
    log_id,
    run_id,
    thread_id: order.thread?.thread_id ?? null,
    deployment_id: order.deployment_id,
    version_id: version.version_id,
    environment,
    request: escaped(order.request),
    langgraph: order.langgraph ?? null,
  });
  node.logger.debug({ run_id, log_id }, "accepted a run");
  return {
    log_id,
    run_id,
    version,
  };
}

/** A thread that has no deployment yet is from now on this one's. */
async function bind(
  tx: Transaction,
  { thread_id, deployment_id }: ThreadRow,
  order: RunOrder,
): Promise<void> {
  if (deployment_id === order.deployment_id) return;
  if (deployment_id === null && (await bindThread(tx, thread_id, order.deployment_id))) return;
  throw new Problem("wrong_deployment", { thread_id });
}

/** Makes the thread busy for one more run. `queued`: others come before it. */
async function occupy(
  tx: Transaction,
  { thread_id, log_id }: ThreadRow,
  strategy: MultitaskStrategy,
  forgets: boolean,
): Promise<{ log_id: number; queued: boolean }> {
  for (;;) {
    if (await occupyThread(tx, log_id)) return { log_id, queued: false };
    const live = await liveRun(tx, log_id);
    if (!live) throw new Problem("not_found", { what: "thread", id: thread_id });
    if (strategy === "reject") throw new Problem("thread_busy", { thread_id, run_id: live.run_id });
    if (strategy === "enqueue") return { log_id, queued: true };
    const action = strategy === "rollback" ? "rollback" : "cancel";
    await cancelIn(tx, { log_id, run_id: live.run_id }, action);
    // To LangGraph's clients a run that was rolled back has never been.
    if (forgets && action === "rollback") await hideRun(tx, { log_id, run_id: live.run_id });
  }
}

/** What a client sends is data, whatever tags it contains. */
function escaped(request: RunRequest): RunRequest {
  const { input, command, config } = request;
  return {
    ...request,
    ...(input === undefined ? {} : { input: escapeTags(input) }),
    ...(command === undefined
      ? {}
      : { command: escapeTags(command as Json) as NonNullable<RunRequest["command"]> }),
    ...(config === undefined ? {} : { config: escapeTags(config) as NonNullable<RunRequest["config"]> }),
  };
}

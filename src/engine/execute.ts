/**
 * Executes one run this node holds: gives it to an agent process and turns what comes back into stored facts. The
 * only place where an agent's output becomes one. While a commit is under way, what arrives waits for the next.
 */
import { existsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { isObject, type Json } from "../core/json.ts";
import { Problem } from "../core/problem.ts";
import { AgentLost, LoadError } from "../runner/errors.ts";
import type { RunnerMessageOf, RunStart } from "../runner/protocol.ts";
import type { AgentRun, RunMessage } from "../runner/run.ts";
import type { Slot } from "../runner/supervisor.ts";
import { findCheckpoint, readHead } from "../store/checkpoints.ts";
import type { Transaction } from "../store/database.ts";
import { appendEvents, LeaseLost } from "../store/events.ts";
import { RunInput } from "../store/inputs.ts";
import { hasBatch } from "../store/leases.ts";
import { changeLog, type View } from "../store/logs.ts";
import { newestBranch } from "../store/questions.ts";
import { readRequest } from "../store/runs.ts";
import { findThread } from "../store/threads.ts";
import { agentVersion } from "./agent_version.ts";
import { answerRead } from "./answer_read.ts";
import { artifactFolder, gather, gatherLeft, removeFolder } from "./artifacts.ts";
import type { Execution } from "./begin.ts";
import { refusedStart } from "./check_command.ts";
import { end, type Fact, failure, hasCheckpoint, storeDone, storeFacts } from "./commit.ts";
import { giveBack } from "./give_back.ts";
import type { Node } from "./node.ts";
import { outlast } from "./outage.ts";
import { StoreAccess } from "./store_access.ts";

/** Messages that may share one transaction. */
const MAX_BATCH = 500;
/** How long a later attempt waits for an agent that cannot be loaded now, and how often it asks. */
const PATIENCE_MS = 10_000;
const ASK_AGAIN_MS = 100;

/** Runs it to its end. `signal` aborts when the run was canceled, timed out, or its lease lost: nothing more is stored. */
export async function execute(node: Node, execution: Execution, signal: AbortSignal): Promise<void> {
  let slot: Slot | undefined;
  try {
    slot = await takeSlot(node, execution, signal);
    const { start, view } = await outlast(signal, () => prepareStart(node, execution));
    // A later attempt has begun already, and may have used up what it answers.
    const refused =
      start.attempt === 1
        ? await outlast(signal, () => refusedStart(node.database, start, start))
        : undefined;
    if (refused) {
      await store(node, execution, signal, (tx) => end(tx, execution, "fail", failure(refused)));
      return;
    }
    execution.seated = true;
    await follow(node, execution, view, slot.run(start, signal), signal);
  } catch (error) {
    if (signal.aborted || error instanceof LeaseLost) return;
    await conclude(node, execution, error, signal);
  } finally {
    slot?.release();
    if (execution.seated) await gatherRest(node, execution.lease.run_id);
  }
}

/** What the run wrote if it did not end by itself. What fails here is tried again by the sweep. */
async function gatherRest(node: Node, run_id: string): Promise<void> {
  try {
    if (existsSync(artifactFolder(node, run_id))) await gatherLeft(node, run_id);
  } catch (error) {
    node.logger.error({ run_id, error: reasonOf(error) }, "could not take in a run's files");
  }
}

/**
 * A seat for the run. An agent whose process has just died is left alone for a moment, and whoever asks is told that
 * it cannot be loaded; a run whose earlier attempt that process took down waits the moment out.
 */
async function takeSlot(node: Node, { lease, run, version }: Execution, signal: AbortSignal): Promise<Slot> {
  const alone = node.lost.take(lease.run_id);
  const patientUntil = performance.now() + (lease.attempt > 1 ? PATIENCE_MS : 0);
  for (;;) {
    try {
      const prepared = await outlast(signal, () => node.prepare(version, run.environment, signal));
      return await node.supervisor.acquire({ ...prepared, log_id: lease.log_id, alone });
    } catch (error) {
      if (!(error instanceof LoadError) || performance.now() > patientUntil) throw error;
      await delay(ASK_AGAIN_MS, undefined, { signal });
    }
  }
}

/** Everything an agent process needs to begin, or go on with, a run; and what the run sees of its thread. */
async function prepareStart(node: Node, execution: Execution): Promise<{ start: RunStart; view: View }> {
  const { lease, run, version } = execution;
  const { database } = node;
  const { langgraph, ...request } = await readRequest(database, lease.log_id, lease.run_id);
  execution.tells_subgraphs = langgraph?.stream_subgraphs ?? false;
  execution.input = new RunInput(execution.run_number, request.input);
  const { view, log, head } = await readHead(database, lease.log_id);
  const thread = run.thread_id === null || head ? undefined : await findThread(database, run.thread_id);
  const initial = thread?.initial_values ?? null;
  const start: RunStart = {
    run_id: lease.run_id,
    thread_id: run.thread_id,
    log_id: lease.log_id,
    next_item: log.next_item,
    head: head ? { checkpoint_id: head.checkpoint_id, position: head.position } : null,
    ...request,
    attempt: lease.attempt,
    initial_values: initial === null ? null : (JSON.parse(initial) as Json),
    metadata: JSON.parse(run.metadata) as Json,
    stream_tokens: agentVersion(version).runner.stream_tokens,
    stream_events: langgraph?.stream_mode.includes("events") ?? false,
    deployment_id: version.deployment_id,
    version_id: version.version_id,
    artifacts: artifactFolder(node, lease.run_id),
  };
  return { start, view: await branchOf(node, start, { view, log, head }) };
}

/**
 * What the run sees of its thread. Where it answers a question that was answered before, LangGraph would take the old
 * answer, which stands there: the run sees the question as it was asked.
 */
async function branchOf(
  { database }: Node,
  start: RunStart,
  { view, log, head }: Awaited<ReturnType<typeof readHead>>,
): Promise<View> {
  const { run_id } = start;
  const resume = isObject(start.command) ? start.command.resume : undefined;
  if (start.checkpoint_id !== null && resume !== undefined) {
    // An attempt that made no checkpoint is as if it had not been: what it left would be taken for this one's.
    const begins_after = head?.run_id === run_id ? 0 : log.next_position - 1;
    const asked = await findCheckpoint(database, view, "", start.checkpoint_id);
    const folds = Object.keys(asked?.shown?.values ?? {}).length > 0;
    const next = { run_id, resume, begins_after, folds };
    return newestBranch(database, view, start.checkpoint_id, next);
  }
  const checkpoint_id = start.checkpoint_id ?? head?.checkpoint_id;
  return checkpoint_id === undefined ? view : newestBranch(database, view, checkpoint_id);
}

/** Stores the run's messages batch by batch until its last one. */
async function follow(
  node: Node,
  execution: Execution,
  view: View,
  run: AgentRun,
  signal: AbortSignal,
): Promise<void> {
  const messages = run[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await messages.next();
      if (next.done) throw new Error("the agent's messages ended without a last one");
      const batch = [next.value, ...run.takeReady(MAX_BATCH - 1)];
      if (await storeBatch(node, execution, view, run, batch, signal)) return;
    }
  } catch (error) {
    await messages.return?.();
    throw error;
  } finally {
    // The thread's next run waits here until the framework's call has returned or its process was ended.
    await run.ended;
  }
}

/**
 * Makes one commit for the run, once, however often it has to be asked for. The agent waits with it: a database that is
 * away for a moment costs a run nothing, unless another node has taken it over by then.
 */
async function store(
  node: Node,
  execution: Execution,
  signal: AbortSignal,
  body: (tx: Transaction) => Promise<void>,
): Promise<void> {
  const { database, metrics } = node;
  const { lease } = execution;
  const began = performance.now();
  execution.batch++;
  await outlast(signal, (again) =>
    changeLog(database, lease.log_id, async (tx) => {
      // Asked behind the lock: the earlier commit, if it is still under way, holds it.
      if (again && (await hasBatch(tx, lease, execution.batch))) return;
      await body(tx);
    }),
  );
  metrics.committed((performance.now() - began) / 1000);
}

/** Stores a batch in as few commits as its reads allow; true when it held the run's end. */
async function storeBatch(
  node: Node,
  execution: Execution,
  view: View,
  run: AgentRun,
  batch: RunMessage[],
  signal: AbortSignal,
): Promise<boolean> {
  let facts: Fact[] = [];
  for (const message of batch) {
    if (message.type === "read") {
      // A read sees all that was said before it.
      await storeSome(facts);
      facts = [];
      await outlast(signal, () => answerRead(node.database, view, run, message));
    } else if (message.type === "store") {
      await storeSome(facts);
      facts = [];
      await answerStore(message);
    } else if (message.type === "done") {
      const left = await gather(node, execution.lease.run_id);
      await store(node, execution, signal, async (tx) => {
        await storeDone(tx, execution, view, { facts, left, done: message });
      });
      if (left) await removeFolder(node, execution.lease.run_id);
      tellStored(node, execution, facts);
      return true;
    } else facts.push(message);
  }
  await storeSome(facts);
  return false;

  async function answerStore({ request_id, operations }: RunnerMessageOf<"store">): Promise<void> {
    const access = new StoreAccess(execution.version);
    try {
      const { results, writes } = await outlast(signal, () => access.read(node.database, operations));
      if (writes) {
        await store(node, execution, signal, async (tx) => {
          // Of no events: the lease is asked.
          await appendEvents(tx, execution, []);
          await writes(tx);
        });
      }
      run.stored(request_id, { results });
    } catch (error) {
      if (!(error instanceof Problem) || error.status >= 500) throw error;
      run.stored(request_id, { error: { message: error.message } });
    }
  }

  async function storeSome(some: Fact[]): Promise<void> {
    if (some.length === 0) return;
    await store(node, execution, signal, (tx) => storeFacts(tx, execution, view, some));
    execution.progressed ||= hasCheckpoint(some);
    tellStored(node, execution, some);
    const last = some.findLast((fact) => fact.type !== "event");
    if (last) run.ack(last.n);
  }
}

function tellStored(node: Node, execution: Execution, facts: Fact[]): void {
  for (const fact of facts) {
    if (fact.type !== "event") continue;
    node.metrics.eventsStored(fact.events.length);
    for (const { type, data } of fact.events) {
      if (type === "log" && isObject(data)) node.watch.printed(execution, String(data.message ?? ""));
    }
  }
}

/** The run did not end by itself: the agent could not be loaded, its process is gone, or the store refused. */
async function conclude(
  node: Node,
  execution: Execution,
  error: unknown,
  signal: AbortSignal,
): Promise<void> {
  const { lease } = execution;
  if (error instanceof AgentLost) node.lost.add(lease.run_id);
  try {
    await store(node, execution, signal, async (tx) => {
      if (error instanceof LoadError) {
        const { message, traceback } = error.error;
        const code = error.error.code ?? "load_failed";
        await end(tx, execution, "fail", failure({ code, message, ...(traceback ? { traceback } : {}) }));
      } else await giveBack(tx, lease, reasonOf(error), "process", execution);
    });
    node.logger.warn(
      { run_id: lease.run_id, attempt: lease.attempt, error: reasonOf(error) },
      "an attempt ended early",
    );
  } catch (failed) {
    // The lease runs out, and the sweep decides as soon as the database can be written.
    if (!signal.aborted && !(failed instanceof LeaseLost)) {
      node.logger.error(
        { run_id: lease.run_id, error: reasonOf(error), failed: reasonOf(failed) },
        "could not end a run",
      );
    }
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { stderr } = error as { stderr?: string };
  return stderr ? `${error.message} It last printed: ${stderr.trim().slice(-1000)}` : error.message;
}

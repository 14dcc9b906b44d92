/** Turns what an agent process said into stored facts. Every call is inside one transaction, under the lease. */
import { CHECKPOINT_EVENT, type Event, isReserved } from "../core/event.ts";
import type { Json, JsonObject } from "../core/json.ts";
import type { RunError } from "../core/run.ts";
import type { RunnerMessageOf } from "../runner/protocol.ts";
import { appendEntries, type Entry } from "../store/append.ts";
import { addArtifacts } from "../store/artifacts.ts";
import { readHead, repeatCheckpoint } from "../store/checkpoints.ts";
import type { Transaction } from "../store/database.ts";
import { appendEvents, LeaseLost } from "../store/events.ts";
import { clearHiddenLog, type View } from "../store/logs.ts";
import { openQuestions } from "../store/questions.ts";
import { advance, type Ending, findRun, type MovedRun, noteProgress, readRequest } from "../store/runs.ts";
import { artifactEvents, type Gathered } from "./artifacts.ts";
import type { Execution } from "./begin.ts";
import { hintMoved, logTopic } from "./node.ts";

export type Fact = RunnerMessageOf<"event" | "checkpoint" | "writes">;

/** Stores events, checkpoints and pending writes in the order they were said. Throws LeaseLost. */
export async function storeFacts(
  tx: Transaction,
  execution: Execution,
  view: View,
  facts: Fact[],
): Promise<void> {
  const { lease, run, run_number, input } = execution;
  await appendEvents(
    tx,
    execution,
    facts.flatMap((fact) => eventsOf(fact, execution)),
  );
  const entries = entriesOf(facts);
  if (entries.length > 0) await appendEntries(tx, view, entries, { run_number, input });
  // Nothing was lost before the first attempt.
  if (run.attempt > 1 && !execution.progressed && hasCheckpoint(facts))
    await noteProgress(tx, lease.log_id, lease.run_id);
  tx.hint(logTopic(lease.log_id));
}

export function hasCheckpoint(facts: Fact[]): boolean {
  return facts.some((fact) => fact.type === "checkpoint");
}

/** What of the facts goes to the thread's log: checkpoints, writes, and the items that events refer to. */
function entriesOf(facts: Fact[]): Entry[] {
  return facts.flatMap((fact): Entry[] => {
    if (fact.type !== "event") return [fact];
    return fact.items ? [{ type: "items", items: fact.items }] : [];
  });
}

function eventsOf(fact: Fact, { tells_subgraphs }: Execution): Event[] {
  if (fact.type === "event") return fact.events.filter((event) => !isReserved(event.type));
  if (fact.type === "writes") return [];
  if (fact.namespace !== "") {
    const { checkpoint_id, namespace } = fact;
    return tells_subgraphs ? [{ type: CHECKPOINT_EVENT, data: { checkpoint_id, namespace } }] : [];
  }
  const visible = fact.shown?.keys;
  const keys = Object.keys(fact.channels).filter((key) => visible?.includes(key) ?? true);
  // A step that changed nothing visible is no news.
  return keys.length === 0
    ? []
    : [{ type: "state.updated", data: { checkpoint_id: fact.checkpoint_id, keys } }];
}

/**
 * The run's last commit: what its agent said since the one before (`facts`), the files it left, and how it ended, with
 * all events in one row. Throws LeaseLost when the run is no longer ours to end.
 */
export async function storeDone(
  tx: Transaction,
  execution: Execution,
  view: View,
  said: { facts: Fact[]; left: Gathered | undefined; done: RunnerMessageOf<"done"> },
): Promise<void> {
  const { lease, run, run_number, input } = execution;
  const { facts, left, done } = said;
  const entries = entriesOf(facts);
  if (done.items) entries.push({ type: "items", items: done.items });
  if (entries.length > 0 || left) await appendEntries(tx, view, entries, { run_number, input, lease });
  if (left) await addArtifacts(tx, lease, left.files);
  const output = done.output ?? null;
  const about = {
    before: [...facts.flatMap((fact) => eventsOf(fact, execution)), ...(left ? artifactEvents(left) : [])],
    ...(done.metadata && { metadata: await mergeMetadata(tx, lease.run_id, done.metadata) }),
  };
  if (done.outcome === "succeeded") {
    const ending = {
      ...about,
      output,
      data: (moved: MovedRun) => ({ duration_ms: durationMs(moved), result: output }),
    };
    return end(tx, execution, "succeed", ending);
  }
  if (done.outcome === "interrupted" && run.thread_id !== null) {
    await stand(tx, execution, view);
    const interrupts = await openQuestions(tx, lease.log_id);
    return end(tx, execution, "interrupt", { ...about, output, data: () => ({ interrupts }) });
  }
  const error: RunError =
    done.outcome === "failed"
      ? { code: "agent_error", ...(done.error ?? { message: "The agent failed without saying why." }) }
      : done.outcome === "interrupted"
        ? {
            code: "needs_thread",
            message:
              "The agent asked a question, and a run without a thread cannot be answered. Start it in a thread.",
          }
        : { code: "agent_error", message: "The agent stopped by itself before it was done." };
  return end(tx, execution, "fail", { ...about, ...failure(error) });
}

/** A run that stopped where it started, at an older checkpoint, made none: the thread stands there now. */
async function stand(tx: Transaction, { lease, run_number }: Execution, view: View): Promise<void> {
  const { checkpoint_id } = await readRequest(tx, lease.log_id, lease.run_id);
  const { head } = await readHead(tx, lease.log_id);
  if (checkpoint_id === null || head?.run_id === lease.run_id || head?.checkpoint_id === checkpoint_id)
    return;
  await repeatCheckpoint(tx, view, checkpoint_id, run_number);
}

/** What the agent says of its run (a crew's token usage) stands beside what the caller said. */
async function mergeMetadata(tx: Transaction, run_id: string, said: JsonObject): Promise<JsonObject> {
  const run = await findRun(tx, run_id);
  return { ...(JSON.parse(run?.metadata ?? "{}") as JsonObject), ...said };
}

/** How a run fails: its row keeps the error, its last event tells it. */
export function failure(error: RunError): Ending {
  const { code, message, traceback } = error;
  return { error, data: () => ({ error: message, code, ...(traceback === undefined ? {} : { traceback }) }) };
}

/** Makes the run's last move under its lease, and sweeps the hidden log of a run that had no thread. */
export async function end(
  tx: Transaction,
  execution: Execution,
  move: "succeed" | "fail" | "interrupt",
  ending: Ending,
): Promise<void> {
  const { lease } = execution;
  const moved = await advance(tx, move, lease, { lease, ending });
  if (!moved) throw new LeaseLost(lease);
  if (moved.thread_id === null) await clearHiddenLog(tx, lease.log_id);
  hintMoved(tx, moved);
}

function durationMs(run: MovedRun): Json {
  return Date.parse(run.completed_at ?? "") - Date.parse(run.started_at ?? "");
}

/** Runs what is due: each due time once, whichever node comes first, and all the times that were missed as one. */
import { Problem } from "../core/problem.ts";
import type { Schedule, ScheduleError } from "../core/schedule.ts";
import { findCron } from "../store/crons.ts";
import { findRun } from "../store/runs.ts";
import { claimSchedules, type DueSchedule, nextScheduleMs, settleSchedule } from "../store/schedules.ts";
import { SLOW_TIMER_MS } from "./hints.ts";
import { nextDue } from "./next_due.ts";
import { type Node, SCHEDULES_TOPIC } from "./node.ts";
import { logFailure } from "./outage.ts";
import { runSchedule } from "./schedules.ts";
import type { Worker } from "./worker.ts";

const AT_ONCE = 8;

/** Runs schedules until the signal aborts. */
export async function runSchedules(node: Node, worker: Worker, signal: AbortSignal): Promise<void> {
  const { database, hints, logger } = node;
  while (!signal.aborted) {
    const wait = hints.wait(SCHEDULES_TOPIC, signal);
    let dueMs: number | undefined;
    try {
      dueMs = await nextScheduleMs(database);
      if (dueMs !== undefined && dueMs <= 0) {
        const due = await database.transaction((tx) => claimSchedules(tx, AT_ONCE));
        await Promise.all(due.map((one) => runDue(node, worker, one)));
      }
    } catch (error) {
      dueMs = undefined;
      logFailure(logger, error, "could not look for due schedules");
    }
    const timer =
      dueMs === undefined ? undefined : setTimeout(wait.end, Math.max(0, Math.min(dueMs, SLOW_TIMER_MS)));
    await wait.over;
    clearTimeout(timer);
  }
}

/** Resolves however it goes: what nobody foresaw is tried again when the claim has run out. */
async function runDue(node: Node, worker: Worker, due: DueSchedule): Promise<void> {
  const { schedule, due_at, now } = due;
  const { schedule_id } = schedule;
  try {
    const next_due_at = await withinTerms(node, schedule_id, nextDue(schedule, now));
    const outcome = await startRun(node, worker, schedule, due_at);
    if ("error" in outcome) node.logger.warn({ schedule_id, ...outcome }, "a schedule could not start a run");
    await node.database.transaction((tx) =>
      settleSchedule(tx, schedule_id, { due_at, next_due_at }, outcome),
    );
  } catch (error) {
    node.logger.error({ schedule_id, due_at, error: String(error) }, "could not run a schedule");
  }
}

/** A cron ends at a time; one that has ended is paused. */
async function withinTerms(node: Node, schedule_id: string, due: string | null): Promise<string | null> {
  const end_time = (await findCron(node.database, schedule_id))?.end_time ?? null;
  return due !== null && end_time !== null && due > end_time ? null : due;
}

async function startRun(
  node: Node,
  worker: Worker,
  schedule: Schedule,
  due_at: string,
): Promise<{ run_id: string } | { error: ScheduleError }> {
  const { schedule_id, last_run_id } = schedule;
  // Else a schedule that comes faster than its runs go would fill the queue for ever.
  const last = last_run_id === null ? undefined : await findRun(node.database, last_run_id);
  if (last?.status === "pending") return { run_id: last.run_id };
  // The due time alone says which run it is, so that a node that died before it could store what it did leaves no second.
  const attempt = { key_id: "schedule", path: schedule_id, idempotency_key: due_at, body_hash: "" };
  try {
    return { run_id: (await runSchedule(node, worker, schedule, attempt)).run_id };
  } catch (error) {
    if (!(error instanceof Problem) || error.status >= 500) throw error;
    return { error: { code: error.code, message: error.message } };
  }
}

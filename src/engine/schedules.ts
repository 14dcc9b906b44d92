/** What is done with a schedule by hand: it is made, changed, and run out of turn. */
import { randomBytes } from "node:crypto";
import { v7 as uuidv7 } from "uuid";
import { prefixedId } from "../core/ids.ts";
import type { Json, JsonObject } from "../core/json.ts";
import { Problem } from "../core/problem.ts";
import type { AcceptedRun } from "../core/run.ts";
import type { NewSchedule, Schedule, SchedulePatch } from "../core/schedule.ts";
import { type Cron, type CronTerms, findCron, putCron } from "../store/crons.ts";
import type { Queryable, Transaction } from "../store/database.ts";
import { deploymentExists } from "../store/deployments.ts";
import type { Attempt } from "../store/idempotency.ts";
import {
  createSchedule,
  lockSchedule,
  readClock,
  type ScheduleSettings,
  updateSchedule,
} from "../store/schedules.ts";
import { findThread, type ThreadRow } from "../store/threads.ts";
import { accept } from "./accept.ts";
import { createThread } from "./create_thread.ts";
import { firstDue } from "./next_due.ts";
import { type Node, SCHEDULES_TOPIC } from "./node.ts";
import { once } from "./once.ts";
import type { Worker } from "./worker.ts";

/** `allowed` says which deployments the caller reaches. Throws a 400 or 404, having made nothing. */
export async function makeSchedule(
  node: Node,
  order: NewSchedule,
  allowed: (deployment_id: string | null) => boolean,
  attempt: Attempt | undefined,
  terms?: CronTerms,
): Promise<Schedule> {
  const answer = await node.database.transaction((tx) =>
    once(tx, attempt, async () => {
      const { thread_id = null, cron, timezone = "UTC", enabled = true } = order;
      const deployment_id = await deploymentOf(tx, order, allowed);
      const due = firstDue({ cron, timezone }, await readClock(tx));
      tx.hint(SCHEDULES_TOPIC);
      const made = await createSchedule(tx, {
        schedule_id: prefixedId("sch", randomBytes(12)),
        deployment_id,
        thread_id,
        name: order.name ?? null,
        cron,
        timezone,
        input: order.input ?? null,
        environment: order.environment ?? "production",
        multitask_strategy: strategyOf(thread_id, order.multitask_strategy) ?? null,
        config: order.config ?? null,
        metadata: order.metadata ?? {},
        next_due_at: enabled ? due : null,
      });
      if (terms) await putCron(tx, made.schedule_id, terms);
      return made as unknown as Json;
    }),
  );
  return answer as unknown as Schedule;
}

async function deploymentOf(
  q: Queryable,
  { deployment_id, thread_id }: NewSchedule,
  allowed: (deployment_id: string | null) => boolean,
): Promise<string> {
  if (deployment_id === undefined && thread_id === undefined) {
    throw new Problem("bad_request", { message: 'body needs "deployment_id" or "thread_id".' });
  }
  if (
    deployment_id !== undefined &&
    !(allowed(deployment_id) && (await deploymentExists(q, deployment_id)))
  ) {
    throw new Problem("not_found", { what: "deployment", id: deployment_id });
  }
  if (thread_id === undefined) return deployment_id!;
  const found = (await findThread(q, thread_id))?.deployment_id ?? null;
  if (found === null || !allowed(found) || (deployment_id !== undefined && deployment_id !== found)) {
    const what = deployment_id === undefined ? "thread" : "thread of this deployment";
    throw new Problem("not_found", { what, id: thread_id });
  }
  return found;
}

function strategyOf(
  thread_id: string | null,
  strategy: NewSchedule["multitask_strategy"],
): NewSchedule["multitask_strategy"] {
  if (thread_id !== null) return strategy ?? "enqueue";
  if (strategy === undefined) return undefined;
  throw new Problem("bad_request", {
    message: "body.multitask_strategy: without a thread_id no run finds a busy thread.",
  });
}

/** Undefined: there is no such schedule any more. Throws a 400, having changed nothing. */
export function changeSchedule(
  node: Node,
  schedule_id: string,
  patch: SchedulePatch,
  terms?: CronTerms,
): Promise<Schedule | undefined> {
  return node.database.transaction(async (tx) => {
    const before = await lockSchedule(tx, schedule_id);
    if (!before) return undefined;
    if (patch.multitask_strategy !== undefined) strategyOf(before.thread_id, patch.multitask_strategy);
    const settings: ScheduleSettings & Pick<Schedule, "enabled"> = {
      ...before,
      ...patch,
      metadata: merged(before.metadata, patch.metadata),
    };
    if (terms) await putCron(tx, schedule_id, terms);
    return updateSchedule(tx, schedule_id, {
      ...settings,
      next_due_at: await dueAfterChange(tx, before, settings),
    });
  });
}

function merged(metadata: JsonObject, change: JsonObject = {}): JsonObject {
  return Object.fromEntries(Object.entries({ ...metadata, ...change }).filter(([, value]) => value !== null));
}

/** Also a paused schedule's line is checked: it would be found out only when it is resumed. */
async function dueAfterChange(
  tx: Transaction,
  before: Schedule,
  after: Pick<Schedule, "cron" | "timezone" | "enabled">,
): Promise<string | null> {
  const moved = after.cron !== before.cron || after.timezone !== before.timezone;
  if (!moved && after.enabled === before.enabled) return before.next_due_at;
  tx.hint(SCHEDULES_TOPIC);
  const due = firstDue(after, await readClock(tx));
  return after.enabled ? due : null;
}

/** A run of the schedule, as its due times start them. Throws what accept throws. */
export async function runSchedule(
  node: Node,
  worker: Worker,
  schedule: Schedule,
  attempt: Attempt | undefined,
): Promise<AcceptedRun> {
  const { schedule_id, deployment_id, thread_id, input, environment, multitask_strategy, config } = schedule;
  const cron = await findCron(node.database, schedule_id);
  const thread =
    thread_id === null
      ? await ownThread(node, deployment_id, cron)
      : await findThread(node.database, thread_id);
  if (thread === undefined) throw new Problem("not_found", { what: "thread", id: thread_id });
  return accept(node, worker, {
    thread,
    deployment_id,
    request: {
      input,
      environment,
      metadata: { ...schedule.metadata, schedule_id },
      ...(multitask_strategy && { multitask_strategy }),
      ...(config && { config }),
      ...cron?.request,
    },
    attempt,
    ...(cron && { langgraph: cron.langgraph }),
  });
}

/** How long the thread of a cron's run is kept after it, when it is not to stay. */
const CRON_THREAD_MINUTES = 5;

/** A cron's run without a thread gets one; any other schedule's needs none. */
async function ownThread(
  node: Node,
  deployment_id: string,
  cron: Cron | undefined,
): Promise<ThreadRow | null> {
  if (!cron) return null;
  const ttl = { minutes: CRON_THREAD_MINUTES, strategy: "delete" } as const;
  const order = { deployment_id, thread_id: uuidv7(), ...(!cron.keeps && { ttl }) };
  const { thread } = await createThread(node, order, undefined);
  return (await findThread(node.database, thread.thread_id)) ?? null;
}

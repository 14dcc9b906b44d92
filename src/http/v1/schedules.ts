/** /v1/schedules: cron lines that start runs. Whoever may start a run may also say when. */
import { Type } from "typebox";
import { Problem } from "../../core/problem.ts";
import { AcceptedRun } from "../../core/run.ts";
import { NewSchedule, Schedule, SchedulePatch } from "../../core/schedule.ts";
import { changeSchedule, makeSchedule, runSchedule } from "../../engine/schedules.ts";
import { deleteSchedule, findSchedule, listSchedules } from "../../store/schedules.ts";
import type { App } from "../app.ts";
import { type Principal, reaches, scopeOf } from "../auth.ts";
import { endpoint } from "../endpoint.ts";

const tag = "schedules";
const SchedulePath = Type.Object({ schedule_id: Type.String() });

const missing = (id: string) => new Problem("not_found", { what: "schedule", id });

async function scheduleOf(app: App, principal: Principal, schedule_id: string): Promise<Schedule> {
  const schedule = await findSchedule(app.node.database, schedule_id);
  if (!schedule || !reaches(principal)(schedule.deployment_id)) throw missing(schedule_id);
  return schedule;
}

export const create = endpoint(
  {
    summary: "Create a schedule, of a deployment or in a thread",
    tag,
    body: NewSchedule,
    answers: { 201: Schedule },
  },
  async ({ app, body, principal, attempt }) => {
    const schedule = await makeSchedule(app.node, body, reaches(principal), attempt);
    return { status: 201, body: schedule, headers: { location: `/v1/schedules/${schedule.schedule_id}` } };
  },
);

export const list = endpoint(
  {
    summary: "List schedules, oldest first",
    tag,
    query: Type.Object({ deployment_id: Type.Optional(Type.String()) }, { additionalProperties: false }),
    answers: { 200: Type.Object({ schedules: Type.Array(Schedule) }) },
  },
  async ({ app, query: { deployment_id }, principal }) => {
    const scope = scopeOf(principal, deployment_id);
    return { status: 200, body: { schedules: await listSchedules(app.node.database, scope) } };
  },
);

export const get = endpoint(
  { summary: "Get a schedule", tag, params: SchedulePath, answers: { 200: Schedule } },
  async ({ app, params, principal }) => ({
    status: 200,
    body: await scheduleOf(app, principal, params.schedule_id),
  }),
);

export const patch = endpoint(
  {
    summary: "Change, pause or resume a schedule",
    tag,
    params: SchedulePath,
    body: SchedulePatch,
    answers: { 200: Schedule },
  },
  async ({ app, params: { schedule_id }, body, principal }) => {
    await scheduleOf(app, principal, schedule_id);
    const changed = await changeSchedule(app.node, schedule_id, body);
    if (!changed) throw missing(schedule_id);
    return { status: 200, body: changed };
  },
);

export const remove = endpoint(
  {
    summary: "Delete a schedule; the runs it started go on",
    tag,
    params: SchedulePath,
    answers: { 204: null },
  },
  async ({ app, params: { schedule_id }, principal }) => {
    await scheduleOf(app, principal, schedule_id);
    await app.node.database.transaction((tx) => deleteSchedule(tx, schedule_id));
    return { status: 204 };
  },
);

export const run = endpoint(
  {
    summary: "Start a run of a schedule now; when it is due next stays as it was",
    tag,
    params: SchedulePath,
    answers: { 202: AcceptedRun },
  },
  async ({ app, params, principal, attempt }) => {
    const schedule = await scheduleOf(app, principal, params.schedule_id);
    const accepted = await runSchedule(app.node, app.worker, schedule, attempt);
    return { status: 202, body: accepted, headers: { location: `/v1/runs/${accepted.run_id}` } };
  },
);

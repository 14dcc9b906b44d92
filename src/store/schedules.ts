/** Schedules, and which of them are due: claimed by one node at a time, moved on when their run is accepted. */
import type { Json, JsonObject } from "../core/json.ts";
import type { Schedule, ScheduleError } from "../core/schedule.ts";
import { first, only, type Queryable } from "./database.ts";
import { join, sql, where } from "./sql.ts";

/** A claimed schedule is another node's again after this: its claimer is gone, or could not store what it did. */
const CLAIM_S = 10;

type ScheduleRow = Pick<
  Schedule,
  | "schedule_id"
  | "deployment_id"
  | "thread_id"
  | "name"
  | "cron"
  | "timezone"
  | "environment"
  | "multitask_strategy"
  | "next_due_at"
  | "last_due_at"
  | "last_run_id"
  | "created_at"
> & { input: string; config: string | null; metadata: string; last_error: string | null };

const columns = sql`schedule_id, deployment_id, thread_id, name, cron, timezone, input, environment,
  multitask_strategy, config, metadata, next_due_at, last_due_at, last_run_id, last_error, created_at`;

function parse(row: ScheduleRow): Schedule {
  const { schedule_id, deployment_id, thread_id, name, cron, timezone, environment } = row;
  return {
    schedule_id,
    deployment_id,
    thread_id,
    name,
    cron,
    timezone,
    input: JSON.parse(row.input) as Json,
    environment,
    multitask_strategy: row.multitask_strategy,
    config: row.config === null ? null : (JSON.parse(row.config) as JsonObject),
    metadata: JSON.parse(row.metadata) as JsonObject,
    enabled: row.next_due_at !== null,
    next_due_at: row.next_due_at,
    last_due_at: row.last_due_at,
    last_run_id: row.last_run_id,
    last_error: row.last_error === null ? null : (JSON.parse(row.last_error) as ScheduleError),
    created_at: row.created_at,
  };
}

/** The database's clock. */
export async function readClock(q: Queryable): Promise<string> {
  return only(await q.query<{ now: string }>(sql`select ${q.dialect.now} as now`)).now;
}

/** Those that are due next. */
export async function nextSchedules(q: Queryable, limit: number): Promise<Schedule[]> {
  const rows = await q.query<ScheduleRow>(sql`
    select ${columns} from schedules where next_attempt_at is not null order by next_attempt_at limit ${limit}`);
  return rows.map(parse);
}

/** What its owner says of a schedule. `next_due_at` null: it is paused. */
export type ScheduleSettings = Pick<
  Schedule,
  | "name"
  | "cron"
  | "timezone"
  | "input"
  | "environment"
  | "multitask_strategy"
  | "config"
  | "metadata"
  | "next_due_at"
>;

export async function createSchedule(
  tx: Queryable,
  schedule: ScheduleSettings & Pick<Schedule, "schedule_id" | "deployment_id" | "thread_id">,
): Promise<Schedule> {
  const row = only(
    await tx.query<ScheduleRow>(sql`
      insert into schedules (schedule_id, deployment_id, thread_id, name, cron, timezone, input, environment,
        multitask_strategy, config, metadata, next_due_at, next_attempt_at, created_at)
      values (${schedule.schedule_id}, ${schedule.deployment_id}, ${schedule.thread_id}, ${schedule.name},
        ${schedule.cron}, ${schedule.timezone}, ${JSON.stringify(schedule.input)}, ${schedule.environment},
        ${schedule.multitask_strategy}, ${text(schedule.config)}, ${JSON.stringify(schedule.metadata)},
        ${schedule.next_due_at}, ${schedule.next_due_at}, ${tx.dialect.now})
      returning ${columns}`),
  );
  return parse(row);
}

function text(value: JsonObject | null): string | null {
  return value === null ? null : JSON.stringify(value);
}

export async function findSchedule(q: Queryable, schedule_id: string): Promise<Schedule | undefined> {
  const row = first(
    await q.query<ScheduleRow>(sql`select ${columns} from schedules where schedule_id = ${schedule_id}`),
  );
  return row && parse(row);
}

/** The same, for a transaction that changes what it reads. */
export async function lockSchedule(tx: Queryable, schedule_id: string): Promise<Schedule | undefined> {
  const row = first(
    await tx.query<ScheduleRow>(
      sql`select ${columns} from schedules where schedule_id = ${schedule_id} ${tx.dialect.forUpdate}`,
    ),
  );
  return row && parse(row);
}

/** Oldest first. `deployment_ids` undefined: all. */
export async function listSchedules(
  q: Queryable,
  deployment_ids: readonly string[] | undefined,
): Promise<Schedule[]> {
  if (deployment_ids?.length === 0) return [];
  const rows = await q.query<ScheduleRow>(sql`
    select ${columns} from schedules
    ${where([deployment_ids && sql`deployment_id in (${join(deployment_ids)})`])} order by created_at, schedule_id`);
  return rows.map(parse);
}

/** Another due time ends a claim: it was for the time before. */
export async function updateSchedule(
  tx: Queryable,
  schedule_id: string,
  settings: ScheduleSettings,
): Promise<Schedule | undefined> {
  const { next_due_at } = settings;
  const row = first(
    await tx.query<ScheduleRow>(sql`
      update schedules set name = ${settings.name}, cron = ${settings.cron}, timezone = ${settings.timezone},
        input = ${JSON.stringify(settings.input)}, environment = ${settings.environment},
        multitask_strategy = ${settings.multitask_strategy}, config = ${text(settings.config)},
        metadata = ${JSON.stringify(settings.metadata)}, next_due_at = ${next_due_at},
        next_attempt_at = case when next_due_at = ${next_due_at} then next_attempt_at else ${next_due_at} end
      where schedule_id = ${schedule_id} returning ${columns}`),
  );
  return row && parse(row);
}

export async function deleteSchedule(tx: Queryable, schedule_id: string): Promise<void> {
  await tx.query(sql`delete from schedules where schedule_id = ${schedule_id}`);
}

/** A schedule whose time has come. `due_at` is the first time it has not been run for. */
export type DueSchedule = { schedule: Schedule; due_at: string; now: string };

/** Takes up to `limit` schedules that are due, longest due first. */
export async function claimSchedules(tx: Queryable, limit: number): Promise<DueSchedule[]> {
  const due = sql`next_attempt_at <= ${tx.dialect.now}`;
  const rows = await tx.query<ScheduleRow & { next_due_at: string; now: string }>(sql`
    update schedules set next_attempt_at = ${tx.dialect.nowPlus(CLAIM_S)}
    where schedule_id in (select schedule_id from schedules where ${due} order by next_attempt_at limit ${limit})
      and ${due}
    returning ${columns}, ${tx.dialect.now} as now`);
  return rows.map((row) => ({ schedule: parse(row), due_at: row.next_due_at, now: row.now }));
}

/** How long until the next one is to be taken, in milliseconds; undefined when there is none. */
export async function nextScheduleMs(q: Queryable): Promise<number | undefined> {
  const row = first(
    await q.query<{ at: string | null; now: string }>(sql`
      select min(next_attempt_at) as at, ${q.dialect.now} as now from schedules where next_attempt_at is not null`),
  );
  return row?.at ? Date.parse(row.at) - Date.parse(row.now) : undefined;
}

/**
 * What became of a due time; the schedule waits for the next one, unless it was paused or given other times meanwhile.
 * `next_due_at` null: no time is left, which pauses it.
 */
export async function settleSchedule(
  tx: Queryable,
  schedule_id: string,
  due: { due_at: string; next_due_at: string | null },
  outcome: { run_id: string } | { error: ScheduleError },
): Promise<void> {
  const result =
    "run_id" in outcome
      ? sql`last_run_id = ${outcome.run_id}, last_error = null`
      : sql`last_error = ${JSON.stringify(outcome.error)}`;
  const isDue = sql`next_due_at = ${due.due_at}`;
  await tx.query(sql`
    update schedules set last_due_at = ${due.due_at}, ${result},
      next_attempt_at = case when ${isDue} then ${due.next_due_at} else next_attempt_at end,
      next_due_at = case when ${isDue} then ${due.next_due_at} else next_due_at end
    where schedule_id = ${schedule_id}`);
}

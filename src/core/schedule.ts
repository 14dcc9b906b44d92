/** Schedules: cron lines that start runs, each alone or in one thread. */
import { type Static, Type } from "typebox";
import { EnvironmentSchema, multitaskStrategies } from "./run.ts";
import { Iso, JsonObjectSchema, JsonValue, Name, Nullable } from "./schema.ts";

const MAX_CRON_LENGTH = 200;
const MAX_ZONE_LENGTH = 100;

const CronLine = Type.String({
  maxLength: MAX_CRON_LENGTH,
  description: "Five fields, or six with the seconds first; or @hourly, @daily, @weekly, @monthly, @yearly.",
  examples: ["0 9 * * 1-5"],
});
const TimeZone = Type.String({
  maxLength: MAX_ZONE_LENGTH,
  description: "The IANA name of the time zone the line's hours are in.",
  default: "UTC",
  examples: ["Europe/Berlin"],
});
const Strategy = Type.Enum([...multitaskStrategies], {
  description: "What a run does when its thread is busy.",
  default: "enqueue",
});

export const ScheduleError = Type.Object({ code: Type.String(), message: Type.String() });
export type ScheduleError = Static<typeof ScheduleError>;

export const Schedule = Type.Object(
  {
    schedule_id: Type.String(),
    deployment_id: Type.String(),
    thread_id: Nullable(Type.String(), { description: "null: each run stands alone." }),
    name: Nullable(Type.String()),
    cron: CronLine,
    timezone: TimeZone,
    input: JsonValue,
    environment: EnvironmentSchema,
    multitask_strategy: Nullable(Strategy, { description: "null when it has no thread." }),
    config: Nullable(JsonObjectSchema),
    metadata: JsonObjectSchema,
    enabled: Type.Boolean(),
    next_due_at: Nullable(Iso, { description: "null: it is paused." }),
    last_due_at: Nullable(Iso, { description: "The last due time that was seen to." }),
    last_run_id: Nullable(Type.String(), { description: "The last run that a due time started." }),
    last_error: Nullable(ScheduleError, { description: "Why the last due time started no run." }),
    created_at: Iso,
  },
  { title: "Schedule" },
);
export type Schedule = Static<typeof Schedule>;

const settings = {
  input: Type.Optional(JsonValue),
  environment: Type.Optional(EnvironmentSchema),
  multitask_strategy: Type.Optional(Strategy),
  enabled: Type.Optional(Type.Boolean({ default: true, description: "false: it is paused." })),
};

/** What a caller says of a new one: whose runs it starts, by its deployment, its thread, or both. */
export const NewSchedule = Type.Object(
  {
    deployment_id: Type.Optional(Type.String({ description: "May be left out with a thread_id." })),
    thread_id: Type.Optional(Type.String()),
    name: Type.Optional(Name),
    cron: CronLine,
    timezone: Type.Optional(TimeZone),
    ...settings,
    config: Type.Optional(JsonObjectSchema),
    metadata: Type.Optional(JsonObjectSchema),
  },
  { additionalProperties: false, title: "NewSchedule" },
);
export type NewSchedule = Static<typeof NewSchedule>;

export const SchedulePatch = Type.Object(
  {
    name: Type.Optional(Nullable(Name)),
    cron: Type.Optional(CronLine),
    timezone: Type.Optional(TimeZone),
    ...settings,
    config: Type.Optional(Nullable(JsonObjectSchema)),
    metadata: Type.Optional(JsonObjectSchema),
  },
  { additionalProperties: false, title: "SchedulePatch" },
);
export type SchedulePatch = Static<typeof SchedulePatch>;

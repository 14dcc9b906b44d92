/** Crons: our schedules as LangGraph's protocol has them. */
import { Type } from "typebox";
import { contains, type JsonObject } from "../../core/json.ts";
import { Problem } from "../../core/problem.ts";
import type { Schedule, SchedulePatch } from "../../core/schedule.ts";
import { JsonObjectSchema, Nullable } from "../../core/schema.ts";
import { changeSchedule, makeSchedule } from "../../engine/schedules.ts";
import type { AssistantRow } from "../../store/assistants.ts";
import { type Cron, type CronTerms, findCron, findCrons } from "../../store/crons.ts";
import type { Attempt } from "../../store/idempotency.ts";
import { changeLog } from "../../store/logs.ts";
import { deleteSchedule, findSchedule, listSchedules } from "../../store/schedules.ts";
import { bindThread } from "../../store/threads.ts";
import type { App } from "../app.ts";
import { type Principal, reaches, scopeOf } from "../auth.ts";
import { endpoint } from "../endpoint.ts";
import { assistantOf } from "./assistants.ts";
import { paginated, Sort, sorted } from "./page.ts";
import { RunCreate, requestOf, translate } from "./run_order.ts";
import { ThreadPath, threadOf } from "./threads.ts";

const tag = "langgraph";
const CronPath = Type.Object({ cron_id: Type.String() });

const CronFields = {
  timezone: Type.Optional(Nullable(Type.String())),
  end_time: Type.Optional(Nullable(Type.String())),
  on_run_completed: Type.Optional(Nullable(Type.Enum(["delete", "keep"]))),
  enabled: Type.Optional(Nullable(Type.Boolean())),
};
const CronCreate = Type.Object({ ...RunCreate.properties, schedule: Type.String(), ...CronFields });
type CronCreate = Type.Static<typeof CronCreate>;
const CronPatch = Type.Partial(
  Type.Object({ ...RunCreate.properties, schedule: Type.String(), ...CronFields }),
);

/** What our schedule holds of a cron, and what only LangGraph's protocol says of it. Throws a 422. */
function termsOf(
  body: CronCreate,
  assistant: AssistantRow,
): { request: ReturnType<typeof translate>; terms: CronTerms } {
  const request = translate(body, assistant);
  if (request.command)
    throw new Problem("bad_request", { message: "A cron starts runs with input, not with a command." });
  const { interrupt_before, interrupt_after, webhook } = request;
  const terms: CronTerms = {
    assistant_id: assistant.assistant_id,
    end_time: timeOf(body.end_time),
    keeps: body.on_run_completed === "keep",
    request: {
      ...(interrupt_before !== undefined && { interrupt_before }),
      ...(interrupt_after !== undefined && { interrupt_after }),
      ...(webhook !== undefined && { webhook }),
    },
    langgraph: requestOf(body, assistant),
    payload: present(body),
  };
  return { request, terms };
}

function present(fields: object): JsonObject {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value != null)) as JsonObject;
}

function timeOf(time: string | null | undefined): string | null {
  if (time == null) return null;
  const at = Date.parse(time);
  if (Number.isNaN(at)) throw new Problem("bad_request", { message: "end_time is no time in ISO 8601." });
  return new Date(at).toISOString();
}

async function make(
  app: App,
  principal: Principal,
  thread_id: string | undefined,
  body: CronCreate,
  attempt: Attempt | undefined,
): Promise<JsonObject> {
  const assistant = await assistantOf(app, principal, body.assistant_id);
  const { deployment_id } = assistant;
  const { request, terms } = termsOf(body, assistant);
  if (thread_id !== undefined) {
    const { log_id } = await threadOf(app, principal, thread_id);
    if (!(await changeLog(app.node.database, log_id, (tx) => bindThread(tx, thread_id, deployment_id))))
      throw new Problem("wrong_deployment", { thread_id });
  }
  const schedule = await makeSchedule(
    app.node,
    {
      deployment_id,
      ...(thread_id !== undefined && { thread_id, multitask_strategy: body.multitask_strategy ?? "enqueue" }),
      cron: body.schedule,
      ...(body.timezone != null && { timezone: body.timezone }),
      ...(request.input !== undefined && { input: request.input }),
      ...(request.config && { config: request.config }),
      ...(request.metadata && { metadata: request.metadata }),
      enabled: body.enabled ?? true,
    },
    reaches(principal),
    attempt,
    terms,
  );
  return show(schedule, (await findCron(app.node.database, schedule.schedule_id))!);
}

function show(schedule: Schedule, cron: Cron): JsonObject {
  return {
    cron_id: schedule.schedule_id,
    assistant_id: cron.assistant_id,
    thread_id: schedule.thread_id,
    on_run_completed: cron.keeps ? "keep" : "delete",
    end_time: cron.end_time,
    schedule: schedule.cron,
    timezone: schedule.timezone,
    created_at: schedule.created_at,
    updated_at: cron.updated_at,
    payload: cron.payload,
    user_id: null,
    next_run_date: schedule.next_due_at,
    metadata: schedule.metadata,
    enabled: schedule.enabled,
  };
}

export const create = endpoint(
  { summary: "Create a cron", tag, body: CronCreate, answers: { 200: JsonObjectSchema } },
  async ({ app, body, principal, attempt }) => ({
    status: 200,
    body: await make(app, principal, undefined, body, attempt),
  }),
);

export const createForThread = endpoint(
  {
    summary: "Create a cron whose runs are in a thread",
    tag,
    params: ThreadPath,
    body: CronCreate,
    answers: { 200: JsonObjectSchema },
  },
  async ({ app, params, body, principal, attempt }) => ({
    status: 200,
    body: await make(app, principal, params.thread_id, body, attempt),
  }),
);

async function cronOf(
  app: App,
  principal: Principal,
  id: string,
): Promise<{ schedule: Schedule; cron: Cron }> {
  const { database } = app.node;
  const [schedule, cron] = [await findSchedule(database, id), await findCron(database, id)];
  if (!schedule || !cron || !reaches(principal)(schedule.deployment_id))
    throw new Problem("not_found", { what: "cron", id });
  return { schedule, cron };
}

export const get = endpoint(
  { summary: "Get a cron", tag, params: CronPath, answers: { 200: JsonObjectSchema } },
  async ({ app, params, principal }) => {
    const { schedule, cron } = await cronOf(app, principal, params.cron_id);
    return { status: 200, body: show(schedule, cron) };
  },
);

export const patch = endpoint(
  {
    summary: "Change, pause or resume a cron",
    tag,
    params: CronPath,
    body: CronPatch,
    answers: { 200: JsonObjectSchema },
  },
  async ({ app, params, body, principal }) => {
    const { schedule, cron } = await cronOf(app, principal, params.cron_id);
    const whole = { ...(cron.payload as object), ...present(body) } as CronCreate;
    const assistant = await assistantOf(app, principal, whole.assistant_id ?? cron.assistant_id);
    const { request, terms } = termsOf(whole, assistant);
    const change: SchedulePatch = {
      cron: whole.schedule,
      ...(whole.timezone != null && { timezone: whole.timezone }),
      ...(request.input !== undefined && { input: request.input }),
      ...(request.config && { config: request.config }),
      ...(request.metadata && { metadata: request.metadata }),
      ...(body.enabled != null && { enabled: body.enabled }),
    };
    await changeSchedule(app.node, schedule.schedule_id, change, terms);
    const changed = await cronOf(app, principal, params.cron_id);
    return { status: 200, body: show(changed.schedule, changed.cron) };
  },
);

export const remove = endpoint(
  { summary: "Delete a cron; the runs it started go on", tag, params: CronPath, answers: { 204: null } },
  async ({ app, params, principal }) => {
    await cronOf(app, principal, params.cron_id);
    await app.node.database.transaction((tx) => deleteSchedule(tx, params.cron_id));
    return { status: 204 };
  },
);

const Filter = {
  assistant_id: Type.Optional(Nullable(Type.String())),
  thread_id: Type.Optional(Nullable(Type.String())),
  enabled: Type.Optional(Nullable(Type.Boolean())),
  metadata: Type.Optional(Nullable(JsonObjectSchema)),
};

async function matching(
  app: App,
  principal: Principal,
  filter: {
    assistant_id?: string | null;
    thread_id?: string | null;
    enabled?: boolean | null;
    metadata?: JsonObject | null;
  },
): Promise<JsonObject[]> {
  const { database } = app.node;
  const schedules = await listSchedules(database, scopeOf(principal, undefined));
  const crons = await findCrons(
    database,
    schedules.map(({ schedule_id }) => schedule_id),
  );
  const shown = schedules.flatMap((schedule) => {
    const cron = crons.get(schedule.schedule_id);
    return cron ? [show(schedule, cron)] : [];
  });
  const { metadata } = filter;
  const assistant_id =
    filter.assistant_id == null
      ? null
      : (await assistantOf(app, principal, filter.assistant_id)).assistant_id;
  return shown.filter(
    (cron) =>
      (assistant_id === null || cron.assistant_id === assistant_id) &&
      (filter.thread_id == null || cron.thread_id === filter.thread_id) &&
      (filter.enabled == null || cron.enabled === filter.enabled) &&
      (metadata == null || contains(cron.metadata ?? {}, metadata)),
  );
}

export const search = endpoint(
  {
    summary: "Search crons",
    tag,
    body: Type.Object({
      ...Filter,
      ...Sort([
        "cron_id",
        "assistant_id",
        "thread_id",
        "next_run_date",
        "end_time",
        "created_at",
        "updated_at",
      ]),
    }),
    answers: { 200: Type.Array(JsonObjectSchema) },
  },
  async ({ app, body, principal }) => {
    const found = sorted(await matching(app, principal, body), body.sort_by ?? "created_at", body.sort_order);
    return paginated(found, body, found.length);
  },
);

export const count = endpoint(
  { summary: "Count crons", tag, body: Type.Object(Filter), answers: { 200: Type.Integer() } },
  async ({ app, body, principal }) => ({ status: 200, body: (await matching(app, principal, body)).length }),
);

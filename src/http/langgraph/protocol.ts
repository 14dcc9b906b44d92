/** LangGraph's newest protocol: commands to a thread, and its events by subscription. */
import { Type } from "typebox";
import { Value } from "typebox/value";
import type { NumberedEvent } from "../../core/event.ts";
import { isObject, type Json, type JsonObject } from "../../core/json.ts";
import { Problem } from "../../core/problem.ts";
import { JsonObjectSchema, Nullable } from "../../core/schema.ts";
import { createThread } from "../../engine/create_thread.ts";
import { tailThread } from "../../engine/tail.ts";
import { readHead } from "../../store/checkpoints.ts";
import { openQuestions } from "../../store/questions.ts";
import { findRun, lastRunNumber, listRuns, readRequest, runIdByNumber } from "../../store/runs.ts";
import { findThread, type ThreadRow } from "../../store/threads.ts";
import type { App } from "../app.ts";
import type { Principal } from "../auth.ts";
import { endpoint } from "../endpoint.ts";
import { streamTexts } from "../sse.ts";
import { agentTree } from "./agent_tree.ts";
import { assistantOf } from "./assistants.ts";
import { channels, isWanted, ProtocolEvents, type Subscription } from "./protocol_events.ts";
import { orderRun, RunCreate } from "./run_order.ts";
import { aboutRun, HEARTBEAT_MS } from "./run_stream.ts";
import { stateOf } from "./states.ts";
import { ThreadPath, threadOf } from "./threads.ts";
import { runIdOf, runUuid, statusOf } from "./words.ts";

const tag = "langgraph";

/** An event's number within its thread: run, event, place among the event's. */
const EVENTS_OF_RUN = 10_000_000_000;
const PLACES_OF_EVENT = 1_000;
const PLACES_OF_CHANNEL = 100;

export const CommandBody = Type.Object({
  id: Type.Integer(),
  method: Type.String(),
  params: Type.Optional(Nullable(JsonObjectSchema)),
});

class CommandRefused extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export const commands = endpoint(
  {
    summary: "A command to a thread",
    tag,
    params: ThreadPath,
    body: CommandBody,
    answers: { 200: JsonObjectSchema },
  },
  async ({ app, params, body, principal }) => ({
    status: 200,
    body: await answerCommand(app, principal, params.thread_id, body),
  }),
);

/** What a command is answered with, also one that is refused. */
export async function answerCommand(
  app: App,
  principal: Principal,
  thread_id: string,
  { id, method, params }: Type.Static<typeof CommandBody>,
): Promise<JsonObject> {
  try {
    return { type: "success", id, result: await follow(app, principal, thread_id, method, params ?? {}) };
  } catch (error) {
    const told = refusalOf(error);
    if (!told) throw error;
    return { type: "error", id, ...told };
  }
}

function refusalOf(error: unknown): { error: string; message: string } | undefined {
  if (error instanceof CommandRefused) return { error: error.code, message: error.message };
  if (!(error instanceof Problem) || error.status >= 500 || error.code === "unauthorized") return undefined;
  const codes: Record<string, string> = {
    forbidden: "permission_denied",
    interrupt_not_waiting: "no_such_interrupt",
  };
  return {
    error: codes[error.code] ?? (statusOf(error) === 404 ? "no_such_run" : "invalid_argument"),
    message: error.message,
  };
}

async function follow(
  app: App,
  principal: Principal,
  thread_id: string,
  method: string,
  params: JsonObject,
): Promise<Json> {
  switch (method) {
    case "run.start":
      return start(app, principal, thread_id, params);
    case "input.respond":
      return respond(app, principal, thread_id, params);
    case "state.get":
      return getState(app, principal, thread_id, params);
    case "agent.getTree":
      return getTree(app, principal, thread_id, params);
    default:
      throw new CommandRefused("unknown_command", `There is no command ${method} here.`);
  }
}

/** Starts a run; where the thread waits for an answer, the input is that answer. */
async function start(app: App, principal: Principal, thread_id: string, params: JsonObject): Promise<Json> {
  const { multitaskStrategy, input, ...rest } = params;
  const thread = await findThread(app.node.database, thread_id);
  const asks =
    thread?.status === "interrupted" && input !== undefined && input !== null
      ? (await openQuestions(app.node.database, thread.log_id)).length > 0
      : false;
  return startRun(app, principal, thread_id, {
    ...rest,
    ...(asks ? { command: { resume: input! } } : { input: input ?? null }),
    multitask_strategy: rest.multitask_strategy ?? multitaskStrategy ?? "enqueue",
  });
}

async function startRun(app: App, principal: Principal, thread_id: string, body: JsonObject): Promise<Json> {
  const { configurable } = isObject(body.config) ? body.config : {};
  const { checkpoint_id } = isObject(configurable) ? configurable : {};
  const order: JsonObject = {
    ...body,
    ...(typeof checkpoint_id === "string" && { checkpoint_id }),
    if_not_exists: "create",
    stream_mode: ["values", "updates", "messages-tuple"],
    stream_subgraphs: true,
  };
  if (!Value.Check(RunCreate, order)) {
    const [wrong] = Value.Errors(RunCreate, order);
    throw new CommandRefused(
      "invalid_argument",
      `params${wrong?.instancePath ?? ""} ${wrong?.message ?? "are not valid"}`,
    );
  }
  const { run } = await orderRun(app, principal, thread_id, order, undefined);
  return { run_id: runUuid(run.run_id) };
}

/** Answers one question, or several by their ids. */
async function respond(app: App, principal: Principal, thread_id: string, params: JsonObject): Promise<Json> {
  const thread = await threadOf(app, principal, thread_id);
  const [last] = await listRuns(app.node.database, { log_id: thread.log_id, limit: 1 });
  if (!last) throw new CommandRefused("no_such_interrupt", "No run of this thread has asked anything.");
  const { langgraph } = await readRequest(app.node.database, last.log_id, last.run_id);
  const { responses, interrupt_id, response, config, metadata, update, goto } = params;
  const answers = Array.isArray(responses) ? responses.filter(isObject) : [{ interrupt_id, response }];
  const resume: JsonObject = {};
  for (const answer of answers) {
    if (typeof answer.interrupt_id !== "string") {
      throw new CommandRefused("invalid_argument", "Each response names its interrupt_id.");
    }
    resume[answer.interrupt_id] = (answer as JsonObject).response ?? null;
  }
  return startRun(app, principal, thread_id, {
    assistant_id: langgraph?.assistant_id ?? last.deployment_id,
    command: { resume, ...(update !== undefined && { update }), ...(goto !== undefined && { goto }) },
    ...(config !== undefined && { config }),
    ...(metadata !== undefined && { metadata }),
  });
}

/** Of the run named, or the thread's last. */
async function getTree(app: App, principal: Principal, thread_id: string, params: JsonObject): Promise<Json> {
  const { database } = app.node;
  const thread = await threadOf(app, principal, thread_id);
  const [last] = await listRuns(database, { log_id: thread.log_id, limit: 1 });
  const named = typeof params.run_id === "string" ? await findRun(database, runIdOf(params.run_id)) : last;
  if (!named || named.log_id !== thread.log_id)
    throw new CommandRefused("no_such_run", "This thread has no such run.");
  const { graph_id } = await assistantOf(app, principal, named.deployment_id);
  return { tree: await agentTree(database, named, graph_id) };
}

async function getState(
  app: App,
  principal: Principal,
  thread_id: string,
  params: JsonObject,
): Promise<Json> {
  const thread = await threadOf(app, principal, thread_id);
  const { view, head } = await readHead(app.node.database, thread.log_id);
  if (!head) return { values: {}, next: [], tasks: [], interrupts: [] };
  const state = await stateOf(app, { thread, view, row: head, subgraphs: false });
  const { keys } = params;
  if (!Array.isArray(keys) || !isObject(state.values)) return state;
  const chosen = Object.entries(state.values).filter(([key]) => keys.includes(key));
  return { ...state, values: Object.fromEntries(chosen) };
}

export const EventsBody = Type.Object(
  {
    channels: Type.Array(Type.String(), { minItems: 1, maxItems: 100 }),
    namespaces: Type.Optional(Nullable(Type.Array(Type.Array(Type.String())))),
    depth: Type.Optional(Nullable(Type.Integer({ minimum: 0 }))),
    since: Type.Optional(Nullable(Type.Integer({ minimum: 0 }))),
  },
  { additionalProperties: false },
);

export const events = endpoint(
  {
    summary: "A thread's events by channel and namespace, from its last run's beginning or after `since`",
    tag,
    params: ThreadPath,
    body: EventsBody,
    answers: { 200: Type.String() },
    streams: true,
  },
  async ({ app, params, body, principal, request, reply }) => {
    const subscription = subscriptionOf(body);
    const thread = await existingOrNew(app, principal, params.thread_id);
    await streamTexts(app, request, reply, {
      heartbeatMs: HEARTBEAT_MS,
      async *texts(signal) {
        for await (const page of eventsOfThread(app, thread, [subscription], body.since ?? null, signal)) {
          yield page
            .map(
              (event) => `id: ${event.event_id}\nevent: ${event.method}\ndata: ${JSON.stringify(event)}\n\n`,
            )
            .join("");
        }
      },
    });
    return undefined;
  },
);

/** What a client wants to see. Throws the 422 of a channel there is not. */
export function subscriptionOf(body: Omit<Type.Static<typeof EventsBody>, "since">): Subscription {
  const unknown = body.channels.find(
    (name) => !(channels as readonly string[]).includes(name.split(":")[0]!),
  );
  if (unknown !== undefined)
    throw new Problem("bad_request", { message: `channels: there is no channel ${unknown}.` });
  return {
    channels: body.channels,
    namespaces: body.namespaces ?? undefined,
    depth: body.depth ?? undefined,
  };
}

type ToldEvent = { type: "event"; event_id: string; seq: number; method: string; params: JsonObject };

/** Pages of a thread's events, from the beginning of its last run on or after `since`, until the signal aborts. */
export async function* eventsOfThread(
  app: App,
  thread: ThreadRow,
  subscriptions: readonly Subscription[],
  since: number | null,
  signal: AbortSignal,
): AsyncGenerator<ToldEvent[]> {
  const { database } = app.node;
  // From a run's beginning: what was told before is folded again, and not sent.
  const run_number =
    since === null ? await lastRunNumber(database, thread.log_id) : Math.floor(since / EVENTS_OF_RUN);
  const from =
    run_number > 1 ? { run_number: run_number - 1, seq: Number.MAX_SAFE_INTEGER } : { run_number: 0, seq: 0 };
  const gone = async () => (await findThread(database, thread.thread_id))?.log_id !== thread.log_id;
  let open: { run_number: number; events: ProtocolEvents | undefined } | undefined;
  for await (const page of tailThread(app.node, thread.log_id, from, signal, gone)) {
    const told: ToldEvent[] = [];
    for (const event of page) {
      if (open?.run_number !== event.run_number) {
        open = { run_number: event.run_number, events: await eventsOf(app, thread, event, subscriptions) };
      }
      told.push(...(await toldOf(open.events, event, subscriptions, since ?? 0)));
    }
    yield told;
  }
}

/** A client subscribes before it starts the thread's first run. */
export async function existingOrNew(app: App, principal: Principal, thread_id: string): Promise<ThreadRow> {
  const found = await findThread(app.node.database, thread_id);
  if (found) return threadOf(app, principal, thread_id);
  const deployment_id = principal.deployment_ids?.length === 1 ? principal.deployment_ids[0]! : null;
  if (principal.deployment_ids !== null && deployment_id === null) {
    throw new Problem("forbidden", {
      message: "This key reaches some deployments only: create the thread first.",
    });
  }
  await createThread(app.node, { deployment_id, thread_id, if_exists: "do_nothing" }, undefined);
  return threadOf(app, principal, thread_id);
}

async function eventsOf(
  app: App,
  { log_id }: ThreadRow,
  { run_number }: NumberedEvent,
  subscriptions: readonly Subscription[],
): Promise<ProtocolEvents | undefined> {
  const run_id = await runIdByNumber(app.node.database, log_id, run_number);
  const run = run_id === undefined ? undefined : await findRun(app.node.database, run_id);
  return run && new ProtocolEvents(app, run, subscriptions, await aboutRun(app, run));
}

async function toldOf(
  events: ProtocolEvents | undefined,
  event: NumberedEvent,
  subscriptions: readonly Subscription[],
  since: number,
): Promise<ToldEvent[]> {
  const { run_number, seq } = event;
  const counts = new Map<string, number>();
  const placed = ((await events?.of(event)) ?? []).map((told) => {
    const channel = told.channel.split(":")[0]!;
    const place = counts.get(channel) ?? 0;
    counts.set(channel, place + 1);
    // The same event has the same number in every subscription, whatever else that asks for.
    const inEvent = channels.indexOf(channel as (typeof channels)[number]) * PLACES_OF_CHANNEL + place;
    const number = run_number * EVENTS_OF_RUN + seq * PLACES_OF_EVENT + inEvent;
    return { told, number, event_id: `${run_number}-${seq}-${channel}-${place}` };
  });
  return placed
    .filter(({ told, number }) => number > since && subscriptions.some((one) => isWanted(told, one)))
    .toSorted((a, b) => a.number - b.number)
    .map(({ told: { method, namespace, node, data }, number, event_id }) => {
      const params = { namespace, timestamp: Date.now(), ...(node !== undefined && { node }), data };
      return { type: "event", event_id, seq: number, method, params };
    });
}

/** Runs in a thread: created and answered at once, awaited, or streamed. */
import { Type } from "typebox";
import { isOver } from "../../core/moves.ts";
import { Problem } from "../../core/problem.ts";
import { AcceptedRun, Run, RunRequest, RunStatusSchema } from "../../core/run.ts";
import { accept } from "../../engine/accept.ts";
import { tailThread, untilOver } from "../../engine/tail.ts";
import { newestRunNumber } from "../../store/events.ts";
import type { Attempt } from "../../store/idempotency.ts";
import { findRun, listRuns, showRuns } from "../../store/runs.ts";
import { findThread } from "../../store/threads.ts";
import type { App } from "../app.ts";
import type { Principal } from "../auth.ts";
import { endpoint } from "../endpoint.ts";
import { Cursor, DEFAULT_LIMIT, Limit } from "../page.ts";
import { closeSignal, lastEventId, streamEvents, TypesQuery, typeFilter } from "../sse.ts";
import { Runs, runCursor, runsPage, streamRun } from "./runs.ts";
import { ThreadPath, threadOf } from "./threads.ts";

const tag = "runs";

async function order(
  app: App,
  principal: Principal,
  thread_id: string,
  request: RunRequest,
  attempt: Attempt | undefined,
): Promise<{ accepted: AcceptedRun; log_id: number }> {
  const thread = await threadOf(app, principal, thread_id);
  if (thread.deployment_id === null) throw new Problem("not_found", { what: "deployment of this thread" });
  const { deployment_id, log_id } = thread;
  return {
    accepted: await accept(app.node, app.worker, { thread, deployment_id, request, attempt }),
    log_id,
  };
}

const location = (run_id: string) => ({
  location: `/v1/runs/${run_id}`,
  "content-location": `/v1/runs/${run_id}`,
});

export const create = endpoint(
  {
    summary: "Start a run in a thread",
    tag,
    params: ThreadPath,
    body: RunRequest,
    answers: { 202: AcceptedRun },
  },
  async ({ app, params, body, principal, attempt }) => {
    const { accepted } = await order(app, principal, params.thread_id, body, attempt);
    return { status: 202, body: accepted, headers: location(accepted.run_id) };
  },
);

const DEFAULT_WAIT_S = 300;

export const wait = endpoint(
  {
    summary: "Start a run in a thread and wait for its end",
    tag,
    params: ThreadPath,
    query: Type.Object(
      { wait_s: Type.Optional(Type.Number({ minimum: 0, maximum: 3600, default: DEFAULT_WAIT_S })) },
      { additionalProperties: false },
    ),
    body: RunRequest,
    answers: { 200: Run, 202: Run },
  },
  async ({ app, params, query, body, principal, attempt, reply }) => {
    const { node } = app;
    const { accepted, log_id } = await order(app, principal, params.thread_id, body, attempt);
    const limit = AbortSignal.timeout((query.wait_s ?? DEFAULT_WAIT_S) * 1000);
    const signal = AbortSignal.any([limit, app.closing, closeSignal(reply)]);
    const run = await untilOver(node, { log_id, run_id: accepted.run_id }, signal);
    if (!run) throw new Problem("not_found", { what: "run", id: accepted.run_id });
    const [shown] = await showRuns(node.database, [run]);
    return { status: isOver(run.status) ? 200 : 202, body: shown, headers: location(run.run_id) };
  },
);

export const stream = endpoint(
  {
    summary: "Start a run in a thread and stream its events",
    tag,
    params: ThreadPath,
    query: Type.Object({ types: TypesQuery }, { additionalProperties: false }),
    body: RunRequest,
    answers: { 200: Type.String() },
    streams: true,
  },
  async ({ app, params, query, body, principal, attempt, request, reply }) => {
    const { accepted } = await order(app, principal, params.thread_id, body, attempt);
    reply.headers(location(accepted.run_id));
    const run = await findRun(app.node.database, accepted.run_id);
    if (!run) throw new Problem("not_found", { what: "run", id: accepted.run_id });
    return streamRun(app, run, { seq: 0, types: query.types }, request, reply);
  },
);

export const list = endpoint(
  {
    summary: "A thread's runs, newest first",
    tag,
    params: ThreadPath,
    query: Type.Object(
      { status: Type.Optional(RunStatusSchema), limit: Limit, cursor: Cursor },
      { additionalProperties: false },
    ),
    answers: { 200: Runs },
  },
  async ({ app, params, query, principal }) => {
    const thread = await threadOf(app, principal, params.thread_id);
    const limit = query.limit ?? DEFAULT_LIMIT;
    const rows = await listRuns(app.node.database, {
      log_id: thread.log_id,
      status: query.status,
      before: runCursor(query.cursor),
      limit: limit + 1,
    });
    return { status: 200, body: await runsPage(app, rows, limit) };
  },
);

const From = Type.Optional(
  Type.Enum(["first_run", "newest_run"], {
    default: "first_run",
    description: "Where to begin without a Last-Event-ID.",
  }),
);

export const events = endpoint(
  {
    summary: "One stream across a thread's runs; frames are numbered <run>-<event>",
    tag,
    params: ThreadPath,
    query: Type.Object({ types: TypesQuery, from: From }, { additionalProperties: false }),
    answers: { 200: Type.String() },
    streams: true,
  },
  async ({ app, params, query, principal, request, reply }) => {
    const { node } = app;
    const thread = await threadOf(app, principal, params.thread_id);
    const after = lastEventId(request, /^(\d{1,15})-(\d{1,15})$/);
    const from = after
      ? { run_number: after[0]!, seq: after[1]! }
      : {
          run_number: query.from === "newest_run" ? await newestRunNumber(node.database, thread.log_id) : 0,
          seq: 0,
        };
    const gone = async () => (await findThread(node.database, thread.thread_id))?.log_id !== thread.log_id;
    await streamEvents(app, request, reply, {
      wanted: typeFilter(query.types),
      pages: (signal) => tailThread(node, thread.log_id, from, signal, gone),
      id: (event) => `${event.run_number}-${event.seq}`,
    });
    return undefined;
  },
);

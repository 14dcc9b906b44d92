/** Runs as LangGraph's protocol has them: in a thread or in one of their own, in the background, awaited or streamed. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { Type } from "typebox";
import type { Json, JsonObject } from "../../core/json.ts";
import { isOver } from "../../core/moves.ts";
import { Problem } from "../../core/problem.ts";
import type { RunError } from "../../core/run.ts";
import { JsonObjectSchema, Nullable } from "../../core/schema.ts";
import { cancel as cancelRun, forget } from "../../engine/cancel.ts";
import { untilOver } from "../../engine/tail.ts";
import { readHead, selectCheckpoints } from "../../store/checkpoints.ts";
import { openQuestions } from "../../store/questions.ts";
import { findRun, listRuns, type RunRow, readRequest, showRuns } from "../../store/runs.ts";
import { showCheckpoints } from "../../store/states.ts";
import type { App } from "../app.ts";
import { type Principal, reaches, scopeOf } from "../auth.ts";
import { type Answer, endpoint } from "../endpoint.ts";
import { closeSignal } from "../sse.ts";
import { systemAssistants } from "./assistants.ts";
import { withoutRoles } from "./json.ts";
import { selectedFields } from "./page.ts";
import { type Ordered, orderRun, RunCreate } from "./run_order.ts";
import { streamRun } from "./run_stream.ts";
import { ThreadPath, threadOf } from "./threads.ts";
import { errorOf, runIdOf, runStatus, runStatuses, runUuid } from "./words.ts";

const tag = "langgraph";
const RunPath = Type.Object({ thread_id: Type.String(), run_id: Type.String() });

/** The run of a path, if it is of that thread and the key reaches it. */
async function runOf(app: App, principal: Principal, thread_id: string, id: string): Promise<RunRow> {
  const thread = await threadOf(app, principal, thread_id);
  const run = await findRun(app.node.database, runIdOf(id));
  if (run?.log_id !== thread.log_id) throw new Problem("not_found", { what: "run", id });
  return run;
}

async function anyRun(app: App, principal: Principal, id: string): Promise<RunRow> {
  const run = await findRun(app.node.database, runIdOf(id));
  if (!run || !reaches(principal)(run.deployment_id)) throw new Problem("not_found", { what: "run", id });
  return run;
}

export async function showForLangGraph(app: App, rows: readonly RunRow[]): Promise<JsonObject[]> {
  const { database } = app.node;
  const runs = await showRuns(database, rows);
  const own = rows.length > 0 ? await systemAssistants(app) : new Map();
  return Promise.all(
    rows.map(async (row, i) => {
      const { langgraph, input, command } = await readRequest(database, row.log_id, row.run_id);
      const assistant_id = langgraph?.assistant_id ?? own.get(row.deployment_id)?.assistant_id ?? null;
      const error = row.error === null ? null : (JSON.parse(row.error) as RunError);
      return {
        run_id: runUuid(row.run_id),
        thread_id: row.thread_id ?? runUuid(row.run_id),
        assistant_id,
        created_at: row.created_at,
        updated_at: row.completed_at ?? row.started_at ?? row.created_at,
        status: runStatus(row.status, error),
        metadata: runs[i]!.metadata,
        kwargs: { ...langgraph?.kwargs, input, ...(command !== null && { command }) },
        multitask_strategy: langgraph?.multitask_strategy ?? "reject",
      } as JsonObject;
    }),
  );
}

function headersOf({ run_id, thread_id }: RunRow, stateless: boolean): Record<string, string> {
  const run = `/runs/${runUuid(run_id)}`;
  const path = stateless ? run : `/threads/${thread_id}${run}`;
  return { "content-location": path };
}

/** Where a reader that was cut off goes on. */
function streamPath({ run_id, thread_id }: RunRow): string {
  return `/threads/${thread_id}/runs/${runUuid(run_id)}/stream`;
}

export const create = endpoint(
  {
    summary: "Start a run in a thread",
    tag,
    params: ThreadPath,
    body: RunCreate,
    answers: { 200: JsonObjectSchema },
  },
  async ({ app, params, body, principal, attempt }) => {
    const { run } = await orderRun(app, principal, params.thread_id, body, attempt);
    return { status: 200, body: (await showForLangGraph(app, [run]))[0], headers: headersOf(run, false) };
  },
);

export const createStateless = endpoint(
  { summary: "Start a run", tag, body: RunCreate, answers: { 200: JsonObjectSchema } },
  async ({ app, body, principal, attempt }) => {
    const { run } = await orderRun(app, principal, null, body, attempt);
    return { status: 200, body: (await showForLangGraph(app, [run]))[0], headers: headersOf(run, true) };
  },
);

const MAX_BATCH = 1000;

export const batch = endpoint(
  {
    summary: "Start several runs, each in a thread of its own",
    tag,
    body: Type.Array(RunCreate, { maxItems: MAX_BATCH }),
    answers: { 200: Type.Array(JsonObjectSchema) },
  },
  async ({ app, body, principal }) => {
    const runs: RunRow[] = [];
    for (const order of body) runs.push((await orderRun(app, principal, null, order, undefined)).run);
    return { status: 200, body: await showForLangGraph(app, runs) };
  },
);

export const stream = endpoint(
  {
    summary: "Start a run in a thread and stream it",
    tag,
    params: ThreadPath,
    body: RunCreate,
    answers: { 200: Type.String() },
    streams: true,
  },
  async ({ app, params, body, principal, attempt, request, reply }) => {
    const ordered = await orderRun(app, principal, params.thread_id, body, attempt);
    return begin(app, request, reply, ordered, body, false);
  },
);

export const streamStateless = endpoint(
  {
    summary: "Start a run and stream it",
    tag,
    body: RunCreate,
    answers: { 200: Type.String() },
    streams: true,
  },
  async ({ app, body, principal, attempt, request, reply }) => {
    const ordered = await orderRun(app, principal, null, body, attempt);
    return begin(app, request, reply, ordered, body, true);
  },
);

function begin(
  app: App,
  request: FastifyRequest,
  reply: FastifyReply,
  { run, order }: Ordered,
  body: RunCreate,
  stateless: boolean,
): Promise<Answer> {
  reply.headers({ ...headersOf(run, stateless), location: streamPath(run) });
  return streamRun(app, run, request, reply, {
    modes: order.stream_mode,
    subgraphs: order.stream_subgraphs,
    cancelOnDisconnect: body.on_disconnect === "cancel",
  });
}

const StreamQuery = Type.Object({
  stream_mode: Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())])),
  cancel_on_disconnect: Type.Optional(Type.String()),
});
type StreamQuery = Type.Static<typeof StreamQuery>;

async function join(
  app: App,
  run: RunRow,
  query: StreamQuery,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Answer> {
  const { langgraph } = await readRequest(app.node.database, run.log_id, run.run_id);
  const modes = [query.stream_mode ?? []]
    .flat()
    .flatMap((names) => names.split(","))
    .filter(Boolean);
  if (run.thread_id !== null) reply.header("location", streamPath(run));
  return streamRun(app, run, request, reply, {
    modes: modes.length > 0 ? modes : (langgraph?.stream_mode ?? ["values"]),
    subgraphs: langgraph?.stream_subgraphs ?? false,
    cancelOnDisconnect: isYes(query.cancel_on_disconnect),
  });
}

const isYes = (flag: string | undefined): boolean => flag === "1" || flag === "true";

export const joinStream = endpoint(
  {
    summary: "A run's stream, from now on or after Last-Event-ID",
    tag,
    params: RunPath,
    query: StreamQuery,
    answers: { 200: Type.String() },
    streams: true,
  },
  async ({ app, params, query, principal, request, reply }) =>
    join(app, await runOf(app, principal, params.thread_id, params.run_id), query, request, reply),
);

export const joinStreamStateless = endpoint(
  {
    summary: "A run's stream, by the run's id",
    tag,
    params: Type.Object({ run_id: Type.String() }),
    query: StreamQuery,
    answers: { 200: Type.String() },
    streams: true,
  },
  async ({ app, params, query, principal, request, reply }) =>
    join(app, await anyRun(app, principal, params.run_id), query, request, reply),
);

/** A line that keeps the connection open while the run goes on. */
const KEEP_ALIVE_MS = 5_000;

/** Answers with the run's values once it is over; what comes before them is white space, which JSON allows. */
async function answerWhenOver(
  app: App,
  run: RunRow,
  reply: FastifyReply,
  cancelOnDisconnect: boolean,
): Promise<Answer> {
  const gone = closeSignal(reply);
  const signal = AbortSignal.any([app.closing, gone]);
  const headers = reply.getHeaders();
  reply.hijack();
  const { raw } = reply;
  raw.on("error", () => undefined);
  raw.writeHead(200, { ...(headers as Record<string, string>), "content-type": "application/json" });
  raw.flushHeaders();
  const keepAlive = setInterval(() => {
    if (!raw.writableNeedDrain) raw.write("\n");
  }, KEEP_ALIVE_MS);
  try {
    const over = await untilOver(app.node, run, signal);
    if (over && isOver(over.status)) raw.write(JSON.stringify(await resultOf(app, over)));
    else if (over && gone.aborted && cancelOnDisconnect) await cancelRun(app.node, run, "cancel");
    else raw.destroy();
  } catch (error) {
    app.logger.error({ run_id: run.run_id, error: String(error) }, "a wait broke off");
    raw.destroy();
  } finally {
    clearInterval(keepAlive);
    raw.end();
  }
  return undefined;
}

/** What a run left: its values, with the questions it stopped at, or its error. */
async function resultOf({ node: { database } }: App, run: RunRow): Promise<Json> {
  if (run.status === "failed") {
    const error = JSON.parse(run.error ?? "null") as RunError | null;
    return { __error__: errorOf(error ?? { code: "agent_error", message: "" }) };
  }
  const { view, head } = await readHead(database, run.log_id);
  const [own] = await selectCheckpoints(database, view, { namespace: "", run_id: run.run_id, limit: 1 });
  const row = own ?? head;
  const shown = row ? await showCheckpoints(database, view, run.thread_id ?? "", [row]) : [];
  const values = withoutRoles(shown[0]?.values ?? {}) as JsonObject;
  if (run.status !== "interrupted") return values;
  const asked = await openQuestions(database, run.log_id);
  return { ...values, __interrupt__: asked.map(({ id, value }) => ({ id, value: withoutRoles(value) })) };
}

export const wait = endpoint(
  {
    summary: "Start a run in a thread and wait for its values",
    tag,
    params: ThreadPath,
    body: RunCreate,
    answers: { 200: JsonObjectSchema },
  },
  async ({ app, params, body, principal, attempt, reply }) => {
    const { run } = await orderRun(app, principal, params.thread_id, body, attempt);
    reply.headers({ ...headersOf(run, false), location: joinPath(run) });
    return answerWhenOver(app, run, reply, body.on_disconnect === "cancel");
  },
);

export const waitStateless = endpoint(
  {
    summary: "Start a run and wait for its values",
    tag,
    body: RunCreate,
    answers: { 200: JsonObjectSchema },
  },
  async ({ app, body, principal, attempt, reply }) => {
    const { run } = await orderRun(app, principal, null, body, attempt);
    reply.headers({ ...headersOf(run, true), location: joinPath(run) });
    return answerWhenOver(app, run, reply, body.on_disconnect === "cancel");
  },
);

function joinPath({ run_id, thread_id }: RunRow): string {
  return `/threads/${thread_id}/runs/${runUuid(run_id)}/join`;
}

export const joinRun = endpoint(
  {
    summary: "Wait for a run's values",
    tag,
    params: RunPath,
    query: Type.Object({ cancel_on_disconnect: Type.Optional(Type.String()) }),
    answers: { 200: JsonObjectSchema },
  },
  async ({ app, params, query, principal, reply }) => {
    const run = await runOf(app, principal, params.thread_id, params.run_id);
    return answerWhenOver(app, run, reply, isYes(query.cancel_on_disconnect));
  },
);

const PAGE = 100;

export const list = endpoint(
  {
    summary: "A thread's runs, newest first",
    tag,
    params: ThreadPath,
    query: Type.Object({
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 10 })),
      offset: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000, default: 0 })),
      status: Type.Optional(Type.Enum([...runStatuses])),
      select: Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())])),
    }),
    answers: { 200: Type.Array(JsonObjectSchema) },
  },
  async ({ app, params, query, principal }) => {
    const { log_id } = await threadOf(app, principal, params.thread_id);
    const { limit = 10, offset = 0, status } = query;
    const wanted: RunRow[] = [];
    for (let before: string | undefined; wanted.length < offset + limit; ) {
      const rows = await listRuns(app.node.database, { log_id, before, limit: PAGE });
      wanted.push(...rows.filter((row) => status === undefined || isShownAs(row, status)));
      if (rows.length < PAGE) break;
      before = rows.at(-1)!.run_id;
    }
    const runs = await showForLangGraph(app, wanted.slice(offset, offset + limit));
    const select = query.select === undefined ? undefined : [query.select].flat();
    return { status: 200, body: runs.map((run) => selectedFields(run, select)) };
  },
);

function isShownAs({ status, error }: RunRow, wanted: string): boolean {
  return runStatus(status, error === null ? null : (JSON.parse(error) as RunError)) === wanted;
}

export const get = endpoint(
  { summary: "Get a run", tag, params: RunPath, answers: { 200: JsonObjectSchema } },
  async ({ app, params, principal }) => {
    const run = await runOf(app, principal, params.thread_id, params.run_id);
    return { status: 200, body: (await showForLangGraph(app, [run]))[0] };
  },
);

const Action = Type.Optional(Type.Enum(["interrupt", "rollback"], { default: "interrupt" }));

/** A run that is rolled back has never been. Throws for a run that is over. */
async function stop(app: App, run: RunRow, action: "interrupt" | "rollback" | undefined): Promise<void> {
  if (isOver(run.status)) {
    throw new Problem("run_over", { run_id: runUuid(run.run_id), status: run.status });
  }
  if (action === "rollback") await forget(app.node, run);
  else await cancelRun(app.node, run, "cancel");
}

export const cancel = endpoint(
  {
    summary: "Cancel a run; rollback also removes it and what it left",
    tag,
    params: RunPath,
    query: Type.Object({ wait: Type.Optional(Type.String()), action: Action }),
    answers: { 202: null, 204: null },
  },
  async ({ app, params, query, principal }) => {
    await stop(app, await runOf(app, principal, params.thread_id, params.run_id), query.action);
    // The move is made when this answers, so there is nothing left to wait for.
    return { status: isYes(query.wait) ? 204 : 202 };
  },
);

export const cancelMany = endpoint(
  {
    summary: "Cancel runs of a thread, or all with a status",
    tag,
    query: Type.Object({ action: Action }),
    body: Type.Object({
      thread_id: Type.Optional(Nullable(Type.String())),
      run_ids: Type.Optional(Nullable(Type.Array(Type.String(), { maxItems: 1000 }))),
      status: Type.Optional(Nullable(Type.Enum(["pending", "running", "all"]))),
    }),
    answers: { 204: null },
  },
  async ({ app, query, body, principal }) => {
    const { thread_id, run_ids, status } = body;
    if (status != null && (thread_id != null || run_ids != null)) {
      throw new Problem("bad_request", { message: "Send either status, or thread_id and run_ids." });
    }
    if (status == null && (thread_id == null || run_ids == null)) {
      throw new Problem("bad_request", { message: "Send thread_id and run_ids, or status." });
    }
    const named = await Promise.all(
      (run_ids ?? []).map((run_id) => runOf(app, principal, thread_id!, run_id)),
    );
    const runs = status == null ? named : await liveRuns(app, principal, status);
    const live = runs.filter((run) => !isOver(run.status));
    if (live.length === 0) throw new Problem("not_found", { what: "pending or running run" });
    for (const run of live) {
      try {
        await stop(app, run, query.action);
      } catch (error) {
        // It ended by itself meanwhile.
        if (!(error instanceof Problem)) throw error;
      }
    }
    return { status: 204 };
  },
);

const MAX_CANCELED = 10_000;

function liveRuns(app: App, principal: Principal, status: "pending" | "running" | "all"): Promise<RunRow[]> {
  const deployment_ids = scopeOf(principal, undefined);
  const wanted = status === "all" ? (["pending", "running"] as const) : [status];
  const each = wanted.map((one) =>
    listRuns(app.node.database, { deployment_ids, status: one, limit: MAX_CANCELED }),
  );
  return Promise.all(each).then((lists) => lists.flat());
}

export const remove = endpoint(
  { summary: "Delete a run and what it left", tag, params: RunPath, answers: { 204: null } },
  async ({ app, params, principal }) => {
    await forget(app.node, await runOf(app, principal, params.thread_id, params.run_id));
    return { status: 204 };
  },
);

/** /v1/runs: stateless runs, and every run by its id. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { Type } from "typebox";
import { isOver } from "../../core/moves.ts";
import { Problem } from "../../core/problem.ts";
import { AcceptedRun, Run, RunRequest, RunStatusSchema } from "../../core/run.ts";
import { Nullable } from "../../core/schema.ts";
import { accept } from "../../engine/accept.ts";
import { cancel as cancelRun } from "../../engine/cancel.ts";
import { tailRun } from "../../engine/tail.ts";
import { deploymentExists } from "../../store/deployments.ts";
import { readEvents } from "../../store/events.ts";
import { findRun, listRuns, type RunRow, showRuns } from "../../store/runs.ts";
import type { App } from "../app.ts";
import { type Principal, reaches, requireDeployment, scopeOf } from "../auth.ts";
import { type Answer, endpoint } from "../endpoint.ts";
import { Cursor, DEFAULT_LIMIT, decodeCursor, encodeCursor, Limit } from "../page.ts";
import { lastEventId, streamEvents, TimesQuery, TypesQuery, typeFilter } from "../sse.ts";
import { threadOf } from "./threads.ts";

const tag = "runs";
const RunPath = Type.Object({ run_id: Type.String() });
export const Runs = Type.Object({ runs: Type.Array(Run), next_cursor: Nullable(Type.String()) });

export async function runOf(app: App, principal: Principal, run_id: string): Promise<RunRow> {
  const run = await findRun(app.node.database, run_id);
  if (!run || !reaches(principal)(run.deployment_id))
    throw new Problem("not_found", { what: "run", id: run_id });
  return run;
}

export const create = endpoint(
  {
    summary: "Start a stateless run",
    tag,
    body: Type.Object(
      {
        deployment_id: Type.String(),
        input: RunRequest.properties.input,
        environment: RunRequest.properties.environment,
        config: RunRequest.properties.config,
        metadata: RunRequest.properties.metadata,
        timeout_s: RunRequest.properties.timeout_s,
        webhook: RunRequest.properties.webhook,
      },
      { additionalProperties: false },
    ),
    answers: { 202: AcceptedRun },
  },
  async ({ app, body, principal, attempt }) => {
    const { deployment_id, ...request } = body;
    requireDeployment(principal, deployment_id);
    if (!(await deploymentExists(app.node.database, deployment_id))) {
      throw new Problem("not_found", { what: "deployment", id: deployment_id });
    }
    const accepted = await accept(app.node, app.worker, { thread: null, deployment_id, request, attempt });
    return { status: 202, body: accepted, headers: { location: `/v1/runs/${accepted.run_id}` } };
  },
);

export const get = endpoint(
  { summary: "Get a run", tag, params: RunPath, answers: { 200: Run } },
  async ({ app, params, principal }) => {
    const [run] = await showRuns(app.node.database, [await runOf(app, principal, params.run_id)]);
    return { status: 200, body: run };
  },
);

export const list = endpoint(
  {
    summary: "List runs, newest first",
    tag,
    query: Type.Object(
      {
        deployment_id: Type.Optional(Type.String()),
        thread_id: Type.Optional(Type.String()),
        status: Type.Optional(RunStatusSchema),
        limit: Limit,
        cursor: Cursor,
      },
      { additionalProperties: false },
    ),
    answers: { 200: Runs },
  },
  async ({ app, query, principal }) => {
    const deployment_ids = scopeOf(principal, query.deployment_id);
    const thread =
      query.thread_id === undefined ? undefined : await threadOf(app, principal, query.thread_id);
    const limit = query.limit ?? DEFAULT_LIMIT;
    const rows =
      deployment_ids?.length === 0
        ? []
        : await listRuns(app.node.database, {
            deployment_ids,
            log_id: thread?.log_id,
            status: query.status,
            before: runCursor(query.cursor),
            limit: limit + 1,
          });
    return { status: 200, body: await runsPage(app, rows, limit) };
  },
);

export const cancel = endpoint(
  {
    summary: "Cancel a run; `rollback` also drops the checkpoints it made",
    tag,
    params: RunPath,
    body: Type.Object(
      { action: Type.Optional(Type.Enum(["cancel", "rollback"], { default: "cancel" })) },
      { additionalProperties: false },
    ),
    answers: { 200: Type.Object({ success: Type.Literal(true), status: Type.Literal("canceled") }) },
  },
  async ({ app, params, body, principal }) => {
    const run = await runOf(app, principal, params.run_id);
    await cancelRun(app.node, run, body.action ?? "cancel");
    return { status: 200, body: { success: true, status: "canceled" } };
  },
);

export const events = endpoint(
  {
    summary: "A run's events, from the first or after Last-Event-ID; ends with the run",
    tag,
    params: RunPath,
    query: Type.Object({ types: TypesQuery, times: TimesQuery }, { additionalProperties: false }),
    answers: { 200: Type.String(), 204: null },
    streams: true,
  },
  async ({ app, params, query, principal, request, reply }) => {
    const run = await runOf(app, principal, params.run_id);
    const after = lastEventId(request, /^(\d{1,15})$/)?.[0] ?? 0;
    return streamRun(app, run, { seq: after, ...query }, request, reply);
  },
);

/** Streams a run's events of some types after `seq`; 204 when its last event is behind the reader, which stops an EventSource. */
export async function streamRun(
  app: App,
  run: RunRow,
  { seq, types, times }: { seq: number; types?: string | undefined; times?: boolean | undefined },
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Answer> {
  const { node } = app;
  if (seq > 0 && isOver(run.status)) {
    const place = { run_number: run.run_number ?? 0, seq };
    const rest = await readEvents(node.database, run.log_id, place, 1, "run");
    if (rest.length === 0) return { status: 204 };
  }
  await streamEvents(app, request, reply, {
    wanted: typeFilter(types),
    pages: (signal) => tailRun(node, run, seq, signal),
    id: (event) => String(event.seq),
    times,
  });
  return undefined;
}

const isRunPlace = (value: unknown): value is { run_id: string } =>
  typeof (value as { run_id?: unknown } | null)?.run_id === "string";

export function runCursor(cursor: string | undefined): string | undefined {
  return decodeCursor(cursor, isRunPlace)?.run_id;
}

export async function runsPage(app: App, rows: RunRow[], limit: number): Promise<object> {
  const runs = await showRuns(app.node.database, rows.slice(0, limit));
  return {
    runs,
    next_cursor: rows.length > limit ? encodeCursor({ run_id: rows[limit - 1]!.run_id }) : null,
  };
}

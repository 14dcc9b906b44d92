/** /v1/deployments/{deployment_id}/versions: source in, versions out, and which one each environment points at. */
import type { Readable } from "node:stream";
import { Type } from "typebox";
import { Version } from "../../core/deployment.ts";
import type { NumberedEvent } from "../../core/event.ts";
import { EnvironmentSchema } from "../../core/run.ts";
import { VersionStructure } from "../../core/structure.ts";
import { activateVersion, retire as retireOne, rollBack, versionOf } from "../../deploy/activate.ts";
import { buildTopic } from "../../deploy/builds.ts";
import { receiveVersion } from "../../deploy/receive.ts";
import { lastBuildLine, readBuildLines } from "../../store/builds.ts";
import {
  getVersion,
  listVersions,
  showVersions,
  type VersionRow,
  versionStructure,
} from "../../store/versions.ts";
import type { App } from "../app.ts";
import { requireDeployment, requireExisting } from "../auth.ts";
import { endpoint } from "../endpoint.ts";
import { Cursor, decodeCursor, encodeCursor, Limit } from "../page.ts";
import { lastEventId, streamEvents } from "../sse.ts";

const tag = "deployments";
const DeploymentPath = Type.Object({ deployment_id: Type.String() });
const VersionPath = Type.Object({ deployment_id: Type.String(), version_id: Type.String() });
const Environment = Type.Object(
  { environment: Type.Optional(EnvironmentSchema) },
  { additionalProperties: false },
);

async function show(app: App, row: VersionRow): Promise<Version> {
  return (await showVersions(app.node.database, [row]))[0]!;
}

export const create = endpoint(
  {
    summary:
      "Send the source of a new version, a gzipped tar; it is built, then the environment points at it",
    tag,
    params: DeploymentPath,
    query: Type.Object(
      {
        environment: Type.Optional(EnvironmentSchema),
        name: Type.Optional(
          Type.String({ maxLength: 100, description: "Which of the deployments in crewship.toml" }),
        ),
      },
      { additionalProperties: false },
    ),
    upload: true,
    answers: { 200: Version, 202: Version },
  },
  async ({ app, params, query, principal, request }) => {
    const { deployment_id } = params;
    await requireExisting(app, principal, deployment_id);
    const { version, isNew } = await receiveVersion(app.node.database, app.uploads, {
      deployment_id,
      archive: request.body as Readable,
      name: query.name,
      environment: query.environment ?? "production",
    });
    return { status: isNew ? 202 : 200, body: await show(app, version) };
  },
);

const isVersionPlace = (value: unknown): value is { number: number } =>
  Number.isInteger((value as { number?: unknown } | null)?.number);

export const list = endpoint(
  {
    summary: "A deployment's versions, newest first",
    tag,
    params: DeploymentPath,
    query: Type.Object({ limit: Limit, cursor: Cursor }, { additionalProperties: false }),
    answers: {
      200: Type.Object({
        versions: Type.Array(Version),
        next_cursor: Type.Union([Type.String(), Type.Null()]),
      }),
    },
  },
  async ({ app, params, query, principal }) => {
    await requireExisting(app, principal, params.deployment_id);
    const limit = query.limit ?? 20;
    const before = decodeCursor(query.cursor, isVersionPlace)?.number;
    const rows = await listVersions(app.node.database, params.deployment_id, { before, limit: limit + 1 });
    const versions = await showVersions(app.node.database, rows.slice(0, limit));
    const next_cursor = rows.length > limit ? encodeCursor({ number: rows[limit - 1]!.number }) : null;
    return { status: 200, body: { versions, next_cursor } };
  },
);

export const get = endpoint(
  { summary: "Get a version", tag, params: VersionPath, answers: { 200: Version } },
  async ({ app, params, principal }) => {
    requireDeployment(principal, params.deployment_id);
    const version = await versionOf(app.node.database, params.deployment_id, params.version_id);
    return { status: 200, body: await show(app, version) };
  },
);

export const structure = endpoint(
  {
    summary: "What a version's agent is made of: its graph drawn, its schemas, its subgraphs, its crew",
    tag,
    params: VersionPath,
    answers: { 200: VersionStructure },
  },
  async ({ app, params, principal }) => {
    const { database } = app.node;
    requireDeployment(principal, params.deployment_id);
    const { version_id } = await versionOf(database, params.deployment_id, params.version_id);
    return { status: 200, body: await versionStructure(database, version_id) };
  },
);

export const build = endpoint(
  {
    summary:
      "The log of a version's build, line by line as build.output; ends with build.ready or build.failed",
    tag,
    params: VersionPath,
    answers: { 200: Type.String(), 204: null },
    streams: true,
  },
  async ({ app, params, principal, request, reply }) => {
    const { database } = app.node;
    requireDeployment(principal, params.deployment_id);
    const version = await versionOf(database, params.deployment_id, params.version_id);
    const after = lastEventId(request, /^(\d{1,9})$/)?.[0] ?? 0;
    // The last event is behind the reader: this stops an EventSource.
    const isOver = version.status !== "building";
    if (isOver && after > (await lastBuildLine(database, version.version_id))) return { status: 204 };
    await streamEvents(app, request, reply, {
      wanted: () => true,
      pages: (signal) => buildEvents(app, version.version_id, after, signal),
      id: ({ seq }) => String(seq),
    });
    return undefined;
  },
);

/** Pages of a build's lines until it is over. */
async function* buildEvents(
  { node }: App,
  version_id: string,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<NumberedEvent[]> {
  let seq = after;
  while (!signal.aborted) {
    const wait = node.hints.wait(buildTopic(version_id), signal);
    // The status before the lines: those of a build that is over are all there.
    const version = await getVersion(node.database, version_id);
    const lines = await readBuildLines(node.database, version_id, seq);
    const events = lines.map(({ number, at, line }) => ({
      type: "build.output",
      data: { at, text: line },
      run_number: 0,
      seq: number,
    }));
    if (events.length > 0) {
      seq = events.at(-1)!.seq;
      wait.end();
      yield events;
      continue;
    }
    if (version?.status !== "building") {
      wait.end();
      const type = version?.status === "failed" ? "build.failed" : "build.ready";
      yield [{ type, data: { version_id, error: version?.error ?? null }, run_number: 0, seq: seq + 1 }];
      return;
    }
    await wait.over;
  }
}

export const activate = endpoint(
  {
    summary: "Point an environment at a version that is ready; runs under way go on as they are",
    tag,
    params: VersionPath,
    body: Environment,
    answers: { 200: Version },
  },
  async ({ app, params, body, principal }) => {
    const { deployment_id, version_id } = params;
    requireDeployment(principal, deployment_id);
    const place = { deployment_id, environment: body.environment ?? "production" };
    return {
      status: 200,
      body: await show(app, await activateVersion(app.node.database, place, version_id)),
    };
  },
);

export const rollback = endpoint(
  {
    summary:
      "Point an environment back at the version before the present one, among those that have served it",
    tag,
    params: DeploymentPath,
    body: Environment,
    answers: { 200: Version },
  },
  async ({ app, params, body, principal }) => {
    await requireExisting(app, principal, params.deployment_id);
    const place = { deployment_id: params.deployment_id, environment: body.environment ?? "production" };
    return { status: 200, body: await show(app, await rollBack(app.node.database, place)) };
  },
);

export const retire = endpoint(
  {
    summary: "Retire a version that no environment points at: none may again",
    tag,
    params: VersionPath,
    answers: { 200: Version },
  },
  async ({ app, params, principal }) => {
    const { deployment_id, version_id } = params;
    requireDeployment(principal, deployment_id);
    return {
      status: 200,
      body: await show(app, await retireOne(app.node.database, deployment_id, version_id)),
    };
  },
);

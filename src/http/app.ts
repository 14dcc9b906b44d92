/** The HTTP application: validation, keys, errors and the route table on top of Fastify. Decides nothing about runs. */
import { Readable } from "node:stream";
import cors from "@fastify/cors";
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import fastify, { type FastifyError, type FastifyInstance } from "fastify";
import { MAX_DEPTH, nestsDeeperThan } from "../core/json.ts";
import type { NodeState } from "../core/operations.ts";
import { Problem } from "../core/problem.ts";
import type { Secrets } from "../deploy/secrets.ts";
import type { Changes } from "../engine/changes.ts";
import type { Logger, Node } from "../engine/node.ts";
import type { Worker } from "../engine/worker.ts";
import { authenticate, requireRole } from "./auth.ts";
import { serveConsole } from "./console/files.ts";
import type { Spec } from "./endpoint.ts";
import { attemptOf } from "./idempotency.ts";
import { langGraphRoutes } from "./langgraph/routes.ts";
import { statusOf } from "./langgraph/words.ts";
import { ErrorBody, openApi } from "./openapi.ts";
import { routes } from "./routes.ts";
import { compileValidator } from "./validate.ts";

export const MAX_BODY_BYTES = 10 * 1024 * 1024;
/** How long a client may take to send its request: as long as an archive may take. Strangers are refused before their body. */
const REQUEST_TIMEOUT_MS = 15 * 60_000;
const UPLOAD_TYPE = "application/gzip";

/** What the endpoints work with. */
export type App = {
  node: Node;
  worker: Worker;
  /** Seals the values of variables. */
  secrets: Secrets;
  /** The folder of uploads that are not checked yet. */
  uploads: string;
  changes: Changes;
  /** What this node does right now. */
  nodeState: () => NodeState;
  /** A key that is always accepted; null: none. */
  serverKey: string | null;
  /** Aborts when the server begins to close: streams end, and their readers reconnect. */
  closing: AbortSignal;
  logger: Logger;
};

export type HttpOptions = {
  /** Web pages that may call. */
  origins?: readonly string[];
  /** Only the health checks are served. */
  healthOnly?: boolean;
  /** The console's built files. Default: those of this crewship. */
  consoleFolder?: string;
};

export async function makeHttp(
  app: App,
  { origins = [], healthOnly = false, consoleFolder }: HttpOptions = {},
): Promise<FastifyInstance> {
  const http = fastify({
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: "idle",
    exposeHeadRoutes: false,
    frameworkErrors: (error, _request, reply) => {
      const problem = toProblem(error);
      reply.raw.writeHead(problem.status, { "content-type": "application/json; charset=utf-8" });
      reply.raw.end(JSON.stringify(errorBody(problem)));
    },
    logger: false,
    routerOptions: { maxParamLength: 200 },
  });
  http.setValidatorCompiler(({ schema, httpPart }) => compileValidator(schema, httpPart ?? "body"));
  // Schemas describe; what goes out is made by our own code, so it is written as it is.
  http.setSerializerCompiler(() => (data) => JSON.stringify(data));
  acceptEmptyJson(http);
  acceptUploads(http);
  if (origins.length > 0)
    await http.register(cors, {
      origin: origins.map(originPattern),
      methods: ["GET", "POST", "PUT", "PATCH", "DELETE"],
      exposedHeaders: ["Location", "Content-Location", "Retry-After"],
    });
  await http.register(swagger, openApi);
  await http.register(swaggerUi, { routePrefix: "/docs" });
  http.get("/openapi.json", { schema: { hide: true } }, () => http.swagger());
  http.setErrorHandler((error: FastifyError, request, reply) => {
    const problem = toProblem(error);
    if (problem.code === "internal") {
      app.logger.error({ path: shownPath(request.url), error: error.stack }, "a request failed");
    }
    if (problem.status === 503) reply.header("retry-after", "1");
    const { langgraph } = request.routeOptions.config as RouteConfig;
    if (langgraph) return reply.code(statusOf(problem)).send({ detail: problem.message });
    return reply.code(problem.status).send(errorBody(problem));
  });
  http.setNotFoundHandler((request, reply) => {
    const problem = new Problem("method_not_allowed", {
      method: request.method,
      path: shownPath(request.url),
    });
    return reply.code(problem.status).send(errorBody(problem));
  });
  http.addHook("onResponse", async (request, reply) => {
    const route = request.routeOptions.url ?? "none";
    app.node.metrics.answered(request.method, route, reply.statusCode, reply.elapsedTime / 1000);
  });
  if (!healthOnly) serveConsole(http, consoleFolder);
  const table = [
    ...routes.map((route) => ({ ...route, langgraph: false })),
    ...langGraphRoutes.map((route) => ({ ...route, langgraph: true })),
  ];
  for (const { method, path, role, endpoint, langgraph } of table) {
    const { spec } = endpoint;
    if (healthOnly && spec.tag !== "health") continue;
    const config: RouteConfig = { upload: spec.upload ?? false, langgraph };
    http.route({
      method,
      url: path.replace("{path}", "*").replace(/\{(\w+)\}/g, ":$1"),
      config,
      ...(spec.upload ? uploading : {}),
      schema: {
        // LangGraph's protocol has a document of its own.
        hide: langgraph,
        summary: spec.summary,
        tags: [spec.tag],
        ...(role === null ? { security: [] } : {}),
        ...(spec.params ? { params: spec.params } : {}),
        ...(spec.query ? { querystring: spec.query } : {}),
        ...(spec.body ? { body: spec.body } : {}),
        ...(spec.upload ? { consumes: [UPLOAD_TYPE], body: BINARY } : {}),
        response: responses(spec),
      },
      // Keys before bodies: a stranger learns nothing about what a body must look like.
      onRequest: async (request) => {
        if (role === null) return;
        request.principal = await authenticate(app.node.database, request, app.serverKey);
        requireRole(request.principal, role);
      },
      preValidation: async (request) => {
        if (spec.upload) return requireStream(request.body);
        if (nestsDeeperThan(request.body, MAX_DEPTH)) throw new Problem("too_deep", { limit: MAX_DEPTH });
        if (request.body === undefined && spec.body) request.body = {};
        nameRest(request.params as Record<string, string>);
      },
      handler: async (request, reply) => {
        const answer = await endpoint.answer({
          app,
          params: request.params as never,
          query: request.query as never,
          body: request.body as never,
          principal: request.principal,
          attempt:
            role === null
              ? undefined
              : attemptOf(request, request.principal.key_id, request.url.split("?")[0]!),
          request,
          reply,
        });
        if (!answer) return reply;
        reply.code(answer.status).headers(answer.headers ?? {});
        return answer.body === undefined ? reply.send() : reply.send(answer.body);
      },
    });
  }
  return http;
}

declare module "fastify" {
  interface FastifyRequest {
    principal: import("./auth.ts").Principal;
  }
}

/** What the router calls `*`, the rest of a path, is `{path}` in the table of routes. */
function nameRest(params: Record<string, string>): void {
  if (params["*"] === undefined) return;
  params.path = params["*"];
  delete params["*"];
}

/** A path for logs and errors, without what is secret in it. */
function shownPath(url: string): string {
  return url.split("?")[0]!.replace(/^(\/webhooks\/runs\/).*/, "$1…");
}

/** A POST that says it sends JSON and sends nothing means an empty body. */
function acceptEmptyJson(http: FastifyInstance): void {
  const parse = http.getDefaultJsonParser("error", "error");
  http.removeAllContentTypeParsers();
  http.addContentTypeParser("application/json", { parseAs: "string" }, (request, body, done) => {
    if (body.length === 0) done(null, undefined);
    else parse(request, body as string, done);
  });
}

/** `langgraph`: errors are answered as that protocol does. */
type RouteConfig = { upload?: boolean; langgraph?: boolean };

const BINARY = { type: "string", format: "binary" };
/** What is sent is a stream, whose content the endpoint checks. */
const uploading = {
  validatorCompiler: ({ schema, httpPart }: { schema: unknown; httpPart?: string }) =>
    httpPart === "body" ? () => true : compileValidator(schema, httpPart ?? "body"),
};

function acceptUploads(http: FastifyInstance): void {
  http.addContentTypeParser(UPLOAD_TYPE, (request, body, done) => {
    if ((request.routeOptions.config as RouteConfig).upload) done(null, body);
    else done(new Problem("unsupported_media_type"));
  });
}

function requireStream(body: unknown): void {
  if (body instanceof Readable) return;
  throw new Problem("bad_request", {
    message: `Send a gzipped tar with \`Content-Type: ${UPLOAD_TYPE}\`.`,
  });
}

/** `http://localhost:*` allows every port. */
function originPattern(origin: string): string | RegExp {
  if (!origin.endsWith(":*")) return origin;
  return new RegExp(`^${origin.slice(0, -2).replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}(:\\d+)?$`);
}

function responses({ answers, streams, file }: Spec): Record<string, unknown> {
  const bytes = streams
    ? ["Events", "text/event-stream", { type: "string" }]
    : file
      ? ["The file", "application/octet-stream", { type: "string", format: "binary" }]
      : undefined;
  const entries = Object.entries(answers).map(([status, schema]) => {
    if (bytes && status === "200") {
      const [description, type, bodySchema] = bytes;
      return [status, { description, content: { [type as string]: { schema: bodySchema } } }];
    }
    return [status, schema ?? { type: "null", description: "No body" }];
  });
  return { ...Object.fromEntries(entries), "4xx": ErrorBody, "5xx": ErrorBody };
}

function errorBody(problem: Problem): object {
  const { message, details } = problem;
  const code = publicCode(problem);
  return { error: { code, message, ...(details && code !== "bad_request" ? { details } : {}) } };
}

/** The details of a 400 are its message; everything invalid shares one public code. */
function publicCode({ code, status }: Problem): string {
  return status === 400 ? "bad_request" : code === "method_not_allowed" ? "not_found" : code;
}

function toProblem(error: FastifyError): Problem {
  if (error instanceof Problem) return error;
  if (error.validation) return new Problem("bad_request", { message: error.message });
  switch (error.code) {
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return new Problem("too_large", { limit_mb: MAX_BODY_BYTES / 1024 / 1024 });
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return new Problem("unsupported_media_type");
  }
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) {
    const what =
      error instanceof SyntaxError ? `The body is not valid JSON: ${error.message}.` : error.message;
    return new Problem("bad_request", { message: what });
  }
  return new Problem("internal", undefined, { cause: error });
}

/** The OpenAPI document, made from the route schemas. Adds to them only what no schema says: names, headers, words. */
import type { FastifyDynamicSwaggerOptions } from "@fastify/swagger";
import { Type } from "typebox";
import { isObject, type Json, type JsonObject } from "../core/json.ts";
import { JsonObjectSchema } from "../core/schema.ts";
import { VERSION } from "../version.ts";

/** What every answer from 400 on looks like. */
export const ErrorBody = Type.Object(
  {
    error: Type.Object({
      code: Type.String({ examples: ["thread_busy"] }),
      message: Type.String({ description: "What is wrong and what to do about it." }),
      details: Type.Optional(
        Type.Unsafe({ ...JsonObjectSchema, description: "What the message names, for programs." }),
      ),
    }),
  },
  { title: "Error", description: "The request was refused or has failed." },
);

export const openApi: FastifyDynamicSwaggerOptions = {
  openapi: {
    openapi: "3.1.0",
    info: {
      title: "Crewship Threads",
      version: VERSION,
      description: "Threads, runs, checkpoints and streams for stateful AI agents.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/" }],
    components: {
      securitySchemes: { key: { type: "http", scheme: "bearer", description: "An API key" } },
    },
    security: [{ key: [] }],
  },
  transformObject: (documented) =>
    // The plugin's types know four versions of the format at once; it is JSON.
    "openapiObject" in documented
      ? (complete(documented.openapiObject as JsonObject) as typeof documented.openapiObject)
      : documented.swaggerObject,
};

const EVENT_STREAM = "text/event-stream";

const idempotencyKey = {
  name: "Idempotency-Key",
  in: "header",
  schema: { type: "string", minLength: 1, maxLength: 255 },
  description: "A repeat with the same key and body within 24 hours gets the first answer and does nothing.",
};
const lastEventId = {
  name: "Last-Event-ID",
  in: "header",
  schema: { type: "string" },
  description: "The id of the last frame that was read: the stream goes on after it.",
};
const meanings: Record<string, string> = { "200": "OK", "201": "Created", "202": "Accepted" };

function complete(document: JsonObject): JsonObject {
  const paths: Record<string, Record<string, JsonObject>> = {};
  for (const [path, operations] of Object.entries(document.paths as typeof paths)) {
    paths[path.replace("{*}", "{path}")] = operations;
  }
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(operations)) completeOperation(method, path, operation);
  }
  const schemas: JsonObject = {};
  const named = hoist(paths, schemas);
  return {
    ...document,
    paths: named,
    components: { ...(document.components as JsonObject), schemas: sorted(schemas) },
  };
}

/** What these make has a secret that is kept nowhere, so no repeat could be answered with it. */
const onceOnly = new Set(["keys", "webhooks"]);

function completeOperation(method: string, path: string, operation: JsonObject): void {
  operation.operationId = operationId(method, path);
  const answers = operation.responses as Record<string, { description: string; content?: JsonObject }>;
  for (const [status, answer] of Object.entries(answers)) {
    if (answer.description === "Default Response") answer.description = meanings[status] ?? "";
  }
  const streams = answers["200"]?.content?.[EVENT_STREAM] !== undefined;
  const body = operation.requestBody as { required: boolean; content: JsonObject } | undefined;
  // The same source makes no second version anyway.
  const uploads = body !== undefined && body.content["application/json"] === undefined;
  const creates = "201" in answers || "202" in answers || streams;
  const [tag] = operation.tags as [string];
  const repeatable = method === "post" && creates && !onceOnly.has(tag) && !uploads;
  const headers = [
    ...(repeatable ? [idempotencyKey] : []),
    ...(streams && method === "get" ? [lastEventId] : []),
  ];
  if (headers.length > 0) operation.parameters = [...((operation.parameters ?? []) as Json[]), ...headers];
  // No body counts as an empty one, so it is required only where something in it is.
  if (body) body.required = uploads || Object.values(body.content).some((media) => needsSomething(media));
}

/** `POST /v1/threads/{thread_id}/runs/wait` → `post_thread_runs_wait`: a word before a parameter names one of many. */
function operationId(method: string, path: string): string {
  const words = path.split("/").filter((word) => word !== "" && word !== "v1");
  const said = words.map((word, i) => (words[i + 1]?.startsWith("{") ? word.replace(/s$/, "") : word));
  return [method, ...said.filter((word) => !word.startsWith("{"))].join("_").replaceAll("-", "_");
}

function needsSomething(media: Json): boolean {
  const { schema } = media as { schema?: { required?: string[] } };
  return (schema?.required?.length ?? 0) > 0;
}

/** Replaces every schema that has a title by a reference to it, so that generated clients get named types. */
function hoist(value: Json, schemas: JsonObject): Json {
  if (Array.isArray(value)) return value.map((element) => hoist(element, schemas));
  if (!isObject(value)) return value;
  const inner = Object.fromEntries(Object.entries(value).map(([key, child]) => [key, hoist(child, schemas)]));
  if (typeof value.title !== "string" || value.type !== "object") return inner;
  schemas[value.title] = inner;
  return { $ref: `#/components/schemas/${value.title}` };
}

function sorted(object: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)));
}

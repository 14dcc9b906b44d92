/** The committed openapi.json, read as a client generator reads it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Json, JsonObject } from "../src/core/json.ts";
import { isObject } from "../src/core/json.ts";
import { type App, makeHttp } from "../src/http/app.ts";
import { routes } from "../src/http/routes.ts";

type Operation = {
  operationId: string;
  summary: string;
  tags: string[];
  security?: Json[];
  parameters?: { name: string; in: string; required?: boolean; schema: JsonObject }[];
  requestBody?: { required: boolean; content: Record<string, { schema: JsonObject }> };
  responses: Record<string, { description: string; content?: Record<string, { schema: JsonObject }> }>;
};
type Document = {
  openapi: string;
  security: Json[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, JsonObject>; securitySchemes: JsonObject };
};

const text = readFileSync(new URL("../openapi.json", import.meta.url), "utf8");
const document = JSON.parse(text) as Document;
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    method,
    path,
    name: `${method} ${path}`,
    operation,
  })),
);

test("openapi.json is what the route schemas say today", async () => {
  // No endpoint is called, so none misses the node it would work with.
  const http = await makeHttp({} as App);
  try {
    await http.ready();
    assert.equal(
      text,
      `${JSON.stringify(http.swagger(), null, 2)}\n`,
      "run `npm run generate` and commit openapi.json",
    );
  } finally {
    await http.close();
  }
});

test("the document describes every route of the table and no other", () => {
  assert.equal(document.openapi, "3.1.0");
  const described = operations.map(({ name }) => name).sort();
  const inTable = routes.map(({ method, path }) => `${method.toLowerCase()} ${path}`).sort();
  assert.deepEqual(described, inTable);
});

test("every operation has a name of its own, a summary and a tag", () => {
  const names = operations.map(({ operation }) => operation.operationId);
  assert.deepEqual(
    names.filter((name, i) => names.indexOf(name) !== i),
    [],
  );
  for (const { name, operation } of operations) {
    assert.match(operation.operationId, /^[a-z]+(_[a-z]+)+$/, name);
    assert.ok(operation.summary, `${name} has no summary`);
    assert.equal(operation.tags.length, 1, name);
  }
});

test("every reference leads to a schema of the document", () => {
  const references = [...text.matchAll(/"\$ref": "([^"]+)"/g)].map((match) => match[1]!);
  assert.ok(references.length > 0);
  for (const reference of new Set(references)) {
    const name = /^#\/components\/schemas\/(\w+)$/.exec(reference)?.[1];
    assert.ok(name && document.components.schemas[name], `${reference} leads nowhere`);
  }
});

test("every parameter of a path is declared, required and typed, and no other is declared", () => {
  for (const { name, path, operation } of operations) {
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!);
    const declared = (operation.parameters ?? []).filter((parameter) => parameter.in === "path");
    assert.deepEqual(declared.map((parameter) => parameter.name).sort(), inPath.sort(), name);
    for (const parameter of declared) {
      assert.equal(parameter.required, true, name);
      assert.equal(parameter.schema.type, "string", name);
    }
  }
});

test("every operation says what success looks like, and that any error is the same object", () => {
  for (const { name, operation } of operations) {
    const statuses = Object.keys(operation.responses);
    assert.ok(
      statuses.some((status) => /^20\d$/.test(status)),
      `${name} has no success`,
    );
    for (const [status, { description, content }] of Object.entries(operation.responses)) {
      assert.ok(description, `${name} ${status} has no description`);
      if (/^[23]04$/.test(status)) assert.equal(content, undefined, `${name} ${status} has a body`);
      else assert.ok(content, `${name} ${status} has no body`);
    }
    for (const status of ["4XX", "5XX"]) {
      assert.deepEqual(operation.responses[status]?.content?.["application/json"]?.schema, {
        $ref: "#/components/schemas/Error",
      });
    }
  }
  const { error } = document.components.schemas.Error!.properties as { error: JsonObject };
  assert.deepEqual(error!.required, ["code", "message"]);
});

test("every operation needs the bearer key, except the health checks", () => {
  assert.deepEqual(document.security, [{ key: [] }]);
  assert.ok(isObject(document.components.securitySchemes.key));
  for (const { method, path, name, operation } of operations) {
    const route = routes.find((row) => row.method.toLowerCase() === method && row.path === path);
    assert.deepEqual(operation.security, route?.role === null ? [] : undefined, name);
  }
});

test("a stream is declared as an event stream that a reader can resume", () => {
  const streams = operations.filter(({ operation }) =>
    Object.keys(operation.responses["200"]?.content ?? {}).includes("text/event-stream"),
  );
  assert.deepEqual(streams.map(({ name }) => name).sort(), [
    "get /v1/changes",
    "get /v1/deployments/{deployment_id}/versions/{version_id}/build",
    "get /v1/runs/{run_id}/events",
    "get /v1/threads/{thread_id}/events",
    "post /v1/threads/{thread_id}/runs/stream",
  ]);
  for (const { method, operation } of streams) {
    if (method === "get") assert.ok(headerNames(operation).includes("Last-Event-ID"));
  }
});

test("Idempotency-Key is declared on exactly the requests that create threads, checkpoints, runs, schedules and deployments", () => {
  const repeatable = operations.filter(({ operation }) => headerNames(operation).includes("Idempotency-Key"));
  assert.deepEqual(repeatable.map(({ name }) => name).sort(), [
    "post /v1/deployments",
    "post /v1/runs",
    "post /v1/schedules",
    "post /v1/schedules/{schedule_id}/run",
    "post /v1/threads",
    "post /v1/threads/{thread_id}/copy",
    "post /v1/threads/{thread_id}/runs",
    "post /v1/threads/{thread_id}/runs/stream",
    "post /v1/threads/{thread_id}/runs/wait",
    "post /v1/threads/{thread_id}/state",
    "post /webhooks/runs/{token}",
  ]);
});

test("a body is required exactly when something in it is", () => {
  for (const { name, operation } of operations) {
    if (!operation.requestBody) continue;
    const json = operation.requestBody.content["application/json"];
    // What is no JSON is a file, which must be there.
    if (!json) {
      assert.equal(operation.requestBody.required, true, name);
      continue;
    }
    const { schema: written } = json;
    const title = typeof written.$ref === "string" ? written.$ref.split("/").at(-1)! : undefined;
    const schema = title === undefined ? written : document.components.schemas[title]!;
    const required = (schema.required as Json[] | undefined) ?? [];
    assert.equal(operation.requestBody.required, required.length > 0, name);
  }
});

function headerNames({ parameters = [] }: Operation): string[] {
  return parameters.filter((parameter) => parameter.in === "header").map((parameter) => parameter.name);
}

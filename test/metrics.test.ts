/** /metrics: what it tells is what docs/metrics.md says, it counts what happened, and only the right keys see it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { functionProject, type TestServer, testServer } from "./fixtures/server.ts";

const DOCS = join(import.meta.dirname, "../docs/metrics.md");

type Shown = { name: string; type: string; help: string; labels: string[] };

const documented = (): Shown[] =>
  [...readFileSync(DOCS, "utf8").matchAll(/^\| `(\w+)` \| (\w+) \| ([\w, ]*)\| (.*) \|$/gm)].map(
    ([, name, type, labels, help]) => ({
      ...{ name: name!, type: type!, help: help! },
      labels: labels!.split(",").flatMap((label) => label.trim() || []),
    }),
  );

async function waitedRun({ call, deployment_id }: TestServer): Promise<void> {
  const { thread_id } = (await call("POST", "/v1/threads", { deployment_id })).body;
  const { body } = await call("POST", `/v1/threads/${thread_id}/runs/wait`, { input: { message: "hi" } });
  assert.equal(body.status, "succeeded");
  await call("GET", `/v1/runs/${body.id}/events`);
}

/** The sum of a metric's samples whose labels are these. */
function sampleOf(text: string, name: string, labels = ""): number {
  const lines = text.split("\n").filter((line) => line.startsWith(name) && line.includes(labels));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

test("every metric is documented with its type, labels and meaning, and no other is", async (t) => {
  const server = await testServer(t, functionProject);
  await waitedRun(server);
  const { body } = await server.call("GET", "/metrics?format=json");
  const told = (body as { name: string; type: string; help: string; values: { labels: object }[] }[]).map(
    ({ name, type, help, values }): Shown => ({
      ...{ name, type, help },
      labels: [...new Set(values.flatMap((value) => Object.keys(value.labels)))].filter(
        (label) => label !== "le",
      ),
    }),
  );
  const byName = (a: Shown, b: Shown) => (a.name < b.name ? -1 : 1);
  assert.deepEqual(told.sort(byName), documented().sort(byName));
});

test("runs, events, commits, processes and answers are counted as they happen", async (t) => {
  const server = await testServer(t, functionProject);
  await waitedRun(server);
  await waitedRun(server);
  const look = async () => {
    const { status, body, headers } = await server.call("GET", "/metrics");
    assert.equal(status, 200);
    assert.match(headers.get("content-type")!, /^text\/plain; version=0\.0\.4/);
    return body as string;
  };
  const deadline = Date.now() + 10_000;
  let text = await look();
  while (sampleOf(text, "crewship_runs_over_total", 'status="succeeded"') < 2) {
    assert.ok(Date.now() < deadline, text);
    text = await look();
  }
  assert.equal(sampleOf(text, "crewship_run_seconds_count"), 2);
  assert.equal(sampleOf(text, "crewship_run_start_seconds_count"), 2);
  assert.equal(sampleOf(text, "crewship_runs{"), 0);
  assert.ok(sampleOf(text, "crewship_commit_seconds_count") >= 2);
  assert.equal(sampleOf(text, "crewship_agent_processes", 'state="ready"'), 1);
  assert.ok(sampleOf(text, "crewship_agent_memory_bytes") > 1e6);
  assert.ok(sampleOf(text, "crewship_memory_bytes") > 1e6);
  assert.equal(sampleOf(text, "crewship_http_request_seconds_count", 'route="/v1/threads",status="201"'), 2);
  assert.equal(sampleOf(text, "crewship_http_request_seconds_count", 'route="/v1/runs/:run_id/events"'), 2);
  assert.equal(sampleOf(text, "crewship_open_streams"), 0);
  assert.ok(!text.includes("thr_"), "no address makes a series of its own");
});

test("metrics need a key, of any role, that reaches all deployments", async (t) => {
  const { server, call, deployment_id } = await testServer(t, functionProject);
  assert.equal((await fetch(`${server.url}/metrics`)).status, 401);
  const as = async (more: object) => {
    const { api_key } = (await call("POST", "/v1/keys", { name: "k", role: "read", ...more })).body;
    return (await call("GET", "/metrics", undefined, { authorization: `Bearer ${api_key}` })).status;
  };
  assert.equal(await as({}), 200);
  assert.equal(await as({ deployment_ids: [deployment_id] }), 403);
  assert.equal((await call("GET", "/metrics?format=xml")).status, 400);
});

/** Projects made for the hosted product, with OpenAI's model, work unmodified through `crewship dev`. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { CrewshipClient } from "../src/client/client.ts";
import type { JsonObject } from "../src/core/json.ts";
import type { Run } from "../src/core/run.ts";
import { openAiStub } from "./fixtures/openai_stub.ts";
import { pythonVariables } from "./fixtures/python.ts";

const ROOT = join(import.meta.dirname, "..");
/** A Python project's packages are installed before its first run begins. */
const WAIT_S = 600;

/** A fresh copy of a project under `crewship dev`, with a provider on loopback. */
async function serve(t: TestContext, project: string, framework: string, node_modules?: string) {
  const folder = mkdtempSync(join(tmpdir(), "crewship-shape-"));
  t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  cpSync(join(ROOT, "test/projects", project), folder, { recursive: true });
  if (node_modules) symlinkSync(node_modules, join(folder, "node_modules"));
  const provider = await openAiStub(t);
  const dev = spawn(join(ROOT, "bin/crewship"), ["dev", folder, "--json", "--port", "0", "--no-watch"], {
    env: {
      ...process.env,
      ...pythonVariables(),
      OPENAI_BASE_URL: provider,
      OPENAI_API_BASE: provider,
      OPENAI_API_KEY: "stub",
      XDG_CONFIG_HOME: join(folder, ".config"),
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const over = new Promise((resolve) => dev.once("exit", resolve));
  t.after(async () => {
    dev.kill("SIGTERM");
    await over;
  });
  const lines = createInterface({ input: dev.stdout });
  const ready = JSON.parse(await new Promise<string>((resolve) => lines.once("line", resolve)));
  assert.equal(ready.ready, true);
  const [{ deployment_id, framework: said }] = ready.deployments;
  assert.equal(said, framework);
  const client = new CrewshipClient({ url: ready.url, apiKey: ready.api_key });
  const { thread_id } = await client.createThread({ deployment_id });
  const run = async (input: JsonObject): Promise<Run> => {
    const answer = await client.waitForRun(thread_id, { input }, { wait_s: WAIT_S });
    assert.equal(answer.status, "succeeded", JSON.stringify(answer.error));
    return answer;
  };
  const events = async ({ id }: Run) => {
    const read: { type: string; data: JsonObject }[] = [];
    for await (const { type, data } of client.runEvents(id)) read.push({ type, data: data as JsonObject });
    return read;
  };
  return { folder, client, thread_id, run, events };
}

/** The packages of a Node project, installed once for its package.json. */
function installed(project: string): string {
  const manifest = join(ROOT, "test/projects", project, "package.json");
  const digest = createHash("sha256").update(readFileSync(manifest)).digest("hex");
  const cache = join(ROOT, ".cache", `${project}-${digest.slice(0, 12)}`);
  if (existsSync(cache)) return join(cache, "node_modules");
  const building = `${cache}.${process.pid}`;
  mkdirSync(building, { recursive: true });
  cpSync(manifest, join(building, "package.json"));
  execFileSync("npm", ["install", "--no-audit", "--no-fund"], { cwd: building, stdio: "ignore" });
  renameSync(building, cache);
  return join(cache, "node_modules");
}

const summary = {
  topic: "tea",
  research: "said: Research: tea",
  summary: "said: Summarize: said: Research: tea",
};

for (const [title, project, framework, node_modules] of [
  [
    "a LangGraph.js 0.2 project with plain string channels",
    "exact-shape",
    "langgraph-js",
    () => installed("exact-shape"),
  ],
  ["a LangGraph project with a module at its top", "exact-shape-langgraph", "langgraph", () => undefined],
] as const) {
  test(`${title} and OpenAI runs as it is`, async (t) => {
    const { client, thread_id, run, events } = await serve(t, project, framework, node_modules());
    const answer = await run({ topic: "tea" });
    assert.deepEqual(answer.output, summary);
    assert.deepEqual((await client.getThread(thread_id)).values, summary);
    const said = await events(answer);
    const tokens = said.flatMap(({ type, data }) => (type === "message.delta" ? [data.content] : []));
    assert.equal(tokens.join(""), `${summary.research}${summary.summary}`);
    assert.ok(tokens.length > 6, "the model streams its tokens");
  });
}

test("a CrewAI project in a src folder, with YAML and OpenAI, runs as it is and remembers", async (t) => {
  const { folder, client, thread_id, run, events } = await serve(t, "exact-shape-crewai", "crewai");
  const first = await run({ topic: "tea" });
  const output = first.output as { raw: string; tasks_output: unknown[] };
  assert.match(output.raw, /Write a briefing on tea/);
  const types = (await events(first)).map(({ type }) => type);
  for (const type of ["task.started", "task.completed", "agent.started", "agent.completed", "artifact"]) {
    assert.ok(types.includes(type), `there is a ${type} in ${types.join(" ")}`);
  }
  assert.equal(types.filter((type) => type === "task.completed").length, 2);
  assert.ok((first.metadata.usage as { total_tokens: number }).total_tokens > 0);
  assert.equal(
    existsSync(join(folder, "report.md")),
    false,
    "what a run writes is the run's, not the project's",
  );
  await run({ topic: "coffee" });
  const { values } = await client.getThread(thread_id);
  const { messages } = values as { messages: { role: string; content: string }[] };
  assert.deepEqual(
    messages.map(({ role }) => role),
    ["user", "assistant", "user", "assistant"],
  );
  const { checkpoints } = await client.history(thread_id, { granularity: "step" });
  assert.ok(checkpoints.length >= 6, "each finished task and each run leaves a checkpoint");
});

/** A project made for the hosted product, with LangGraph 0.2 and OpenAI, works unmodified through `crewship dev`. */
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
import { test } from "node:test";
import { CrewshipClient } from "../src/client/client.ts";
import { openAiStub } from "./fixtures/openai_stub.ts";

const ROOT = join(import.meta.dirname, "..");
const PROJECT = join(ROOT, "test/projects/exact-shape");

/** The project's own packages, installed once for this package.json. */
function installed(): string {
  const digest = createHash("sha256")
    .update(readFileSync(join(PROJECT, "package.json")))
    .digest("hex");
  const cache = join(ROOT, ".cache", `exact-shape-${digest.slice(0, 12)}`);
  if (existsSync(cache)) return join(cache, "node_modules");
  const building = `${cache}.${process.pid}`;
  mkdirSync(building, { recursive: true });
  cpSync(join(PROJECT, "package.json"), join(building, "package.json"));
  execFileSync("npm", ["install", "--no-audit", "--no-fund"], { cwd: building, stdio: "ignore" });
  renameSync(building, cache);
  return join(cache, "node_modules");
}

test("a LangGraph 0.2 project with plain string channels and OpenAI runs as it is", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "crewship-shape-"));
  t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  cpSync(PROJECT, folder, { recursive: true });
  symlinkSync(installed(), join(folder, "node_modules"));
  const provider = await openAiStub(t);
  const dev = spawn(join(ROOT, "bin/crewship"), ["dev", folder, "--json", "--port", "0", "--no-watch"], {
    env: {
      ...process.env,
      OPENAI_BASE_URL: provider,
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
  assert.equal(ready.deployments[0].framework, "langgraph-js");

  const call = async (path: string, body?: unknown) => {
    const answer = await fetch(ready.url + path, {
      method: body === undefined ? "GET" : "POST",
      headers: { authorization: `Bearer ${ready.api_key}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return JSON.parse(await answer.text());
  };
  const { thread_id } = await call("/v1/threads", { deployment_id: ready.deployments[0].deployment_id });
  const run = await call(`/v1/threads/${thread_id}/runs/wait`, { input: { topic: "tea" } });
  assert.equal(run.status, "succeeded", JSON.stringify(run.error));
  assert.deepEqual(run.output, {
    topic: "tea",
    research: "said: Research: tea",
    summary: "said: Summarize: said: Research: tea",
  });
  assert.deepEqual((await call(`/v1/threads/${thread_id}`)).values, run.output);
  const client = new CrewshipClient({ url: ready.url, apiKey: ready.api_key });
  const tokens: string[] = [];
  for await (const event of client.runEvents(run.id)) {
    if (event.type === "message.delta") tokens.push((event.data as { content: string }).content);
  }
  assert.equal(tokens.join(""), `${run.output.research}${run.output.summary}`);
  assert.ok(tokens.length > 6, "the model streams its tokens");
});

/** What `crewship dev` prints is what a new user pastes. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { firstSteps } from "../src/cli/first_steps.ts";
import { graphProject, testServer } from "./fixtures/server.ts";

test("the printed commands work when pasted: two turns, two checkpoints, a copy, its deletion", async (t) => {
  const { server, deployment_id } = await testServer(t, graphProject);
  const steps = firstSteps(
    { url: server.url, apiKey: server.apiKey, deployment_id },
    { framework: "langgraph-js", chat: { input_key: null, output_key: null } },
  );
  const { stdout } = await promisify(execFile)("sh", ["-c", steps], { timeout: 30_000 });
  const [first, second, history, deleted] = stdout.trim().split("\n");
  assert.equal(JSON.parse(first!).output.messages.at(-1).content, "1: Hello, my name is Ada.");
  assert.equal(JSON.parse(second!).output.messages.at(-1).content, "3: What is my name?");
  assert.equal(JSON.parse(history!).checkpoints.length, 2);
  assert.equal(deleted, "204");
});

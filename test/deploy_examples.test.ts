/** The three examples, deployed from another folder to a running server, as their packages' lock files and lists say. */
import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Version } from "../src/core/deployment.ts";
import { newProject, startDeployer } from "./fixtures/deployer.ts";
import { pythonVariables } from "./fixtures/python.ts";

const examples = join(import.meta.dirname, "../examples");
const BUILD_MS = 15 * 60_000;

const cases: [name: string, input: object, answer: RegExp][] = [
  [
    "langgraph-js-chat",
    { messages: [{ role: "user", content: "My name is Ada." }] },
    /Nice to meet you, Ada/,
  ],
  ["langgraph-chat", { messages: [{ role: "user", content: "My name is Ada." }] }, /Nice to meet you, Ada/],
  ["crewai-research", { message: "What do you know about tea?" }, /tea/i],
];

test("the three examples are deployed from another folder, answer, and are built once for each content", {
  timeout: BUILD_MS,
}, async (t) => {
  const deployer = await startDeployer(t, { environment: pythonVariables() });
  const elsewhere = newProject(t, {});
  for (const [name, input, answer] of cases) {
    const folder = join(newProject(t, {}), name);
    cpSync(join(examples, name), folder, {
      recursive: true,
      filter: (path) => !/node_modules|\.crewship|__pycache__/.test(path),
    });
    const said = await deployer.cli(elsewhere, ["deploy", folder, "--json"]);
    assert.equal(said.code, 0, said.stderr + said.stdout);
    const { deployment_id, version_id } = JSON.parse(said.stdout) as Version;
    const { thread_id } = await deployer.client.createThread({ deployment_id });
    const run = await deployer.client.waitForRun(thread_id, { input: { ...input } }, { wait_s: 120 });
    assert.equal(run.status, "succeeded", JSON.stringify(run.error));
    assert.match(JSON.stringify((await deployer.client.getThread(thread_id)).values), answer, name);
    const { drawings, schemas } = await deployer.client.getStructure(deployment_id, version_id);
    assert.ok(drawings[0]!.nodes.length > 0, `${name} tells its graph`);
    assert.ok(schemas.input_schema, `${name} tells what it is given`);
  }
});

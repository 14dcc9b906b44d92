/**
 * An agent of each framework that pays only what a person has approved: it asks, its thread shows the question, and the
 * answer comes by the command line or over HTTP, also after the server was killed in between.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Run } from "../src/core/run.ts";
import { ServerProcess } from "./faults/server.ts";

const main = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url));
/** The first run of a CrewAI agent waits for its packages. */
const WAIT_S = 600;

for (const [framework, project, name] of [
  ["a LangGraph.js graph", "approval-js", "graph"],
  ["a function in Node", "approval-js", "function"],
  ["a LangGraph graph in Python", "approval-python", "graph"],
  ["a function in Python", "approval-python", "function"],
  ["a CrewAI flow", "approval-crewai", "flow"],
] as const) {
  test(`${framework} asks, waits over a crash of the server, and goes on as it is told`, async (t) => {
    const named = name === "flow" ? {} : { name };
    const server = await ServerProcess.start({ project: `test/projects/${project}`, ...named });
    t.after(() => server.remove());
    const client = server.client();
    const { deployment_id } = server;
    const { thread_id } = await client.createThread({ deployment_id });
    const cli = async (...args: string[]) => {
      const env = { ...process.env, CREWSHIP_URL: server.url, CREWSHIP_API_KEY: server.apiKey };
      return promisify(execFile)(process.execPath, [main, ...args], { env, timeout: WAIT_S * 1000 });
    };
    const ask = async (amount: number): Promise<Run> => {
      const run = await client.waitForRun(thread_id, { input: { amount } }, { wait_s: WAIT_S });
      assert.equal(run.status, "interrupted", JSON.stringify(run.error));
      return run;
    };

    const asked = await ask(50);
    const thread = await client.getThread(thread_id);
    assert.equal(thread.status, "interrupted");
    const [question, ...others] = thread.interrupts!;
    assert.equal(others.length, 0);
    assert.match(JSON.stringify(question!.value), /Pay 50\?/);
    for await (const { type, data } of client.runEvents(asked.id)) {
      if (type === "run.interrupted") assert.deepEqual(data, { interrupts: [question] });
    }
    const { interrupts, checkpoint_id } = await client.getState(thread_id);
    assert.deepEqual(interrupts, [question]);

    await server.kill();
    await server.start();
    assert.deepEqual((await client.getThread(thread_id)).interrupts, [question]);
    const unknown = { command: { resume: { "00000000000000000000000000000000": "yes" } } };
    await assert.rejects(
      client.createRun(thread_id, unknown),
      (error: { status: number; message: string }) => {
        assert.equal(error.status, 409);
        assert.ok(error.message.includes(question!.id), error.message);
        return true;
      },
    );
    await cli("invoke", "--thread", thread_id, "--resume", "yes");
    const paid = await client.getThread(thread_id);
    assert.deepEqual([paid.status, paid.values!.outcome, paid.values!.payments], ["idle", "paid", [50]]);
    await assert.rejects(client.createRun(thread_id, { command: { resume: "yes" } }), /waits for no answer/);

    const { stderr } = await cli("invoke", "--thread", thread_id, "-i", '{"amount":70}');
    assert.match(stderr, /Pay 70\?/);
    assert.match(stderr, new RegExp(`crewship invoke --thread ${thread_id} --resume`));
    const [second] = (await client.getThread(thread_id)).interrupts!;
    const answer = { command: { resume: { [second!.id]: "no" } } };
    assert.equal((await client.waitForRun(thread_id, answer, { wait_s: WAIT_S })).status, "succeeded");
    const refused = await client.getThread(thread_id);
    assert.deepEqual(
      [refused.status, refused.values!.outcome, refused.values!.payments],
      ["idle", "refused", [50]],
    );

    const otherwise = { checkpoint_id: checkpoint_id!, command: { resume: "no" } };
    assert.equal((await client.waitForRun(thread_id, otherwise, { wait_s: WAIT_S })).status, "succeeded");
    const { values } = await client.getThread(thread_id);
    assert.deepEqual(
      [values!.outcome, values!.payments ?? []],
      ["refused", []],
      "the first question was answered otherwise",
    );
  });
}

/** The examples in Python answer as their READMEs say, without a key and without a network. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Run } from "../src/core/run.ts";
import { ServerProcess } from "./faults/server.ts";

const WAIT_S = 600;

async function converse(t: TestContext, project: string, said: object[]) {
  const server = await ServerProcess.start({ project });
  t.after(() => server.remove());
  const client = server.client();
  const { thread_id } = await client.createThread({ deployment_id: server.deployment_id });
  const runs: Run[] = [];
  for (const input of said) {
    const run = await client.waitForRun(thread_id, { input: { ...input } }, { wait_s: WAIT_S });
    assert.equal(run.status, "succeeded", JSON.stringify(run.error));
    runs.push(run);
  }
  const { values } = await client.getThread(thread_id);
  const { messages } = values as { messages: { role: string; content: string }[] };
  const answers = messages.filter(({ role, content }) => role === "assistant" && content !== "");
  return { server, runs, answers: answers.map(({ content }) => content) };
}

test("the LangGraph example remembers, uses its tool and streams", async (t) => {
  const { server, runs, answers } = await converse(
    t,
    "examples/langgraph-chat",
    ["My name is Ada.", "What is the weather in Oslo?", "And in Paris?", "What is my name?"].map(
      (content) => ({
        messages: [{ role: "user", content }],
      }),
    ),
  );
  assert.deepEqual(answers, [
    "Nice to meet you, Ada! Ask me later and I will still know.",
    "In Oslo it is 9 °C, sunny.",
    "In Paris it is 18 °C, a few clouds.",
    "Your name is Ada. You told me in your 1st message; this is your 4th.",
  ]);
  const types = [];
  for await (const { type } of server.client().runEvents(runs[1]!.id)) types.push(type);
  for (const type of ["tool.called", "tool.result", "message.delta", "task.completed"])
    assert.ok(types.includes(type), `no ${type} in ${types.join(" ")}`);
});

test("the CrewAI example goes on with its subject and leaves its report", async (t) => {
  const { server, runs, answers } = await converse(
    t,
    "examples/crewai-research",
    ["What do you know about tea?", "Tell me more."].map((message) => ({ message })),
  );
  assert.match(answers[0]!, /tea/i);
  assert.match(answers[1]!, /tea/i);
  assert.notEqual(answers[0], answers[1]);
  for (const { id } of runs) {
    const report = await server.client().downloadArtifact(id, "report.md");
    assert.equal(report.headers.get("content-type"), "text/markdown; charset=utf-8");
    assert.match(await report.text(), /tea/i);
  }
});

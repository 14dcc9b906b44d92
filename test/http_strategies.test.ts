/** Busy threads, answers and breakpoints over HTTP, with a function and a real graph. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import {
  functionProject,
  graphProject,
  type TestAnswer,
  type TestServer,
  testServer,
} from "./fixtures/server.ts";

/** Waits for every promise of after(): a suite's own context has none. */
const ends: (() => unknown)[] = [];
const suite = { after: (end: () => unknown) => void ends.push(end) };

describe("a busy thread", { timeout: 60_000 }, () => {
  let server: TestServer;
  before(async () => {
    server = await testServer(suite, functionProject);
  });
  it("lets an enqueued run wait its turn, in the order they came", async () => {
    const thread = await create(server);
    const first = await start(server, thread, { input: { message: "1", wait: true } });
    const second = await start(server, thread, { input: { message: "2" }, multitask_strategy: "enqueue" });
    const third = await start(server, thread, { input: { message: "3" }, multitask_strategy: "enqueue" });
    assert.deepEqual([second.body.status, third.body.status], ["pending", "pending"]);
    assert.equal((await server.call("GET", `/v1/threads/${thread}`)).body.status, "busy");
    await server.call("POST", `/v1/runs/${first.body.run_id}/cancel`);
    await over(server, third.body.run_id);
    assert.deepEqual((await server.call("GET", `/v1/threads/${thread}`)).body.values, { said: ["2", "3"] });
    const { runs } = (await server.call("GET", `/v1/threads/${thread}/runs`)).body;
    assert.ok(runs[1].completed_at <= runs[0].started_at, "the second was over before the third began");
  });

  it("gives its place to a run that interrupts, and cancels what was there and what waited", async () => {
    const thread = await create(server);
    const first = await start(server, thread, { input: { message: "1", wait: true } });
    const second = await start(server, thread, { input: { message: "2" }, multitask_strategy: "enqueue" });
    const third = await start(server, thread, { input: { message: "3" }, multitask_strategy: "interrupt" });
    assert.equal((await over(server, third.body.run_id)).status, "succeeded");
    for (const { body } of [first, second]) {
      assert.equal((await server.call("GET", `/v1/runs/${body.run_id}`)).body.status, "canceled");
    }
    assert.deepEqual((await server.call("GET", `/v1/threads/${thread}`)).body.values, { said: ["3"] });
  });

  it("begins a run no sooner than it asks for, and others before it", async () => {
    const thread = await create(server);
    const late = await start(server, thread, { input: { message: "late" }, after_seconds: 1 });
    assert.equal(late.body.status, "pending");
    assert.equal((await start(server, thread, { input: {} })).status, 409);
    const soon = await start(server, thread, { input: { message: "soon" }, multitask_strategy: "enqueue" });
    await over(server, late.body.run_id);
    assert.equal((await over(server, soon.body.run_id)).status, "succeeded");
    const run = (await server.call("GET", `/v1/runs/${late.body.run_id}`)).body;
    assert.ok(Date.parse(run.started_at) - Date.parse(run.created_at) >= 1_000);
    assert.deepEqual((await server.call("GET", `/v1/threads/${thread}`)).body.values, {
      said: ["soon", "late"],
    });
  });

  it("refuses what a plain function cannot be asked, and changes nothing", async () => {
    const thread = await create(server);
    for (const body of [
      { command: { goto: "x" } },
      { interrupt_before: ["x"] },
      { input: 1, command: { resume: 1 } },
      { after_seconds: -1 },
      { multitask_strategy: "juggle" },
    ]) {
      assert.equal((await start(server, thread, body)).status, 400, JSON.stringify(body));
    }
    const unasked = await start(server, thread, { command: { resume: "yes" } });
    assert.equal(unasked.status, 409);
    assert.equal(unasked.body.error.code, "interrupt_not_waiting");
    assert.deepEqual((await server.call("GET", `/v1/threads/${thread}/runs`)).body.runs, []);
    assert.equal((await server.call("GET", `/v1/threads/${thread}`)).body.status, "idle");
    for (const end of ends.splice(0).reverse()) await end();
  });
});

describe("a graph's thread", { timeout: 60_000 }, () => {
  let server: TestServer;
  before(async () => {
    server = await testServer(suite, graphProject);
  });
  const say = (content: string) => ({ input: { messages: [{ role: "user", content }] } });

  it("that is rolled back by a new run has nothing of the one before", async () => {
    const thread = await create(server);
    const first = await start(server, thread, say("wait"));
    await event(server, first.body.run_id, "task.started");
    const second = await start(server, thread, { ...say("hello"), multitask_strategy: "rollback" });
    assert.equal((await over(server, second.body.run_id)).status, "succeeded");
    const { checkpoints } = (await server.call("GET", `/v1/threads/${thread}/history?granularity=step`)).body;
    assert.deepEqual(
      [...new Set(checkpoints.map((one: { run_id: string }) => one.run_id))],
      [second.body.run_id],
    );
    const { values } = (await server.call("GET", `/v1/threads/${thread}`)).body;
    assert.deepEqual(
      values.messages.map((message: { content: string }) => message.content),
      ["hello", "1: hello"],
    );
  });

  it("takes an answer only to a question that waits, and says which do", async () => {
    const thread = await create(server);
    await wait(server, thread, say("ask"));
    const { interrupts } = (await server.call("GET", `/v1/threads/${thread}`)).body;
    assert.equal(interrupts.length, 1);
    const stranger = "0".repeat(32);
    const wrong = await start(server, thread, { command: { resume: { [stranger]: "a" } } });
    assert.equal(wrong.status, 409);
    assert.deepEqual(wrong.body.error.details.interrupts, interrupts);
    assert.match(wrong.body.error.message, new RegExp(`${stranger}, but to ${interrupts[0].id}`));
    assert.equal((await start(server, thread, { command: { resume: null } })).status, 400);
    assert.equal((await server.call("GET", `/v1/threads/${thread}`)).body.status, "interrupted");
    const answered = await wait(server, thread, { command: { resume: { [interrupts[0].id]: "blue" } } });
    assert.equal(answered.body.status, "succeeded");
    const again = await start(server, thread, { command: { resume: "green" } });
    assert.equal(again.body.error.code, "interrupt_not_waiting");
  });

  it("that waits its turn with an answer fails, clearly, when nobody waits for it any more", async () => {
    const thread = await create(server);
    const first = await start(server, thread, say("wait"));
    const second = await start(server, thread, { command: { resume: 1 }, multitask_strategy: "enqueue" });
    assert.equal(second.status, 202);
    await server.call("POST", `/v1/runs/${first.body.run_id}/cancel`, { action: "rollback" });
    const run = await over(server, second.body.run_id);
    assert.equal(run.error.code, "interrupt_not_waiting");
    assert.equal(run.status, "failed");
  });

  it("refuses nodes the graph does not have, and names those it has", async () => {
    const thread = await create(server);
    for (const body of [
      { command: { goto: "nowhere" } },
      { command: { goto: [{ node: "nowhere", input: 1 }] } },
      { ...say("hi"), interrupt_before: ["nowhere"] },
      { ...say("hi"), interrupt_after: ["nowhere"] },
    ]) {
      const answer = await start(server, thread, body);
      assert.equal(answer.status, 400, JSON.stringify(body));
      assert.match(answer.body.error.message, /no node "nowhere"\. Its nodes: echo\./);
    }
    assert.equal((await start(server, thread, { command: { goto: 7 } })).status, 400);
    assert.equal((await server.call("GET", `/v1/threads/${thread}`)).body.status, "idle");
    await wait(server, thread, say("hi"));
    assert.equal((await wait(server, thread, { command: { goto: "echo" } })).body.status, "succeeded");
  });

  it("is interrupted again when the run that was to answer is canceled before it began, or rolled back", async () => {
    const thread = await create(server);
    await wait(server, thread, say("ask"));
    const answer = await start(server, thread, { command: { resume: "late" }, after_seconds: 3600 });
    await server.call("POST", `/v1/runs/${answer.body.run_id}/cancel`);
    assert.equal((await server.call("GET", `/v1/threads/${thread}`)).body.status, "interrupted");
    const stopped = await wait(server, await create(server), { ...say("hi"), interrupt_before: ["echo"] });
    assert.equal(stopped.body.status, "interrupted");
    const on = await start(server, stopped.body.thread_id, { ...say("wait"), after_seconds: 3600 });
    await server.call("POST", `/v1/runs/${on.body.run_id}/cancel`, { action: "rollback" });
    assert.equal(
      (await server.call("GET", `/v1/threads/${stopped.body.thread_id}`)).body.status,
      "interrupted",
    );
    for (const end of ends.splice(0).reverse()) await end();
  });
});

async function create(server: TestServer): Promise<string> {
  const { deployment_id } = server;
  return (await server.call("POST", "/v1/threads", { deployment_id })).body.thread_id;
}

function start(server: TestServer, thread: string, body: object): Promise<TestAnswer> {
  return server.call("POST", `/v1/threads/${thread}/runs`, body);
}

function wait(server: TestServer, thread: string, body: object): Promise<TestAnswer> {
  return server.call("POST", `/v1/threads/${thread}/runs/wait`, body);
}

/** Reads the run's stream to its end. */
async function over(server: TestServer, run_id: string): Promise<TestAnswer["body"]> {
  await server.call("GET", `/v1/runs/${run_id}/events`);
  return (await server.call("GET", `/v1/runs/${run_id}`)).body;
}

/** Waits for the first event of a type. */
async function event(server: TestServer, run_id: string, type: string): Promise<void> {
  const { url, apiKey } = server.server;
  const headers = { authorization: `Bearer ${apiKey}` };
  const answer = await fetch(`${url}/v1/runs/${run_id}/events`, { headers });
  for await (const chunk of answer.body!) if (Buffer.from(chunk).toString().includes(`"${type}"`)) return;
  assert.fail(`${run_id} ended without ${type}`);
}

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Agent, project, Threads } from "./harness.ts";

describe("a plain function", { concurrency: 1 }, () => {
  const directory = project("function");
  const load = (name: string, threads = new Threads()) =>
    Agent.load(directory, `./src/agents.ts:${name}`, { framework: "function", threads });

  test("keeps what it assigned or changed in place, one checkpoint per run", async () => {
    const agent = await load("count");
    const log = agent.threads.log("t");
    const first = await agent.run({ input: { by: 2 }, initial_values: { total: 10 } });
    assert.deepEqual(first.output, { total: 12, thread: "t" });
    const second = await agent.run({ input: {} });
    assert.deepEqual(second.output, { total: 13, thread: "t" });
    assert.equal(log.checkpoints.length, 2);
    const [one, two] = log.checkpoints;
    assert.equal(two!.parent_checkpoint_id, one!.checkpoint_id);
    assert.ok(two!.checkpoint_id > one!.checkpoint_id);
    assert.deepEqual([one!.step, two!.step, two!.source], [0, 1, "run"]);
    assert.deepEqual(log.values().history, [
      { added: 2, text: "an entry that is long enough to be stored as an item" },
      { added: 1, text: "an entry that is long enough to be stored as an item" },
    ]);
    assert.equal(log.items.length, 2, "an entry is stored once");
    await agent.stop();
  });

  test("sends events by yielding and emitting, and its return value is the output", async () => {
    const agent = await load("narrate");
    const log = agent.threads.log("t");
    const { done, output, events } = await agent.run({
      input: { words: ["a", "b"] },
      initial_values: { gone: 1, kept: 2 },
    });
    assert.equal(done.outcome, "succeeded", JSON.stringify(done.error));
    assert.equal(output, 2);
    assert.deepEqual(events, [
      { type: "custom", data: { word: "a" } },
      { type: "custom", data: { word: "b" } },
      { type: "progress", data: { percent: 100 } },
      { type: "note", data: { text: "emitted" } },
      { type: "custom", data: { plain: true } },
    ]);
    assert.deepEqual(log.values(), { kept: 2, when: "1970-01-01T00:00:00.000Z" });
    await agent.run({ input: { words: [] } });
    assert.deepEqual(log.checkpoints[1]!.channels, {}, "what did not change is not stored again");
    await agent.stop();
  });

  test("fails with a clear code when its output has no JSON form, and keeps no state", async () => {
    const agent = await load("unprintable");
    const { done } = await agent.run();
    assert.equal(done.outcome, "failed");
    assert.equal(done.error!.code, "output_not_json");
    assert.match(done.error!.message, /callback.*function/);
    assert.equal(agent.threads.log("t").checkpoints.length, 0);
    await agent.stop();
  });

  test("fails with its own message and line, and changes nothing", async () => {
    const agent = await load("fail");
    const { done } = await agent.run();
    assert.equal(done.error!.message, "no such luck");
    assert.match(done.error!.traceback!, /agents\.ts:3\d/);
    assert.equal(agent.threads.log("t").checkpoints.length, 0);
    await agent.stop();
  });

  test("cannot forge the server's events", async () => {
    const agent = await load("forge");
    const { done } = await agent.run();
    assert.equal(done.outcome, "failed");
    assert.match(done.error!.message, /run\.completed/);
    await agent.stop();
  });

  test("is told of a cancel by its signal", async () => {
    const agent = await load("wait");
    const { run_id, result } = agent.begin({});
    await agent.message((message) => message.type === "event");
    agent.send({ type: "cancel", run_id });
    assert.equal((await result).done.outcome, "canceled");
    await agent.stop();
  });

  test("runs without a thread in a hidden log", async () => {
    const agent = await load("count");
    const { output } = await agent.run({ thread_id: null, input: { by: 1 } });
    assert.deepEqual(output, { total: 1, thread: null });
    await agent.stop();
  });
});

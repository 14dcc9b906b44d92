import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runners } from "./runners.ts";

const LINES = 20_000;
const BYTES = 3_000_000;

for (const runner of runners()) {
  describe(`a plain function in ${runner.name}`, { concurrency: 1 }, () => {
    const { load } = runner;

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
      const { when, ...rest } = log.values();
      assert.deepEqual(rest, { kept: 2 });
      assert.equal(Date.parse(String(when)), 0);
      await agent.run({ input: { words: [] } });
      assert.deepEqual(log.checkpoints[1]!.channels, {}, "what did not change is not stored again");
      await agent.stop();
    });

    test("may be async, or an async generator", async () => {
      const agent = await load("stream");
      const { done, events } = await agent.run({ input: {} });
      assert.equal(done.outcome, "succeeded", JSON.stringify(done.error));
      assert.deepEqual(events, [{ type: "custom", data: { part: 1 } }]);
      assert.equal(agent.threads.log("t").values().seen, true);
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

    test("fails when its state cannot be stored, with the place in it, and keeps nothing", async () => {
      const agent = await load("unstorable");
      const { done } = await agent.run();
      assert.equal(done.outcome, "failed");
      assert.match(
        done.error!.message,
        /The value of the state's key "deep".*\[1\].*Keep only data in the state/,
      );
      assert.equal(agent.threads.log("t").checkpoints.length, 0);
      await agent.stop();
    });

    test("fails with its own message and line, and changes nothing", async () => {
      const agent = await load("fail");
      const { done } = await agent.run();
      assert.match(done.error!.message, /no such luck/);
      assert.match(done.error!.traceback!, /agents\.ts:\d+|agents\.py", line \d+, in fail/);
      assert.doesNotMatch(done.error!.traceback!, /runners/, "our own frames say nothing to its author");
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
      assert.equal(agent.threads.log("t").checkpoints.length, 0);
      await agent.stop();
    });

    test("asks, and is called again with its input, the answers so far and the state it began with", async () => {
      const agent = await load("approve");
      const log = agent.threads.log("t");
      const input = { of: { $crewship: "data" } };
      const first = await agent.run({
        input: { of: { $crewship: ["object", input.of] } },
        initial_values: { history: ["an entry that is long enough to be stored as an item of its own"] },
      });
      assert.equal(first.done.outcome, "interrupted", JSON.stringify(first.done));
      const asking = log.checkpoints.at(-1)!;
      const [question] = log.questions();
      assert.deepEqual(question!.value, { question: "how much?", of: input.of });
      assert.equal(question!.task, "approve");
      assert.deepEqual(asking.shown!.next, ["approve"]);
      assert.deepEqual([log.values().count, log.values().left], [1, true], "what it did so far can be seen");

      const second = await agent.run({ command: { resume: { [question!.id]: 5 } } });
      assert.equal(second.done.outcome, "interrupted");
      assert.deepEqual(
        second.events.map(({ data }) => log.show(data)),
        [{ input }],
      );
      assert.deepEqual(log.questions()[0]!.value, ["for whom?"]);
      assert.equal(log.values().count, 1, "a step that is repeated counts once");

      const third = await agent.run({ command: { resume: { first: "Ada" } } });
      assert.deepEqual(third.output, { amount: 5, name: { first: "Ada" } });
      const { history, ...values } = log.values();
      assert.deepEqual(values, { count: 1, left: true, paid: [5, { first: "Ada" }] });
      assert.equal((history as unknown[]).length, 1);

      const again = await agent.run({
        checkpoint_id: asking.checkpoint_id,
        command: { resume: 6 },
      });
      assert.equal(again.done.outcome, "interrupted", "the first question can be answered otherwise");
      const other = await agent.run({ command: { resume: "Bob" } });
      assert.deepEqual(other.output, { amount: 6, name: "Bob" });
      const fresh = await agent.run({ input: { of: "tea" } });
      assert.equal(fresh.done.outcome, "interrupted");
      assert.equal(log.values().count, 2, "an input instead of an answer is a new beginning");
      await agent.stop();
    });

    test("whose earlier attempt has asked does not ask again", async () => {
      const agent = await load("approve");
      const log = agent.threads.log("t");
      const run_id = "run_asked";
      await agent.run({ run_id, input: { of: "tea" } });
      const { done, events } = await agent.run({ run_id, input: { of: "tea" }, attempt: 2 });
      assert.equal(done.outcome, "interrupted");
      assert.deepEqual(events, []);
      assert.equal(log.checkpoints.length, 1);
      await agent.stop();
    });

    test("runs without a thread in a hidden log", async () => {
      const agent = await load("count");
      const { output } = await agent.run({ thread_id: null, input: { by: 1 } });
      assert.deepEqual(output, { total: 1, thread: null });
      await agent.stop();
    });

    test("leaves what it prints as log events of its own run, and of no other", async () => {
      const agent = await load("chatter");
      const [one, two] = await Promise.all([
        agent.run({ thread: "one", input: { name: "one" } }),
        agent.run({ thread: "two", input: { name: "two" } }),
      ]);
      for (const [name, { events }] of Object.entries({ one, two })) {
        assert.deepEqual(
          events.map(({ data }) => data),
          [
            { level: "info", message: `${name} out` },
            { level: "error", message: `${name} err` },
            { level: "info", message: `${name} without an end` },
          ],
        );
      }
      assert.equal(agent.stdout + agent.stderr, "");
      await agent.stop();
    });

    test("may print a line of any length: what is kept of it says how much is gone", async () => {
      const agent = await load("printLine");
      const { events } = await agent.run({ input: { length: BYTES } });
      const { message } = events[0]!.data as { message: string };
      assert.match(message, /^x{8192} … \(2991808 more characters\)$/);
      await agent.stop();
    });

    test("may flood its output: the run ends, and its last line is there", async () => {
      const agent = await load("flood");
      const { done, events } = await agent.run({ input: { lines: LINES } });
      assert.equal(done.outcome, "succeeded");
      const lines = events.map(({ data }) => (data as { message: string }).message);
      const dropped = lines.map((line) => /^(\d+) lines were dropped/.exec(line)?.[1]).filter(Boolean);
      const notes = dropped.length;
      assert.equal(lines.length - notes + dropped.reduce((sum, count) => sum + Number(count), 0), LINES);
      await agent.stop();
    });

    test("may return a value of many megabytes", async () => {
      const agent = await load("large");
      const { output } = await agent.run({ input: { length: BYTES } });
      assert.equal((output as { text: string }).text.length, BYTES);
      await agent.stop();
    });

    test("that exits takes its process along, and what it had said arrives", async () => {
      const agent = await load("exit");
      const { result } = agent.begin({});
      const said = agent.message((message) => message.type === "event");
      await assert.rejects(result, /exited 7/);
      assert.equal((await said).type, "event");
    });
  });
}

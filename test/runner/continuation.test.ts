/** What a later attempt of a run does, for everything its first attempt can have committed before its process died. */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import type { RunnerMessage, RunStart } from "../../src/runner/protocol.ts";
import { Agent, project, type RunResult, Threads, VERSIONS } from "./harness.ts";

const A = "a, and a text that is long enough to be an item";

for (const version of VERSIONS) {
  describe(`a run continued on LangGraph ${version}`, { concurrency: 1 }, () => {
    const directory = project("chat", version);
    let agent: Agent | undefined;
    after(() => agent?.stop());

    /** Runs until a message fits, lets it arrive or not, and kills the process. */
    async function crash(
      threads: Threads,
      graph: string,
      options: Partial<RunStart>,
      fits: (message: RunnerMessage) => boolean,
      arrives = false,
    ): Promise<string> {
      const dying = await Agent.load(directory, `./src/graphs.ts:${graph}`, { threads });
      const { run_id, result } = dying.begin(options);
      let dead = false;
      dying.intercept = (message) => {
        if (dead) return true;
        if (!fits(message)) return false;
        dead = true;
        dying.child.kill("SIGKILL");
        return !arrives;
      };
      await assert.rejects(result, /exited/);
      return run_id;
    }

    async function proceed(threads: Threads, graph: string, options: Partial<RunStart>): Promise<RunResult> {
      await agent?.stop();
      agent = await Agent.load(directory, `./src/graphs.ts:${graph}`, { threads });
      return agent.run({ attempt: 2, ...options });
    }

    const isCheckpoint = (step: number) => (message: RunnerMessage) =>
      message.type === "checkpoint" && message.namespace === "" && message.step === step;
    const isDone = (message: RunnerMessage) => message.type === "done";

    test("nothing committed: the input is given as if for the first time", async () => {
      const threads = new Threads();
      const input = { log: ["in"] };
      const run_id = await crash(threads, "steps", { input }, isCheckpoint(-1));
      const { done } = await proceed(threads, "steps", { run_id, input });
      assert.equal(done.outcome, "succeeded");
      assert.deepEqual(threads.log("t").values().log, ["in", A, "b", "c"]);
    });

    test("the input is committed: it is not applied twice", async () => {
      const threads = new Threads();
      const input = { log: ["in"] };
      const run_id = await crash(threads, "steps", { input }, isCheckpoint(-1), true);
      const { done, output } = await proceed(threads, "steps", { run_id, input });
      assert.equal(done.outcome, "succeeded");
      assert.deepEqual(threads.log("t").values().log, ["in", A, "b", "c"]);
      assert.deepEqual(output, { log: ["in", A, "b", "c"] }, "the output is the whole run's");
    });

    test("some nodes are done: the others follow, and the output is that of both attempts", async () => {
      const threads = new Threads();
      const input = { log: ["in"] };
      const run_id = await crash(threads, "steps", { input }, isCheckpoint(1), true);
      const { done, output, events } = await proceed(threads, "steps", { run_id, input });
      assert.equal(done.outcome, "succeeded");
      assert.deepEqual(threads.log("t").values().log, ["in", A, "b", "c"]);
      assert.deepEqual(output, { log: ["in", A, "b", "c"] });
      const started = events.filter(({ type }) => type === "task.started").map(({ data }) => data);
      assert.deepEqual(started, [{ task: "b" }, { task: "c" }]);
    });

    test("everything is done but the last word: the run succeeds with its output and runs nothing", async () => {
      const threads = new Threads();
      const input = { log: ["in"] };
      const run_id = await crash(threads, "steps", { input }, isDone);
      const { done, output, messages } = await proceed(threads, "steps", { run_id, input });
      assert.equal(done.outcome, "succeeded");
      assert.deepEqual(output, { log: ["in", A, "b", "c"] });
      assert.ok(messages.every(({ type }) => type === "read" || type === "done"));
    });

    test("it stood at a question: the question is asked again and nothing runs", async () => {
      const threads = new Threads();
      const run_id = await crash(threads, "ask", { input: { log: [] } }, isDone);
      const { done, messages } = await proceed(threads, "ask", { run_id, input: { log: [] } });
      assert.equal(done.outcome, "interrupted");
      assert.deepEqual(threads.log("t").questions()[0]!.value, { question: "first?" });
      assert.ok(messages.every(({ type }) => type === "read" || type === "done"));
    });

    test("it stood at a second question: the first answer is not given to it", async () => {
      const threads = new Threads();
      const first = await Agent.load(directory, "./src/graphs.ts:ask", { threads });
      await first.run({ input: { log: [] } });
      await first.stop();
      const command = { resume: "first answer" };
      const run_id = await crash(threads, "ask", { command }, isDone);
      const { done } = await proceed(threads, "ask", { run_id, command });
      assert.equal(done.outcome, "interrupted");
      assert.deepEqual(threads.log("t").questions()[0]!.value, { question: "second?" });
      const { done: last } = await agent!.run({ command: { resume: "second answer" } });
      assert.equal(last.outcome, "succeeded");
      assert.equal(threads.log("t").values().answer, "second answer");
    });

    test("the answer was committed and its node not: the node gets the answer", async () => {
      const threads = new Threads();
      const first = await Agent.load(directory, "./src/graphs.ts:ask", { threads });
      await first.run({ input: { log: [] } });
      await first.stop();
      const command = { resume: "yes" };
      const isResume = (message: RunnerMessage) =>
        message.type === "writes" && message.writes.some(([, channel]) => channel === "__resume__");
      const run_id = await crash(threads, "ask", { command }, isResume, true);
      const { done } = await proceed(threads, "ask", { run_id, command });
      assert.equal(done.outcome, "interrupted");
      assert.deepEqual(threads.log("t").questions()[0]!.value, { question: "second?" });
      assert.equal(threads.log("t").values().answer, "yes");
    });

    test("a command was committed in a thread that waited for nothing: what it leads to follows", async () => {
      const threads = new Threads();
      const first = await Agent.load(directory, "./src/graphs.ts:commanded", { threads });
      await first.run({ input: { log: [] } });
      await first.stop();
      const command = { update: { log: ["y"] }, goto: "target" };
      const isWrites = (message: RunnerMessage) => message.type === "writes";
      const run_id = await crash(threads, "commanded", { command }, isWrites, true);
      const { done, output } = await proceed(threads, "commanded", { run_id, command });
      assert.equal(done.outcome, "succeeded", JSON.stringify(done.error));
      assert.deepEqual(threads.log("t").values().log, ["go", "target", "y", "target"]);
      assert.deepEqual(output, { log: ["y", "target"] });
    });

    test("it stood before a node it must stop at: it stops again, unapproved", async () => {
      const threads = new Threads();
      const options = { input: { log: [] }, interrupt_before: ["b"] };
      const run_id = await crash(threads, "steps", options, isDone);
      const { done } = await proceed(threads, "steps", { run_id, ...options });
      assert.equal(done.outcome, "interrupted");
      assert.deepEqual(threads.log("t").values().log, [A]);
    });

    test("it stood before a node of a compiled-in breakpoint: it stops again", async () => {
      const threads = new Threads();
      const run_id = await crash(threads, "guarded", { input: { log: [] } }, isDone);
      const { done } = await proceed(threads, "guarded", { run_id, input: { log: [] } });
      assert.equal(done.outcome, "interrupted");
      assert.deepEqual(threads.log("t").values().log, ["a"]);
    });

    test("it had leave to pass a breakpoint and committed nothing: it passes it", async () => {
      const threads = new Threads();
      const first = await Agent.load(directory, "./src/graphs.ts:guarded", { threads });
      await first.run({ input: { log: [] } });
      await first.stop();
      const run_id = await crash(
        threads,
        "guarded",
        { input: null },
        (message) => message.type === "checkpoint",
      );
      const { done } = await proceed(threads, "guarded", { run_id, input: null });
      assert.equal(done.outcome, "succeeded", JSON.stringify(done.error));
      assert.deepEqual(threads.log("t").values().log, ["a", "b"]);
    });

    test("it stood after a node it must stop at: it stops again", async () => {
      const threads = new Threads();
      const options = { input: { log: [] }, interrupt_after: ["a"] };
      const run_id = await crash(threads, "steps", options, isDone);
      const { done } = await proceed(threads, "steps", { run_id, ...options });
      assert.equal(done.outcome, "interrupted");
      assert.deepEqual(threads.log("t").values().log, [A]);
    });

    test("only the initial values are committed: the input follows", async () => {
      const threads = new Threads();
      const options = { initial_values: { log: ["initial"] }, input: { log: ["in"] } };
      const isUpdate = (message: RunnerMessage) =>
        message.type === "checkpoint" && message.source === "update";
      const run_id = await crash(threads, "steps", options, isUpdate, true);
      const { done, output } = await proceed(threads, "steps", { run_id, ...options });
      assert.equal(done.outcome, "succeeded");
      assert.deepEqual(threads.log("t").values().log, ["initial", "in", A, "b", "c"]);
      assert.deepEqual(output, { log: ["in", A, "b", "c"] });
    });
  });
}

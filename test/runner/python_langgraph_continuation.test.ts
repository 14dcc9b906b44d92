/** What a later attempt of a Python run does, for everything its first attempt can have committed before it died. */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import type { RunnerMessage, RunStart } from "../../src/runner/protocol.ts";
import { type Agent, contents, human, type RunResult, Threads } from "./harness.ts";
import { Project, VERSIONS } from "./python_langgraph.ts";

const A = "a, and a text that is long enough to be an item";

for (const langgraph of VERSIONS) {
  describe(`a run continued on LangGraph ${langgraph.version} for Python`, { concurrency: 1 }, () => {
    const project = new Project(langgraph);
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
      const dying = await project.start(graph, { threads });
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
      agent = await project.start(graph, { threads });
      return agent.run({ attempt: 2, ...options });
    }

    async function before(threads: Threads, graph: string, options: Partial<RunStart>): Promise<void> {
      const first = await project.start(graph, { threads });
      await first.run(options);
      await first.stop();
    }

    const isCheckpoint = (step: number) => (message: RunnerMessage) =>
      message.type === "checkpoint" && message.namespace === "" && message.step === step;
    const isDone = (message: RunnerMessage) => message.type === "done";
    const onlyReads = ({ messages }: RunResult) =>
      assert.ok(messages.every(({ type }) => type === "read" || type === "done"));

    test("nothing committed: the input is given as if for the first time", async () => {
      const threads = new Threads();
      const input = { log: ["in"] };
      const run_id = await crash(threads, "graphs:steps", { input }, isCheckpoint(-1));
      const { done } = await proceed(threads, "graphs:steps", { run_id, input });
      assert.equal(done.outcome, "succeeded", JSON.stringify(done.error));
      assert.deepEqual(threads.log("t").values().log, ["in", A, "b", "c"]);
    });

    test("the input is committed: it is not applied twice", async () => {
      const threads = new Threads();
      const input = { log: ["in"] };
      const run_id = await crash(threads, "graphs:steps", { input }, isCheckpoint(-1), true);
      const { done, output } = await proceed(threads, "graphs:steps", { run_id, input });
      assert.equal(done.outcome, "succeeded", JSON.stringify(done.error));
      assert.deepEqual(threads.log("t").values().log, ["in", A, "b", "c"]);
      assert.deepEqual(output, { log: ["in", A, "b", "c"] }, "the output is the whole run's");
    });

    test("some nodes are done: the others follow, and the output is that of both attempts", async () => {
      const threads = new Threads();
      const input = { log: ["in"] };
      const run_id = await crash(threads, "graphs:steps", { input }, isCheckpoint(1), true);
      const { done, output, events } = await proceed(threads, "graphs:steps", { run_id, input });
      assert.equal(done.outcome, "succeeded", JSON.stringify(done.error));
      assert.deepEqual(threads.log("t").values().log, ["in", A, "b", "c"]);
      assert.deepEqual(output, { log: ["in", A, "b", "c"] });
      const started = events.filter(({ type }) => type === "task.started").map(({ data }) => data);
      assert.deepEqual(started, [{ task: "b" }, { task: "c" }]);
    });

    test("everything is done but the last word: the run succeeds with its output and runs nothing", async () => {
      const threads = new Threads();
      const input = { log: ["in"] };
      const run_id = await crash(threads, "graphs:steps", { input }, isDone);
      const result = await proceed(threads, "graphs:steps", { run_id, input });
      assert.equal(result.done.outcome, "succeeded", JSON.stringify(result.done.error));
      assert.deepEqual(result.output, { log: ["in", A, "b", "c"] });
      onlyReads(result);
    });

    test("it stood before a node it must stop at: it stops again, unapproved", async () => {
      const threads = new Threads();
      const options = { input: { log: [] }, interrupt_before: ["b"] };
      const run_id = await crash(threads, "graphs:steps", options, isDone);
      const { done } = await proceed(threads, "graphs:steps", { run_id, ...options });
      assert.equal(done.outcome, "interrupted", JSON.stringify(done.error));
      assert.deepEqual(threads.log("t").values().log, [A]);
    });

    test("it stood before a node of a compiled-in breakpoint: it stops again", async () => {
      const threads = new Threads();
      const input = { log: [] };
      const run_id = await crash(threads, "graphs:guarded", { input }, isDone);
      const { done } = await proceed(threads, "graphs:guarded", { run_id, input });
      assert.equal(done.outcome, "interrupted", JSON.stringify(done.error));
      assert.deepEqual(threads.log("t").values().log, ["a"]);
    });

    test("it had leave to pass a breakpoint and committed nothing: it passes it", async () => {
      const threads = new Threads();
      await before(threads, "graphs:guarded", { input: { log: [] } });
      const isAny = (message: RunnerMessage) => message.type === "checkpoint";
      const run_id = await crash(threads, "graphs:guarded", { input: null }, isAny);
      const { done } = await proceed(threads, "graphs:guarded", { run_id, input: null });
      assert.equal(done.outcome, "succeeded", JSON.stringify(done.error));
      assert.deepEqual(threads.log("t").values().log, ["a", "b"]);
    });

    test("it stood after a node it must stop at: it stops again", async () => {
      const threads = new Threads();
      const options = { input: { log: [] }, interrupt_after: ["a"] };
      const run_id = await crash(threads, "graphs:steps", options, isDone);
      const { done } = await proceed(threads, "graphs:steps", { run_id, ...options });
      assert.equal(done.outcome, "interrupted", JSON.stringify(done.error));
      assert.deepEqual(threads.log("t").values().log, [A]);
    });

    test("only the initial values are committed: the input follows", async () => {
      const threads = new Threads();
      const options = { initial_values: { log: ["initial"] }, input: { log: ["in"] } };
      const isUpdate = (message: RunnerMessage) =>
        message.type === "checkpoint" && message.source === "update";
      const run_id = await crash(threads, "graphs:steps", options, isUpdate, true);
      const { done, output } = await proceed(threads, "graphs:steps", { run_id, ...options });
      assert.equal(done.outcome, "succeeded", JSON.stringify(done.error));
      assert.deepEqual(threads.log("t").values().log, ["initial", "in", A, "b", "c"]);
      assert.deepEqual(output, { log: ["in", A, "b", "c"] });
    });

    if (!langgraph.complete) return;

    test("it stood at a question: the question is asked again and nothing runs", async () => {
      const threads = new Threads();
      const input = { log: [] };
      const run_id = await crash(threads, "graphs:ask", { input }, isDone);
      const result = await proceed(threads, "graphs:ask", { run_id, input });
      assert.equal(result.done.outcome, "interrupted", JSON.stringify(result.done.error));
      assert.deepEqual(threads.log("t").questions()[0]!.value, { question: "first?" });
      onlyReads(result);
    });

    test("it stood at a second question: the first answer is not given to it", async () => {
      const threads = new Threads();
      await before(threads, "graphs:ask", { input: { log: [] } });
      const command = { resume: "first answer" };
      const run_id = await crash(threads, "graphs:ask", { command }, isDone);
      const { done } = await proceed(threads, "graphs:ask", { run_id, command });
      assert.equal(done.outcome, "interrupted", JSON.stringify(done.error));
      assert.deepEqual(threads.log("t").questions()[0]!.value, { question: "second?" });
      const { done: last } = await agent!.run({ command: { resume: "second answer" } });
      assert.equal(last.outcome, "succeeded", JSON.stringify(last.error));
      assert.equal(threads.log("t").values().answer, "second answer");
    });

    test("the answer was committed and its node not: the node gets the answer", async () => {
      const threads = new Threads();
      await before(threads, "graphs:ask", { input: { log: [] } });
      const command = { resume: "yes" };
      const isResume = (message: RunnerMessage) =>
        message.type === "writes" && message.writes.some(([, channel]) => channel === "__resume__");
      const run_id = await crash(threads, "graphs:ask", { command }, isResume, true);
      const { done } = await proceed(threads, "graphs:ask", { run_id, command });
      assert.equal(done.outcome, "interrupted", JSON.stringify(done.error));
      assert.deepEqual(threads.log("t").questions()[0]!.value, { question: "second?" });
      assert.equal(threads.log("t").values().answer, "yes");
    });

    test("a command was committed in a thread that waited for nothing: what it leads to follows", async () => {
      const threads = new Threads();
      await before(threads, "graphs:commanded", { input: { log: [] } });
      const command = { update: { log: ["y"] }, goto: "target" };
      const isWrites = (message: RunnerMessage) => message.type === "writes";
      const run_id = await crash(threads, "graphs:commanded", { command }, isWrites, true);
      const { done, output } = await proceed(threads, "graphs:commanded", { run_id, command });
      assert.equal(done.outcome, "succeeded", JSON.stringify(done.error));
      assert.deepEqual(threads.log("t").values().log, ["go", "target", "y", "target"]);
      assert.deepEqual(output, { log: ["y", "target"] });
    });

    if (!langgraph.latest) return;

    test("the input of a channel of deltas was committed, its checkpoint not: it is given again", async () => {
      const threads = new Threads();
      await before(threads, "delta:graph", { input: { messages: [human("one")] } });
      const input = { messages: [human("two")] };
      const isWrites = (message: RunnerMessage) => message.type === "writes";
      const run_id = await crash(threads, "delta:graph", { input }, isWrites, true);
      const { done } = await proceed(threads, "delta:graph", { run_id, input });
      assert.equal(done.outcome, "succeeded", JSON.stringify(done.error));
      const said = contents(threads.log("t").values().messages);
      assert.deepEqual(said, ["one", "echo 1", "two", "echo 3"]);
    });
  });
}

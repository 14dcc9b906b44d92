import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import type { Json } from "../../src/core/json.ts";
import { Agent, contents, human, project, Threads, VERSIONS } from "./harness.ts";

for (const version of VERSIONS) {
  describe(`LangGraph ${version}`, { concurrency: 1 }, () => {
    const directory = project("chat", version);
    const agents = new Map<string, Promise<Agent>>();
    const load = (name: string, file = "graphs"): Promise<Agent> => {
      const known = agents.get(name) ?? Agent.load(directory, `./src/${file}.ts:${name}`);
      agents.set(name, known);
      return known;
    };
    after(async () => {
      for (const agent of agents.values()) await (await agent).stop();
    });

    test("a conversation is remembered over runs, also by another process", async () => {
      const threads = new Threads();
      const first = await Agent.load(directory, "./src/echo.ts:graph", { threads });
      await first.run({ input: { messages: [human("one")] } });
      const second = await first.run({ input: { messages: [human("two")] } });
      assert.deepEqual(contents((second.output as { messages: Json }).messages), ["two", "echo 3: two"]);
      assert.equal(first.reads, 0, "a warm process reads nothing");
      await first.stop();
      const other = await Agent.load(directory, "./src/echo.ts:graph", { threads });
      const third = await other.run({ input: { messages: [human("three")] } });
      assert.equal(other.reads, 1);
      assert.deepEqual(contents((third.output as { messages: Json }).messages), ["three", "echo 5: three"]);
      assert.deepEqual(contents(threads.log("t").values().messages), [
        "one",
        "echo 1: one",
        "two",
        "echo 3: two",
        "three",
        "echo 5: three",
      ]);
      assert.equal(threads.log("t").items.length, 6, "each message is stored once");
      await other.stop();
    });

    test("a run tells its tasks and its messages as they happen", async () => {
      const agent = await load("graph", "echo");
      const { events } = await agent.run({ thread: "events", input: { messages: [human("hi")] } });
      assert.deepEqual(
        events.map(({ type }) => type),
        ["task.started", "message.delta", "task.completed"],
      );
      assert.deepEqual(events[0]!.data, { task: "echo" });
      assert.equal((events[1]!.data as { content: string }).content, "echo 1: hi");
    });

    test("a subgraph that shares the messages stores none of them again", async () => {
      const agent = await load("subgraph");
      const log = agent.threads.log("sub");
      const sizes: number[] = [];
      for (let turn = 1; turn <= 12; turn++) {
        await agent.run({
          thread: "sub",
          input: { messages: [human(`turn ${turn} ${"x".repeat(200)}`, `h${turn}`)] },
        });
        assert.equal(log.items.length, turn * 3);
        sizes.push(log.size);
      }
      assert.ok(
        sizes[11]! - sizes[10]! < 1.1 * (sizes[2]! - sizes[1]!),
        "a turn does not grow with the conversation",
      );
      assert.ok(log.checkpoints.some(({ namespace }) => namespace.startsWith("inner:")));
      assert.equal(contents(log.values().messages).length, 36);
    });

    test("messages removed by the graph leave the state and cost nothing again", async () => {
      const agent = await load("trim");
      const log = agent.threads.log("trim");
      for (let turn = 1; turn <= 6; turn++) {
        await agent.run({ thread: "trim", input: { messages: [human(`turn ${turn}`)] } });
      }
      assert.deepEqual(
        contents(log.values().messages),
        ["kept 3", "turn 5", "kept 3", "turn 6", "kept 3"].slice(-4),
      );
    });

    test("a message replaced under its id is stored as a new item", async () => {
      const agent = await load("replace");
      const log = agent.threads.log("replace");
      await agent.run({ thread: "replace", input: { messages: [human("old", "m1"), human("kept", "m2")] } });
      assert.deepEqual(contents(log.values().messages), ["replaced", "kept"]);
    });

    test("a message that a node changed in place and returned is stored as it became", async () => {
      const agent = await load("mutate");
      const log = agent.threads.log("mutate");
      await agent.run({ thread: "mutate", input: { messages: [human("hey", "m1")] } });
      const { output } = await agent.run({ thread: "mutate", input: { messages: [human("more", "m2")] } });
      assert.deepEqual(contents(log.values().messages), ["hey!!", "more"]);
      assert.deepEqual(contents((output as { messages: Json }).messages), ["hey!!", "more"]);
      const earlier = log.checkpoints.filter(
        ({ namespace, shown }) => namespace === "" && shown?.next.length === 0,
      );
      assert.deepEqual(contents(log.values(earlier[0]).messages), ["hey!"], "the past stays as it was");
    });

    test("a question ends the run interrupted, and the answer goes on from there", async () => {
      const agent = await load("ask");
      const log = agent.threads.log("ask");
      const first = await agent.run({ thread: "ask", input: { log: ["start"] } });
      assert.equal(first.done.outcome, "interrupted");
      assert.deepEqual(first.output, { log: ["start", "before"] });
      const [question] = log.questions();
      assert.deepEqual(question!.value, { question: "first?" });
      assert.equal(question!.task, "ask");
      assert.ok(question!.id.length >= 16);
      assert.deepEqual(log.head!.shown!.next, ["ask"]);
      const second = await agent.run({ thread: "ask", command: { resume: "yes" } });
      assert.equal(second.done.outcome, "interrupted");
      assert.deepEqual(log.questions()[0]!.value, { question: "second?" });
      assert.notEqual(log.questions()[0]!.id, question!.id);
      assert.deepEqual(second.output, { answer: "yes", log: ["asked"] });
      const third = await agent.run({ thread: "ask", command: { resume: "no" } });
      assert.equal(third.done.outcome, "succeeded");
      assert.deepEqual(log.values(), { log: ["start", "before", "asked", "asked again"], answer: "no" });
      // A thread that waited for an answer is read anew: another process may have left writes on its head.
      assert.equal(agent.reads, 2);
    });

    test("a run stops before and after the nodes it is told to", async () => {
      const agent = await load("steps");
      const log = agent.threads.log("stops");
      const before = await agent.run({ thread: "stops", input: { log: [] }, interrupt_before: ["b"] });
      assert.equal(before.done.outcome, "interrupted");
      assert.deepEqual(log.questions(), []);
      assert.deepEqual(log.head!.shown!.next, ["b"]);
      const then = await agent.run({ thread: "stops", input: null, interrupt_after: ["b"] });
      assert.equal(then.done.outcome, "interrupted");
      assert.deepEqual(
        log.head!.shown!.next,
        ["c"],
        "a checkpoint LangGraph says nothing of is described all the same",
      );
      const last = await agent.run({ thread: "stops", input: null });
      assert.equal(last.done.outcome, "succeeded");
      assert.deepEqual(log.values().log, ["a, and a text that is long enough to be an item", "b", "c"]);
    });

    test("a breakpoint compiled in holds, and the compiled-in checkpointer is replaced with a word", async () => {
      const agent = await load("guarded");
      const { done, events } = await agent.run({ thread: "guarded", input: { log: [] } });
      assert.equal(done.outcome, "interrupted");
      assert.ok(events.some(({ type, data }) => type === "log" && /replaced/.test(JSON.stringify(data))));
      const next = await agent.run({ thread: "guarded", input: null });
      assert.equal(next.done.outcome, "succeeded");
      assert.deepEqual(agent.threads.log("guarded").values().log, ["a", "b"]);
    });

    test("pushed tasks survive a change of process between their step and the next", async () => {
      const threads = new Threads();
      const first = await Agent.load(directory, "./src/graphs.ts:fanout", { threads });
      await first.run({ input: { log: [] }, interrupt_before: ["part"] });
      await first.stop();
      const second = await Agent.load(directory, "./src/graphs.ts:fanout", { threads });
      const { done } = await second.run({ input: null });
      assert.equal(done.outcome, "succeeded", JSON.stringify(done.error));
      assert.deepEqual(threads.log("t").values().log, ["split", "part 1", "part 2", "part 3"]);
      await second.stop();
    });

    test("a run goes back to an earlier checkpoint and leaves a branch", async () => {
      const agent = await load("steps");
      const log = agent.threads.log("branch");
      await agent.run({ thread: "branch", input: { log: ["one"] } });
      const end = log.head!;
      await agent.run({ thread: "branch", input: { log: ["two"] } });
      const { done, output } = await agent.run({
        thread: "branch",
        input: { log: ["other"] },
        checkpoint_id: end.checkpoint_id,
      });
      assert.equal(done.outcome, "succeeded");
      const a = "a, and a text that is long enough to be an item";
      assert.deepEqual(log.values().log, ["one", a, "b", "c", "other", a, "b", "c"]);
      assert.deepEqual(output, { log: ["other", a, "b", "c"] });
    });

    test("initial values are the first update, before the input", async () => {
      const agent = await load("steps");
      const { output } = await agent.run({
        thread: "initial",
        initial_values: { log: ["initial"], answer: 42 },
        input: { log: ["input"] },
      });
      const log = agent.threads.log("initial");
      const a = "a, and a text that is long enough to be an item";
      assert.deepEqual(log.values(), { log: ["initial", "input", a, "b", "c"], answer: 42 });
      assert.deepEqual(output, { log: ["input", a, "b", "c"] });
      assert.equal(log.checkpoints[0]!.source, "update");
    });

    test("an update of the state is one checkpoint with what it shows, and an unknown node is refused", async () => {
      const agent = await load("steps");
      const log = agent.threads.log("update");
      await agent.run({ thread: "update", input: { log: ["one"] } });
      const count = log.checkpoints.length;
      const updated = await agent.update({ thread: "update", values: { log: ["by hand"] }, as_node: "a" });
      assert.equal(updated.done.outcome, "succeeded", JSON.stringify(updated.done.error));
      assert.equal(log.checkpoints.length, count + 1);
      assert.equal(log.head!.source, "update");
      assert.deepEqual(log.head!.shown!.next, ["b"]);
      assert.equal((log.values().log as Json[]).at(-1), "by hand");
      const refused = await agent.update({ thread: "update", values: {}, as_node: "nobody" });
      assert.equal(refused.done.outcome, "failed");
      assert.match(refused.done.error!.message, /nobody/);
      assert.equal(log.checkpoints.length, count + 1);
    });

    test("a canceled run ends at once and says so", async () => {
      const agent = await load("forever");
      const { run_id, result } = agent.begin({ thread: "cancel", input: { log: ["x"] } });
      await agent.message(
        (message) => message.type === "event" && message.events.some(({ type }) => type === "log"),
      );
      agent.send({ type: "cancel", run_id });
      const { done, events } = await result;
      assert.equal(done.outcome, "canceled");
      assert.ok(events.some(({ data }) => (data as { message?: string }).message === "waiting"));
      assert.deepEqual(agent.threads.log("cancel").values().log, ["x"], "what was committed stays");
    });

    test("a flood of prints is bounded and does not stop the run", async () => {
      const agent = await load("flood");
      const { done, events } = await agent.run({ thread: "flood", input: { log: [] } });
      assert.equal(done.outcome, "succeeded");
      const logs = events
        .filter(({ type }) => type === "log")
        .map(({ data }) => data as { level: string; message: string });
      assert.deepEqual(logs[0], { level: "error", message: "an error line" });
      assert.ok(logs.every(({ message }) => message.length < 8 * 1024 + 100));
      assert.ok(logs.some(({ message }) => /lines were dropped/.test(message)) || logs.length > 200_000);
    });

    test("a state that has no JSON form fails the run and names the channel", async () => {
      const agent = await load("unstorable");
      const { done } = await agent.run({ thread: "bad", input: { log: ["x"] } });
      assert.equal(done.outcome, "failed");
      assert.match(done.error!.message, /channel "bad".*handler.*function/);
    });

    test("an agent's error has its message and the user's file and line", async () => {
      const agent = await load("failing");
      const { done } = await agent.run({ thread: "failing", input: { log: [] } });
      assert.equal(done.outcome, "failed");
      assert.match(done.error!.message, /the model is on fire/);
      assert.match(done.error!.traceback!, /graphs\.ts:1\d\d/);
      assert.doesNotMatch(done.error!.traceback!, /runners\/node/);
      assert.deepEqual(agent.threads.log("failing").head!.shown!.next, ["fail"]);
    });

    test("a run at its recursion limit fails with its last checkpoint stored and described", async () => {
      const agent = await load("loop");
      const { done } = await agent.run({
        thread: "loop",
        input: { log: [] },
        config: { recursion_limit: 4 },
      });
      assert.equal(done.outcome, "failed");
      assert.match(done.error!.message, /[Rr]ecursion limit of 4/);
      assert.deepEqual(agent.threads.log("loop").head!.shown!.next, ["again"]);
    });

    test("a command updates the state and goes to a node", async () => {
      const agent = await load("commanded");
      await agent.run({ thread: "goto", input: { log: ["x"] } });
      const { done } = await agent.run({
        thread: "goto",
        command: { update: { log: ["y"] }, goto: "target" },
      });
      assert.equal(done.outcome, "succeeded", JSON.stringify(done.error));
      assert.deepEqual(agent.threads.log("goto").values().log, ["x", "go", "target", "y", "target"]);
    });

    test("durability sync waits for each commit and loses no report", async () => {
      const agent = await load("steps");
      const { done } = await agent.run({
        thread: "sync",
        input: { log: [] },
        config: { durability: "sync" },
      });
      assert.equal(done.outcome, "succeeded");
      const log = agent.threads.log("sync");
      assert.deepEqual(
        log.checkpoints.map(({ shown }) => shown!.next),
        [["__start__"], ["a"], ["b"], ["c"], []],
      );
    });

    test("a question inside a subgraph is the run's, and its answer reaches it in another process", async () => {
      const threads = new Threads();
      const first = await Agent.load(directory, "./src/graphs.ts:nested", { threads });
      const { done } = await first.run({ input: { log: ["in"] } });
      assert.equal(done.outcome, "interrupted");
      assert.deepEqual(
        threads
          .log("t")
          .questions()
          .map(({ value, task }) => ({ value, task })),
        [{ value: "inside?", task: "outer" }],
      );
      await first.stop();
      const second = await Agent.load(directory, "./src/graphs.ts:nested", { threads });
      const resumed = await second.run({ command: { resume: "it" } });
      assert.equal(resumed.done.outcome, "succeeded", JSON.stringify(resumed.done.error));
      const { log } = threads.log("t").values();
      assert.deepEqual((log as Json[]).slice(-2), ["told it", "end"]);
      await second.stop();
    });

    test("two questions at once are both reported, and the output has what the third task said", async () => {
      const agent = await load("twice");
      const { done, output } = await agent.run({ thread: "twice", input: { log: [] } });
      assert.equal(done.outcome, "interrupted");
      const questions = agent.threads.log("twice").questions();
      assert.deepEqual(questions.map(({ value }) => value).toSorted(), ["left?", "right?"]);
      assert.equal(new Set(questions.map(({ id }) => id)).size, 2);
      assert.deepEqual(output, { log: ["fine"] });
    });

    test("a pushed task that carries the conversation stores none of it again", async () => {
      const agent = await load("handover");
      const log = agent.threads.log("hand");
      const sizes: number[] = [];
      for (let turn = 1; turn <= 8; turn++) {
        const input = { messages: [human(`turn ${turn} ${"x".repeat(300)}`, `h${turn}`)] };
        const { done } = await agent.run({ thread: "hand", input });
        assert.equal(done.outcome, "succeeded", JSON.stringify(done.error));
        sizes.push(log.size);
      }
      assert.equal(log.items.length, 16);
      assert.ok(sizes[7]! - sizes[6]! < 1.1 * (sizes[2]! - sizes[1]!));
    });

    test("a node that lists the checkpoints of its own run finds them", async () => {
      const agent = await load("historian");
      const { done } = await agent.run({ thread: "history", input: { log: [] } });
      assert.equal(done.outcome, "succeeded", JSON.stringify(done.error));
      const said = (agent.threads.log("history").values().log as string[]).at(-1);
      assert.equal(said, "saw 3");
    });

    test("tools are seen when they are called, when they answer and when they fail", async () => {
      const agent = await load("toolUser");
      const { done, events } = await agent.run({ thread: "tools", input: { log: [] } });
      assert.equal(done.outcome, "succeeded", JSON.stringify(done.error));
      assert.deepEqual(
        events.filter(({ type }) => type.startsWith("tool.")),
        [
          { type: "tool.called", data: { tool: "double", input: { n: 21 } } },
          { type: "tool.result", data: { tool: "double", output: "42" } },
          { type: "tool.called", data: { tool: "broken", input: { n: 1 } } },
          { type: "tool.error", data: { tool: "broken", error: "broken tool" } },
        ],
      );
    });

    test("tokens are streamed as they come, and not at all when the version says so", async () => {
      const agent = await load("talker");
      const input = { messages: [human("hi")] };
      const { events, output } = await agent.run({ thread: "talk", input });
      const deltas = events.filter(({ type }) => type === "message.delta").map(({ data }) => data);
      assert.ok(deltas.length > 1);
      const said = (output as { messages: { id: string; content: string }[] }).messages.at(-1)!;
      assert.equal(deltas.map((delta) => (delta as { content: string }).content).join(""), said.content);
      assert.ok(deltas.every((delta) => (delta as { message_id: string }).message_id === said.id));
      const quiet = await agent.run({ thread: "quiet", input, stream_tokens: false });
      assert.equal(quiet.events.filter(({ type }) => type === "message.delta").length, 0);
    });

    test("what a node writes becomes custom events", async () => {
      const agent = await load("custom");
      const { events } = await agent.run({ thread: "custom", input: { log: [] } });
      assert.deepEqual(
        events.filter(({ type }) => type === "custom").map(({ data }) => data),
        [{ percent: 50 }, { value: "half" }],
      );
    });

    test("dates and sets are dates and sets to the next node, also in another process", async () => {
      const threads = new Threads();
      const first = await Agent.load(directory, "./src/graphs.ts:rich", { threads });
      await first.run({ input: { kinds: [] }, interrupt_before: ["second"] });
      await first.stop();
      const second = await Agent.load(directory, "./src/graphs.ts:rich", { threads });
      await second.run({ input: null });
      assert.deepEqual(threads.log("t").values(), {
        when: "1970-01-01T00:00:00.000Z",
        set: ["a"],
        kinds: ["Date", "Set"],
      });
      await second.stop();
    });

    if (version !== "0.2") {
      test("a channel of deltas shows its folded value and comes back in another process", async () => {
        const threads = new Threads();
        const log = threads.log("t");
        for (let turn = 1; turn <= 6; turn++) {
          const agent = await Agent.load(directory, "./src/delta.ts:graph", { threads });
          for (const half of ["a", "b"]) {
            const { done, output } = await agent.run({ input: { messages: [human(`${turn}${half}`)] } });
            assert.equal(done.outcome, "succeeded", JSON.stringify(done.error));
            const count = 4 * turn - (half === "a" ? 3 : 1);
            assert.deepEqual(contents((output as { messages: Json }).messages), [
              `${turn}${half}`,
              `echo ${count}`,
            ]);
          }
          assert.equal(contents(log.values().messages).length, 4 * turn);
          await agent.stop();
        }
      });

      test("durability exit stores one checkpoint, and the next run goes on from it", async () => {
        const agent = await load("steps");
        const log = agent.threads.log("exit");
        for (const input of [{ log: ["one"] }, { log: ["two"] }]) {
          const { done } = await agent.run({ thread: "exit", input, config: { durability: "exit" } });
          assert.equal(done.outcome, "succeeded", JSON.stringify(done.error));
        }
        assert.equal(log.checkpoints.length, 2);
        assert.equal((log.values().log as Json[]).length, 8);
        assert.deepEqual(log.head!.shown!.next, []);
      });
    }

    test("two runs at once keep their threads apart", async () => {
      const agent = await load("graph", "echo");
      const runs = ["p", "q", "r"].map((thread) =>
        agent.run({ thread, input: { messages: [human(`in ${thread}`)] } }),
      );
      for (const { done } of await Promise.all(runs)) assert.equal(done.outcome, "succeeded");
      for (const thread of ["p", "q", "r"]) {
        assert.deepEqual(contents(agent.threads.log(thread).values().messages), [
          `in ${thread}`,
          `echo 1: in ${thread}`,
        ]);
      }
    });

    test("a run waits when too much is unacknowledged, and goes on when it is", async () => {
      const agent = await Agent.load(directory, "./src/graphs.ts:steps", { max_unacknowledged_bytes: 100 });
      agent.holdAcks = true;
      const { result } = agent.begin({ input: { log: [] } });
      await agent.message(({ type }) => type === "checkpoint");
      assert.ok(agent.heldAcks.length > 0);
      agent.releaseAcks();
      assert.equal((await result).done.outcome, "succeeded");
      await agent.stop();
    });
  });
}

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Json } from "../../src/core/json.ts";
import { type OpenAiQuestion, openAiStub } from "../fixtures/openai_stub.ts";
import { pythonWith } from "../fixtures/python.ts";
import { Agent, contents, project, type RunResult } from "./harness.ts";

/** Importing CrewAI takes seconds: one process serves all tests of a project. */
class Served {
  readonly directory: string;
  readonly asked: OpenAiQuestion[] = [];
  readonly #entrypoint: string;
  readonly #ends: (() => unknown)[] = [];
  agent!: Agent;

  constructor(name: string, entrypoint: string) {
    this.directory = project(name);
    this.#entrypoint = entrypoint;
  }

  async start(): Promise<void> {
    const url = await openAiStub({ after: (end) => this.#ends.push(end as () => unknown) }, this.asked);
    const env = { OPENAI_API_KEY: "none", OPENAI_BASE_URL: url, OPENAI_API_BASE: url, HOME: this.directory };
    const python = await pythonWith("crewai");
    this.agent = await Agent.load(this.directory, this.#entrypoint, { framework: "crewai", python, env });
    this.#ends.push(() => this.agent.stop());
  }

  async stop(): Promise<void> {
    for (const end of this.#ends) await end();
  }
}

describe("a crew", { concurrency: 1 }, () => {
  const crew = new Served("python-crew", "research.crew:Research");
  before(() => crew.start());
  after(() => crew.stop());

  test("tells what its tasks, agents and tools do, in the order in which they did it", async () => {
    const run = await crew.agent.run({
      thread: "events",
      input: { topic: "tea" },
      artifacts: folder("events"),
    });
    assert.equal(run.done.outcome, "succeeded", JSON.stringify(run.done.error));
    const find = { task: "find", agent: "Researcher of tea" };
    const write = { task: "write", agent: "Writer" };
    assert.deepEqual(
      run.events.filter(({ type }) => type !== "message.delta"),
      [
        { type: "task.started", data: find },
        { type: "agent.started", data: find },
        { type: "tool.called", data: { tool: "look_up", input: { subject: "tea" } } },
        { type: "log", data: { level: "info", message: "looked up tea" } },
        { type: "tool.result", data: { tool: "look_up", output: "tea is old" } },
        { type: "agent.completed", data: find },
        { type: "task.completed", data: find },
        { type: "task.started", data: write },
        { type: "agent.started", data: write },
        { type: "agent.completed", data: write },
        { type: "task.completed", data: write },
      ],
    );
    assert.deepEqual(
      deltas(run),
      ["said: tea is old", rawOf(run)],
      "the tokens of both answers, each under its id",
    );
  });

  test("continues the conversation of its thread, and keeps what else the input said", async () => {
    const input = { topic: "tea", message: "What of tea?", depth: 2 };
    const first = await crew.agent.run({ thread: "chat", input });
    const log = crew.agent.threads.log("chat");
    const { messages, output, ...kept } = log.values();
    assert.deepEqual(kept, { topic: "tea", depth: 2 });
    assert.deepEqual(output, first.output);
    assert.deepEqual(contents(messages), ["What of tea?", rawOf(first)]);
    assert.deepEqual(
      (messages as { role: string }[]).map(({ role }) => role),
      ["user", "assistant"],
    );
    const deltaIds = first.events.flatMap(({ type, data }) =>
      type === "message.delta" ? [(data as { message_id: string }).message_id] : [],
    );
    assert.equal(
      (messages as { id: string }[])[1]!.id,
      deltaIds.at(-1),
      "the answer has the id of its tokens",
    );

    const told = crew.asked.length;
    await crew.agent.run({ thread: "chat", input: { message: "And then?" } });
    const prompt = String(crew.asked[told]!.messages.at(-1)!.content);
    assert.match(prompt, /Before: User: What of tea\?\nAssistant: said:/);
    assert.match(prompt, /Messages: \[\{'id': .*'content': 'What of tea\?'\}/);
    assert.equal((log.values().messages as Json[]).length, 4);
  });

  test("leaves a checkpoint after each task and one at its end", async () => {
    await crew.agent.run({ thread: "steps", input: { topic: "rye", message: "?" } });
    const log = crew.agent.threads.log("steps");
    const { checkpoints } = log;
    assert.deepEqual(
      checkpoints.map(({ step, source }) => [step, source]),
      [
        [0, "run"],
        [1, "run"],
        [2, "run"],
      ],
    );
    assert.deepEqual(
      checkpoints.map(({ shown }) => shown!.keys),
      [
        ["topic", "output"],
        ["topic", "output"],
        ["topic", "output", "messages"],
      ],
    );
    for (const [finished, { channels }] of checkpoints.slice(0, 2).entries()) {
      const { tasks_output } = log.show(channels.output!) as { tasks_output: Json[] };
      assert.equal(tasks_output.length, finished + 1);
    }
  });

  test("counts its tokens, also when they are not streamed", async () => {
    for (const stream_tokens of [true, false]) {
      const begun = crew.asked.length;
      const run = await crew.agent.run({
        thread: `tokens ${stream_tokens}`,
        input: { topic: "tea" },
        stream_tokens,
      });
      const usage = run.done.metadata!.usage as Record<string, number>;
      assert.equal(usage.successful_requests, 3);
      assert.ok(
        usage.total_tokens! > 100 && usage.total_tokens === usage.prompt_tokens! + usage.completion_tokens!,
      );
      assert.ok(crew.asked.slice(begun).every(({ stream }) => Boolean(stream) === stream_tokens));
      assert.equal(deltas(run).length, stream_tokens ? 2 : 0);
    }
  });

  test("writes its files into the run's artifact folder, or says where else they are", async () => {
    const artifacts = folder("files");
    await crew.agent.run({ thread: "files", input: { topic: "rye" }, artifacts });
    assert.match(readFileSync(join(artifacts, "notes/rye.md"), "utf8"), /Write about rye/);
    const none = await crew.agent.run({ thread: "files", input: { topic: "oats" } });
    const log = none.events.filter(({ type }) => type === "log").at(-1)!.data as { message: string };
    assert.equal(existsSync(join(crew.directory, "notes/oats.md")), true);
    assert.match(log.message, /notes\/oats\.md stays where the task wrote it/);
  });

  test("may not write a file outside of the artifact folder", async () => {
    const run = await crew.agent.run({
      thread: "outside",
      input: { topic: "../../../x" },
      artifacts: folder("outside"),
    });
    assert.equal(run.done.outcome, "failed");
    assert.match(run.done.error!.message, /leads out of the run's artifact folder/);
    assert.ok(!readdirSync(join(crew.directory, "..")).includes("x.md"));
    assert.ok(run.done.metadata!.usage, "what a failed run cost is counted too");
    assert.equal(crew.agent.threads.log("outside").checkpoints.length, 1, "its first task is not lost");
  });

  test("fails with the file, the line and what to do when a template names an unknown input", async () => {
    const { done } = await crew.agent.run({ thread: "unknown", input: { message: "hi" } });
    assert.equal(done.outcome, "failed");
    assert.match(done.error!.message, /name \{topic\} \(.*config\/tasks\.yaml, line 3.*Send it in the input/);
    assert.match(done.error!.traceback!, /Missing required template variable/);
  });

  test("fails with what to use instead when a task asks a person at the terminal", async () => {
    const asked = crew.asked.length;
    const { done } = await crew.agent.run({ thread: "human", input: { topic: "tea", ask: true } });
    assert.equal(done.outcome, "failed");
    assert.match(
      done.error!.message,
      /The task "find" has human_input.*Flow.*@human_feedback.*command\.resume/s,
    );
    assert.equal(crew.asked.length, asked, "no model was asked");
  });

  test("fails with what to send when its input is no object", async () => {
    const { done } = await crew.agent.run({ thread: "text", input: "tea" });
    assert.match(done.error!.message, /takes a JSON object.*\{"message": …\}/);
  });

  test("goes on when a tool fails, and says so", async () => {
    const run = await crew.agent.run({ thread: "tool", input: { topic: "nothing" } });
    assert.equal(run.done.outcome, "succeeded", JSON.stringify(run.done.error));
    assert.deepEqual(
      run.events.find(({ type }) => type === "tool.error"),
      { type: "tool.error", data: { tool: "look_up", error: "nothing is known about nothing" } },
    );
  });

  test("may run many times at once in one process; each run has its own events, and a cancel ends only its own", async () => {
    const { run_id, result } = crew.agent.begin({ thread: "slow", input: { topic: "slowness" } });
    const called = crew.agent.message((message) => JSON.stringify(message).includes("tool.called"));
    const topics = ["oats", "rye", "tea"];
    const others = Promise.all(
      topics.map((topic) => crew.agent.run({ thread: `at once ${topic}`, input: { topic } })),
    );
    await called;
    crew.agent.send({ type: "cancel", run_id });
    assert.equal((await result).done.outcome, "canceled");
    for (const [index, { done, events }] of (await others).entries()) {
      assert.equal(done.outcome, "succeeded", JSON.stringify(done.error));
      const logs = events.filter(({ type }) => type === "log").map(({ data }) => data);
      assert.deepEqual(logs[0], { level: "info", message: `looked up ${topics[index]}` });
      assert.equal(events.filter(({ type }) => type === "task.completed").length, 2);
      assert.equal((done.metadata!.usage as { successful_requests: number }).successful_requests, 3);
    }
  });

  test("leaves no file of CrewAI's own that runs would share", () => {
    const left = readdirSync(crew.directory, { recursive: true, encoding: "utf8" });
    assert.deepEqual(
      left.filter((path) => path.endsWith(".db")),
      [],
    );
  });

  function folder(name: string): string {
    return join(crew.directory, "artifacts", name);
  }
});

describe("a flow", { concurrency: 1 }, () => {
  const flow = new Served("python-flow", "review:Review");
  before(() => flow.start());
  after(() => flow.stop());

  test("stops at its question, and goes on there when a later run answers it", async () => {
    const log = flow.agent.threads.log("t");
    const asked = await flow.agent.run({ input: { topic: "tea" } });
    assert.equal(asked.done.outcome, "interrupted", JSON.stringify(asked.done.error));
    assert.equal((asked.done.metadata!.usage as { successful_requests: number }).successful_requests, 1);
    assert.deepEqual(
      asked.events.filter(({ type }) => type.startsWith("task.")),
      [
        { type: "task.started", data: { task: "begin" } },
        { type: "task.completed", data: { task: "begin" } },
        { type: "task.started", data: { task: "choose" } },
        { type: "task.completed", data: { task: "choose" } },
        { type: "task.started", data: { task: "draft" } },
        { type: "task.started", data: { task: "write", agent: "Writer" } },
        { type: "task.completed", data: { task: "write", agent: "Writer" } },
      ],
    );
    const { id, value, task } = question(asked);
    assert.deepEqual([task, value.method, value.message], ["draft", "draft", "Publish it?"]);
    assert.deepEqual(value.options, ["approved", "rejected"]);
    assert.equal(value.output.number, 1);
    assert.deepEqual(log.head!.shown!.next, ["draft"]);
    assert.deepEqual(log.values().drafts, [{ topic: "tea", words: 35 }]);

    const models = flow.asked.length;
    const again = await flow.agent.run({ input: null, command: { resume: "rejected" } });
    assert.equal(again.done.outcome, "interrupted", JSON.stringify(again.done.error));
    assert.equal(question(again).value.output.number, 2);
    assert.notEqual(question(again).id, id);
    assert.equal(
      flow.asked.length,
      models + 1,
      "an option is taken at its word: only the crew asked a model",
    );

    const command = { resume: { [question(again).id]: "Approved" } };
    const over = await flow.agent.run({ input: null, command });
    assert.equal(over.done.outcome, "succeeded", JSON.stringify(over.done.error));
    assert.equal(over.output, "published draft 2");
    const { id: _, ...state } = log.values();
    const drafts = [
      { topic: "tea", words: 35 },
      { topic: "tea", words: 35 },
    ];
    assert.deepEqual(state, { topic: "tea", mode: "", drafts, published: 1, remark: "Approved" });
  });

  test("begins anew from the thread's values when a run brings input, and keeps its id", async () => {
    const log = flow.agent.threads.log("anew");
    await flow.agent.run({ thread: "anew", input: { topic: "tea" } });
    const { id } = log.values();
    const second = await flow.agent.run({ thread: "anew", input: { topic: "rye" } });
    assert.equal(second.done.outcome, "interrupted");
    assert.equal(log.values().id, id);
    assert.deepEqual(
      (log.values().drafts as { topic: string }[]).map(({ topic }) => topic),
      ["tea", "rye"],
    );
  });

  test("keeps what @persist saved before it failed", async () => {
    const { done } = await flow.agent.run({ thread: "failing", input: { topic: "tea", mode: "fail" } });
    assert.equal(done.outcome, "failed");
    assert.match(done.error!.message, /no such luck/);
    assert.match(done.error!.traceback!, /review\.py", line \d+, in choose/);
    const { checkpoints } = flow.agent.threads.log("failing");
    assert.equal(checkpoints.length, 1, "begin was saved");
    assert.ok(!readdirSync(flow.directory, { recursive: true }).some((path) => String(path).endsWith(".db")));
  });

  test("says what to do when it asks a terminal, and when nothing waits for an answer", async () => {
    const asks = await flow.agent.run({ thread: "asking", input: { mode: "ask" } });
    assert.equal(asks.done.outcome, "failed");
    assert.match(asks.done.error!.message, /ask\('Which topic\?'\).*@human_feedback.*command\.resume/s);
    const resumes = await flow.agent.run({ thread: "idle", input: null, command: { resume: "yes" } });
    assert.match(resumes.done.error!.message, /waits for no answer.*Send input instead/);
  });

  test("ends at once when it is canceled, wherever it waits", async () => {
    const { run_id, result } = flow.agent.begin({ thread: "slow", input: { mode: "wait" } });
    await flow.agent.message((message) => JSON.stringify(message).includes('"task":"wait"'));
    flow.agent.send({ type: "cancel", run_id });
    const { done, events } = await result;
    assert.equal(done.outcome, "canceled");
    assert.deepEqual(
      events.filter(({ type }) => type === "log"),
      [{ type: "log", data: { level: "info", message: "wait ended" } }],
      "its own code cleaned up, and CrewAI had nothing to say",
    );
  });
});

function rawOf({ output }: RunResult): string {
  return (output as { raw: string }).raw;
}

/** The texts that were streamed, in the order in which they began. */
function deltas({ events }: RunResult): string[] {
  const texts = new Map<string, string>();
  for (const { type, data } of events) {
    if (type !== "message.delta") continue;
    const { message_id, content } = data as { message_id: string; content: string };
    texts.set(message_id, (texts.get(message_id) ?? "") + content);
  }
  return [...texts.values()];
}

type Question = {
  id: string;
  task: string;
  value: { message: string; method: string; output: { number: number }; options: string[] };
};

/** The question a run stopped at, as it was stored. */
function question({ messages }: RunResult): Question {
  const writes = messages.flatMap((message) => (message.type === "writes" ? [message] : []));
  assert.equal(writes.length, 1);
  return writes[0]!.items!.bodies.at(-1) as unknown as Question;
}

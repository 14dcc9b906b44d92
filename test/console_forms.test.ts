/** What the console's pages are made from: pure functions, without a browser. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { tell } from "../console/src/runs/spans.ts";
import { answerOf, questionIn } from "../console/src/thread/answers.ts";
import { fieldsOf, formsFor } from "../console/src/thread/compose.ts";
import { lanesOf } from "../console/src/thread/lanes.ts";
import { applyEvent, type LiveRun } from "../console/src/thread/live_run.ts";
import { showMessages } from "../console/src/thread/messages.ts";
import { parseThreadQuery } from "../console/src/threads/thread_query.ts";
import type { StreamEvent } from "../src/client/events.ts";
import type { Json, JsonObject } from "../src/core/json.ts";

describe("a search for threads", () => {
  it("is an id, pairs of metadata, or metadata as JSON", () => {
    assert.deepEqual(parseThreadQuery(" thr_1 "), { ids: ["thr_1"] });
    assert.deepEqual(parseThreadQuery("user: ada, seats=3, paid: true"), {
      metadata: { user: "ada", seats: 3, paid: true },
    });
    assert.deepEqual(parseThreadQuery('code: "007"'), { metadata: { code: "007" } });
    assert.deepEqual(parseThreadQuery('{"a": {"b": 1}}'), { metadata: { a: { b: 1 } } });
    assert.deepEqual(parseThreadQuery(""), {});
  });

  it("that is not whole yet says what to write", () => {
    for (const typed of ["user:", '{"a": ', "user: ada, x"])
      assert.ok("mistake" in parseThreadQuery(typed), typed);
  });
});

describe("a question", () => {
  it("of LangChain's review is answered with a decision for each action", () => {
    const question = questionIn({
      action_requests: [
        { name: "send", args: { to: "a" }, description: "Send it?" },
        { name: "wipe", args: {} },
      ],
      review_configs: [{ action_name: "wipe", allowed_decisions: ["approve", "reject"] }],
    });
    assert.ok(question.kind === "review");
    assert.deepEqual(
      question.actions.map(({ name, allowed }) => [name, allowed]),
      [
        ["send", ["approve", "edit", "reject"]],
        ["wipe", ["approve", "reject"]],
      ],
    );
    const decided = [
      { decision: "edit" as const, input: { to: "b" }, words: "" },
      { decision: "reject" as const, input: {}, words: "never" },
    ];
    assert.deepEqual(answerOf(question, decided), {
      decisions: [
        { type: "edit", edited_action: { name: "send", args: { to: "b" } } },
        { type: "reject", message: "never" },
      ],
    });
  });

  it("of the Agent Inbox's form is answered with a list of responses", () => {
    const question = questionIn([
      {
        action_request: { action: "send", args: { to: "a" } },
        config: { allow_edit: false, allow_ignore: false },
      },
    ]);
    assert.ok(question.kind === "review");
    assert.deepEqual(question.actions[0]!.allowed, ["approve", "respond"]);
    assert.deepEqual(answerOf(question, [{ decision: "respond", input: null, words: "wait" }]), [
      { type: "response", args: "wait" },
    ]);
  });

  it("of any other form shows its words, or all of it", () => {
    assert.deepEqual(questionIn("sure?"), { kind: "open", text: "sure?", value: "sure?" });
    assert.deepEqual(questionIn({ question: "Pay 50?" }), {
      kind: "open",
      text: "Pay 50?",
      value: { question: "Pay 50?" },
    });
    assert.deepEqual(questionIn({ amount: 3 }), { kind: "open", text: null, value: { amount: 3 } });
  });
});

describe("the form of an input", () => {
  const deployment = (framework: "function" | "langgraph", input_key: string | null = null) => ({
    deployment_id: "dep_1",
    name: "a",
    framework,
    environments: {},
    chat: { input_key, output_key: null },
    created_at: "",
  });

  it("is a message for what talks, fields for what has them, and always JSON", () => {
    const talking: JsonObject = { properties: { messages: { type: "array" } } };
    const filling: JsonObject = { properties: { amount: { type: "number" } } };
    assert.deepEqual(formsFor(deployment("langgraph"), talking), ["message", "json"]);
    assert.deepEqual(formsFor(deployment("langgraph"), filling), ["form", "json"]);
    assert.deepEqual(formsFor(deployment("function"), null), ["json"]);
    assert.deepEqual(formsFor(deployment("function", "question"), null), ["message", "json"]);
  });

  it("knows references, choices, and what may be null", () => {
    const fields = fieldsOf({
      required: ["size"],
      $defs: { Size: { enum: ["s", "m"], type: "string" } },
      properties: {
        size: { $ref: "#/$defs/Size", title: "Size" },
        note: { anyOf: [{ type: "string" }, { type: "null" }], default: null },
        count: { type: "integer" },
        more: { type: "object" },
      },
    });
    assert.deepEqual(
      fields.map(({ key, kind, required }) => [key, kind, required]),
      [
        ["size", "choice", true],
        ["note", "text", false],
        ["count", "integer", false],
        ["more", "json", false],
      ],
    );
  });
});

describe("the drawing of a history", () => {
  const place = (checkpoint_id: string, parent_checkpoint_id: string | null) => ({
    checkpoint_id,
    parent_checkpoint_id,
  });

  it("gives a branch a lane of its own that ends where it forked", () => {
    // a ← b ← c, and a ← d which came last.
    const rows = lanesOf([place("d", "a"), place("c", "b"), place("b", "a"), place("a", null)]);
    assert.deepEqual(
      rows.map(({ lane, through, from }) => [lane, through, from]),
      [
        [0, [], []],
        [1, [0], []],
        [1, [0], [1]],
        [0, [], [0, 1]],
      ],
    );
    assert.deepEqual(
      rows.map(({ continues }) => continues),
      [true, true, true, false],
    );
  });
});

describe("what is streamed", () => {
  const read = (events: [string, Json][], run: LiveRun | null = null) =>
    events.reduce<LiveRun | null>(
      (sum, [type, data], i) => applyEvent(sum, { id: `1-${i + 1}`, type, data }),
      run,
    )!;

  it("is put together by message, and its tools get their answers", () => {
    const run = read([
      ["run.started", {}],
      ["task.started", { task: "agent" }],
      ["message.delta", { message_id: "a", content: "Hel" }],
      ["message.delta", { message_id: "b", content: "Other" }],
      ["message.delta", { message_id: "a", content: "lo" }],
      ["tool.called", { tool: "t", input: 1 }],
      ["tool.called", { tool: "t", input: 2 }],
      ["tool.result", { tool: "t", output: "one" }],
    ]);
    assert.deepEqual(
      run.messages.map(({ text }) => text),
      ["Hello", "Other"],
    );
    assert.deepEqual(
      run.tools.map(({ input, output }) => [input, output]),
      [
        [1, "one"],
        [2, undefined],
      ],
    );
    assert.deepEqual(run.tasks, ["agent"]);
  });

  it("begins anew when the run was taken up again, and with the next run", () => {
    const before = read([["message.delta", { message_id: "a", content: "once" }]]);
    assert.deepEqual(applyEvent(before, { id: "1-9", type: "run.restarted", data: {} }).messages, []);
    assert.deepEqual(applyEvent(before, { id: "2-1", type: "run.started", data: {} }).messages, []);
  });
});

describe("a run's spans", () => {
  it("begin and end with their events, and the run's end closes what is open", () => {
    const at = (ms: number) => new Date(ms).toISOString();
    const events: StreamEvent[] = (
      [
        ["run.started", {}, 0],
        ["task.started", { task: "agent" }, 10],
        ["message.delta", { message_id: "m", content: "a", node: "agent" }, 20],
        ["message.delta", { message_id: "m", content: "b" }, 30],
        ["task.completed", { task: "agent" }, 40],
        ["task.started", { task: "tools" }, 50],
        ["tool.called", { tool: "t", input: {} }, 50],
        ["tool.error", { tool: "t", error: "no" }, 60],
        ["log", { level: "info", message: "hi" }, 60],
        ["run.failed", { error: "no" }, 70],
      ] as [string, JsonObject, number][]
    ).map(([type, data, ms], i) => ({ id: String(i + 1), type, data, at: at(ms) }));
    const story = tell(events);
    assert.deepEqual(
      story.spans.map(({ kind, name, start_ms, end_ms, failed }) => [kind, name, start_ms, end_ms, failed]),
      [
        ["task", "agent", 10, 40, false],
        ["message", "agent: answer", 20, 30, false],
        ["task", "tools", 50, 70, true],
        ["tool", "t", 50, 60, true],
      ],
    );
    assert.equal(story.tokens, 2);
    assert.equal(story.logs.length, 1);
    // In one commit all share their time; a tool may be told of before its node.
    const at_once: StreamEvent[] = [
      ["task.started", { task: "ask" }],
      ["task.completed", { task: "ask" }],
      ["tool.called", { tool: "early" }],
      ["task.started", { task: "tools" }],
      ["tool.called", { tool: "later" }],
      ["task.completed", { task: "tools" }],
      ["task.started", { task: "answer" }],
    ].map(([type, data], i) => ({
      id: String(i),
      type: type as string,
      data: data as JsonObject,
      at: at(5),
    }));
    assert.deepEqual(
      tell(at_once).spans.map(({ name }) => name),
      ["ask", "tools", "early", "later", "answer"],
    );
    assert.equal(story.over, true);
  });
});

describe("a message", () => {
  it("is shown with its pictures and its tool's answer, whatever framework wrote it", () => {
    const shown = showMessages([
      {
        type: "human",
        content: [
          { type: "text", text: "what is it?" },
          { type: "image_url", image_url: { url: "data:image/png;base64,AA==" } },
        ],
      },
      {
        role: "assistant",
        content: "",
        tool_calls: [{ id: "1", function: { name: "look", arguments: '{"at": 1}' } }],
      },
      { role: "tool", tool_call_id: "1", content: "a cat" },
      { type: "ai", content: "A cat." },
    ]);
    assert.deepEqual(
      shown.map(({ who, text }) => [who, text]),
      [
        ["user", "what is it?"],
        ["agent", ""],
        ["agent", "A cat."],
      ],
    );
    assert.equal(shown[0]!.pictures.length, 1);
    assert.deepEqual(shown[1]!.tools, [
      { id: "1", name: "look", input: { at: 1 }, output: "a cat", failed: false },
    ]);
  });
});

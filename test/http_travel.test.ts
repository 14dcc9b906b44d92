/** Travelling in a thread's history over HTTP: subgraphs' states, checkpoint ids that lead nowhere, differences. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import jsonPatch from "fast-json-patch";
import type { JsonObject } from "../src/core/json.ts";
import { until } from "./faults/until.ts";
import {
  functionProject,
  graphProject,
  type TestAnswer,
  type TestServer,
  testServer,
} from "./fixtures/server.ts";
import { anyJson } from "./suites/json_values.ts";

const nestedGraph = `
import { Annotation, interrupt, START, StateGraph } from "@langchain/langgraph";
const Inner = Annotation.Root({ asked: Annotation, seen: Annotation });
const State = Annotation.Root({ asked: Annotation, seen: Annotation, turns: Annotation({ reducer: (a, b) => a + b, default: () => 0 }) });
const inner = new StateGraph(Inner)
  .addNode("look", () => ({ seen: "tea" }))
  .addNode("ask", () => ({ asked: interrupt("how much?") }))
  .addEdge(START, "look").addEdge("look", "ask").compile();
const middle = new StateGraph(Inner).addNode("inner", inner).addEdge(START, "inner").compile();
const Count = Annotation.Root({ turns: Annotation({ reducer: (a, b) => a + b, default: () => 0 }), own: Annotation({ reducer: (a, b) => a + b, default: () => 0 }) });
const counter = new StateGraph(Count)
  .addNode("count", () => ({ own: 1 }))
  .addNode("stop", ({ own }) => { interrupt("at " + own); return {}; })
  .addEdge(START, "count").addEdge("count", "stop").compile({ checkpointer: true });
export const graph = new StateGraph(State)
  .addNode("middle", middle)
  .addNode("counter", counter)
  .addNode("plain", () => ({ turns: 1 }))
  .addNode("wait", (_state, { signal }) => new Promise((resolve) => signal.addEventListener("abort", resolve)))
  .addConditionalEdges(START, ({ asked }) => asked, ["middle", "counter", "plain", "wait"])
  .compile();
`;

const cleanups: (() => unknown)[] = [];
const context = { after: (cleanup: unknown) => cleanups.push(cleanup as () => unknown) };
let graph: TestServer;
before(async () => {
  graph = await testServer(context, { ...graphProject, "graph.ts": nestedGraph });
});
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

type Call = TestServer["call"];
const threadOf = async ({ call, deployment_id }: TestServer): Promise<string> =>
  (await call("POST", "/v1/threads", { deployment_id })).body.thread_id;
const run = async (call: Call, thread: string, request: object): Promise<TestAnswer["body"]> =>
  (await call("POST", `/v1/threads/${thread}/runs/wait`, request)).body;

describe("the states of subgraphs", () => {
  const state = async (thread: string, query = "subgraphs=true") =>
    (await graph.call("GET", `/v1/threads/${thread}/state?${query}`)).body;

  it("stand with their tasks, however deep, when they are asked for; also at an older checkpoint", async () => {
    const thread = await threadOf(graph);
    const asked = await run(graph.call, thread, { input: { asked: "middle" } });
    assert.equal(asked.status, "interrupted", JSON.stringify(asked.error));
    assert.equal((await state(thread, "")).tasks[0].state, undefined);
    const shown = await state(thread);
    const look = ({ values, next, tasks }: { values: object; next: string[]; tasks: { name: string }[] }) => [
      values,
      next,
      tasks.map(({ name }) => name),
    ];
    const middle = shown.tasks[0].state;
    const inner = middle.tasks[0].state;
    assert.deepEqual(look(shown), [{ asked: "middle" }, ["middle"], ["middle"]]);
    assert.deepEqual(look(middle), [{ asked: "middle" }, ["inner"], ["inner"]]);
    assert.deepEqual(look(inner), [{ asked: "middle", seen: "tea" }, ["ask"], ["ask"]]);
    assert.equal(inner.interrupts[0].value, "how much?");
    assert.deepEqual(inner.tasks[0].interrupts[0].value, "how much?");
    assert.match(inner.namespace, /^middle:[^|]+\|inner:[^|]+$/);
    assert.equal(inner.tasks[0].state, undefined);
    const done = await run(graph.call, thread, { command: { resume: "a cup" } });
    assert.equal(done.status, "succeeded", JSON.stringify(done.error));
    assert.deepEqual((await state(thread)).tasks, []);
    const before = await state(thread, `subgraphs=true&checkpoint_id=${shown.checkpoint_id}`);
    assert.deepEqual(look(before.tasks[0].state), [{ asked: "a cup", seen: "tea" }, [], []]);
    const copy = (
      await graph.call("POST", `/v1/threads/${thread}/copy`, { checkpoint_id: shown.checkpoint_id })
    ).body;
    assert.deepEqual((await state(copy.thread_id)).tasks[0].state.tasks[0].state.values, inner.values);
  });

  it("of one that remembers from call to call is the one under the checkpoint that is looked at", async () => {
    const thread = await threadOf(graph);
    const checkpoints: string[] = [];
    for (const n of [1, 2]) {
      await run(graph.call, thread, { input: { asked: "counter" } });
      const shown = await state(thread);
      assert.deepEqual(shown.tasks[0].state.values, { own: n, turns: 0 });
      checkpoints.push(shown.checkpoint_id);
      await run(graph.call, thread, { command: { resume: "on" } });
    }
    const first = await state(thread, `subgraphs=true&checkpoint_id=${checkpoints[0]}`);
    assert.equal(first.tasks[0].state.values.own, 1);
  });

  it("are asked for with true or false", async () => {
    const thread = await threadOf(graph);
    assert.equal((await graph.call("GET", `/v1/threads/${thread}/state?subgraphs=perhaps`)).status, 400);
    assert.deepEqual((await state(thread, "subgraphs=false")).tasks, []);
  });
});

describe("a checkpoint id that leads nowhere", () => {
  let thread = "";
  const wrong: Record<string, string> = {};
  before(async () => {
    const { call } = graph;
    const newest = async (id: string) => (await call("GET", `/v1/threads/${id}/state`)).body.checkpoint_id;
    thread = await threadOf(graph);
    const other = await threadOf(graph);
    await run(call, other, { input: { asked: "plain" } });
    wrong["another thread's"] = await newest(other);
    await run(call, thread, { input: { asked: "plain" } });
    wrong["a pruned one"] = await newest(thread);
    await run(call, thread, { input: { asked: "middle" } });
    wrong["a subgraph's"] = (
      await call("GET", `/v1/threads/${thread}/state?subgraphs=true`)
    ).body.tasks[0].state.checkpoint_id;
    await call("POST", "/v1/threads/prune", { ids: [thread], strategy: "keep_latest" });
    const kept = await newest(thread);
    const { run_id } = (await call("POST", `/v1/threads/${thread}/runs`, { input: { asked: "wait" } })).body;
    await until("it has made a checkpoint", async () => (await newest(thread)) !== kept);
    wrong["a rolled back run's"] = await newest(thread);
    await call("POST", `/v1/runs/${run_id}/cancel`, { action: "rollback" });
    assert.equal(await newest(thread), kept);
    wrong.malformed = "../../etc/passwd";
    wrong.unknown = "1f1e6b5e-c011-6900-8006-51ab94e9f545";
    wrong["an empty one"] = "";
    wrong["one with a NUL"] = "1f1e\u0000";
  });

  it("is a 4xx that names it at every place that takes one, and changes nothing", async () => {
    const { call } = graph;
    const look = async () => [
      (await call("GET", `/v1/threads/${thread}`)).body,
      (await call("GET", `/v1/threads/${thread}/history?granularity=step`)).body,
      (await call("GET", `/v1/threads/${thread}/runs`)).body.runs.length,
      (await call("POST", "/v1/threads/count", {})).body,
    ];
    const before = await look();
    const good = before[1].checkpoints[0].checkpoint_id;
    const url = encodeURIComponent;
    const places: Record<string, (id: string) => Promise<TestAnswer>> = {
      run: (checkpoint_id) =>
        call("POST", `/v1/threads/${thread}/runs`, { input: { asked: "plain" }, checkpoint_id }),
      "runs/wait": (checkpoint_id) =>
        call("POST", `/v1/threads/${thread}/runs/wait`, { command: { resume: 1 }, checkpoint_id }),
      "runs/stream": (checkpoint_id) =>
        call("POST", `/v1/threads/${thread}/runs/stream`, { input: null, checkpoint_id }),
      update: (checkpoint_id) =>
        call("POST", `/v1/threads/${thread}/state`, { values: { seen: 1 }, checkpoint_id }),
      copy: (checkpoint_id) => call("POST", `/v1/threads/${thread}/copy`, { checkpoint_id }),
      state: (id) => call("GET", `/v1/threads/${thread}/state?checkpoint_id=${url(id)}`),
      history: (id) => call("GET", `/v1/threads/${thread}/history?before=${url(id)}`),
      "diff from": (id) => call("GET", `/v1/threads/${thread}/diff?from=${url(id)}`),
      "diff to": (id) => call("GET", `/v1/threads/${thread}/diff?from=${good}&to=${url(id)}`),
    };
    for (const [what, id] of Object.entries(wrong)) {
      for (const [place, ask] of Object.entries(places)) {
        const { status, body } = await ask(id);
        assert.ok(status === 404 || status === 400, `${what} at ${place}: ${status}`);
        const { message } = body.error;
        assert.ok(message.includes(id) || status === 400, `${what} at ${place}: ${message}`);
      }
    }
    assert.deepEqual(await look(), before);
  });
});

describe("a difference between two checkpoints", () => {
  it("is a patch that makes the one of the other, whatever they hold, also between branches", async (t) => {
    const server = await testServer(t, functionProject);
    const { call } = server;
    // The server takes no key that could change a prototype.
    const isTaken = (value: unknown) => !/"(__proto__|constructor)":/.test(JSON.stringify(value));
    const values = fc
      .dictionary(fc.oneof(fc.constantFrom("a/b", "~c", "ü", "messages", ""), fc.string()), anyJson, {
        maxKeys: 4,
        noNullPrototype: true,
      })
      .filter(isTaken);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(values, fc.nat(5)), { minLength: 2, maxLength: 5 }),
        async (updates) => {
          const thread = await threadOf(server);
          const made: { checkpoint_id: string; values: JsonObject }[] = [];
          for (const [update, from] of updates) {
            const at = made.length > 0 && { checkpoint_id: made[from % made.length]!.checkpoint_id };
            const answer = await call("POST", `/v1/threads/${thread}/state`, { values: update, ...at });
            assert.equal(answer.status, 201, JSON.stringify(answer.body));
            made.push(answer.body);
          }
          for (const from of made) {
            for (const to of made) {
              const path = `/v1/threads/${thread}/diff?from=${from.checkpoint_id}&to=${to.checkpoint_id}`;
              const { patch } = (await call("GET", path)).body;
              const patched = jsonPatch.applyPatch(structuredClone(from.values), patch, true).newDocument;
              assert.deepEqual(patched, to.values);
              if (from === to) assert.deepEqual(patch, []);
            }
          }
        },
      ),
      { numRuns: 25 },
    );
  });
});

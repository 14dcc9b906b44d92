/** LangGraph's own client for JavaScript against a real server, with the same graph in TypeScript and in Python. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { Client } from "@langchain/langgraph-sdk";
import { clientOf, clientServer, languages } from "./fixtures/clients.ts";
import { cuttingProxy } from "./fixtures/cutting_proxy.ts";
import type { TestServer } from "./fixtures/server.ts";

type Part = { id?: string | undefined; event: string; data: unknown };
// biome-ignore lint/suspicious/noExplicitAny: a test looks into answers whose shape it is checking
type Values = any;

const user = (content: string) => [{ role: "user", content }];
const SYSTEM_ASSISTANT = "fe096781-5601-53d2-b2f6-0d3403f7e9ca";

async function partsOf(stream: AsyncIterable<unknown>): Promise<Part[]> {
  const parts: Part[] = [];
  for await (const part of stream) parts.push(part as Part);
  return parts;
}
const of = (parts: Part[], event: string) =>
  parts.filter((part) => part.event === event).map(({ data }) => data);
const status = (wanted: number) => (error: { status?: number; message: string }) =>
  error.status === wanted || error.message.includes(`HTTP ${wanted}`);

for (const language of languages) {
  describe(`the JavaScript SDK with a graph in ${language === "js" ? "TypeScript" : "Python"}`, () => {
    let server: TestServer;
    let client: Client;
    const cleanups: (() => unknown)[] = [];
    before(async () => {
      const later = { after: (run: () => unknown) => void cleanups.unshift(run) };
      ({ client, ...server } = await clientServer(later as never, language));
    });
    after(async () => {
      for (const cleanup of cleanups) await cleanup();
    });

    const run = (input: object, options: object = {}) =>
      client.runs.wait(null, "agent", {
        input: input as Record<string, unknown>,
        ...options,
      }) as Promise<Values>;

    test("each deployment is an assistant under the id that LangGraph gives its name", async () => {
      const [assistant] = await client.assistants.search();
      assert.equal(assistant!.assistant_id, SYSTEM_ASSISTANT);
      assert.equal(assistant!.graph_id, "agent");
      assert.deepEqual(await client.assistants.get("agent"), assistant);
      await assert.rejects(client.assistants.get(randomUUID()), status(404));
      await assert.rejects(client.assistants.delete(SYSTEM_ASSISTANT), status(403));
    });

    test("an assistant shows its graph to any depth, its schemas and its subgraphs", async () => {
      const names = ({ nodes }: Values) => nodes.map(({ id }: Values) => String(id));
      await assert.rejects(client.assistants.getGraph("agent"), status(503), "it is not known yet");
      // As `dev` does when it begins.
      assert.equal(await server.server.reload(), null);
      const closed = names(await client.assistants.getGraph("agent"));
      assert.ok(closed.includes("inner") && closed.includes("__start__"), closed.join());
      for (const xray of [true, 1]) {
        const open = names(await client.assistants.getGraph("agent", { xray }));
        assert.ok(
          open.some((name: string) => /inner.think/.test(name)),
          open.join(),
        );
      }
      const schemas = (await client.assistants.getSchemas("agent")) as Values;
      assert.equal(schemas.graph_id, "agent");
      assert.ok("messages" in schemas.state_schema.properties && "do" in schemas.input_schema.properties);
      const subgraphs = (await client.assistants.getSubgraphs("agent", { recurse: true })) as Values;
      assert.deepEqual(Object.keys(subgraphs), ["inner"]);
      const one = (await client.assistants.getSubgraphs("agent", { namespace: "inner" })) as Values;
      assert.ok("log" in one.inner.state_schema.properties);
      await assert.rejects(client.assistants.getGraph(randomUUID()), status(404));
    });

    test("an assistant has versions with a config of its own, which its runs are given", async () => {
      const assistantId = randomUUID();
      const made = await client.assistants.create({
        graphId: "agent",
        assistantId,
        name: "Kind one",
        config: { configurable: { tone: "kind" } },
        metadata: { team: "a" },
      });
      assert.equal(made.version, 1);
      await assert.rejects(client.assistants.create({ graphId: "agent", assistantId }), status(409));
      const again = await client.assistants.create({ graphId: "agent", assistantId, ifExists: "do_nothing" });
      assert.equal(again.name, "Kind one");
      const changed = await client.assistants.update(assistantId, {
        config: { configurable: { tone: "gruff" } },
        metadata: { level: 2 },
      });
      assert.equal(changed.version, 2);
      assert.deepEqual(changed.metadata, { team: "a", level: 2 });
      const values = (await client.runs.wait(null, assistantId, { input: { do: "settings" } })) as Values;
      assert.deepEqual(values.log, [`gruff ${assistantId}`]);
      await client.assistants.setLatest(assistantId, 1);
      const older = (await client.runs.wait(null, assistantId, { input: { do: "settings" } })) as Values;
      assert.deepEqual(older.log, [`kind ${assistantId}`]);
      const versions = await client.assistants.getVersions(assistantId);
      assert.deepEqual(
        versions.map(({ version }) => version),
        [2, 1],
      );
      assert.equal(await client.assistants.count({ metadata: { team: "a" } }), 1);
      const page = await client.assistants.search({
        limit: 1,
        sortBy: "created_at",
        includePagination: true,
      });
      assert.equal(page.assistants.length, 1);
      assert.equal(page.next, "1");
      await client.assistants.delete(assistantId);
      await assert.rejects(client.assistants.get(assistantId), status(404));
    });

    test("a thread is created, read, changed, searched, counted, copied and deleted", async () => {
      const thread_id = randomUUID();
      const mark = randomUUID();
      const thread = await client.threads.create({ threadId: thread_id, metadata: { mark }, ttl: 60 });
      assert.equal(thread.thread_id, thread_id);
      assert.equal(thread.status, "idle");
      await assert.rejects(client.threads.create({ threadId: thread_id }), status(409));
      const same = await client.threads.create({ threadId: thread_id, ifExists: "do_nothing" });
      assert.deepEqual(same.metadata, { mark });
      const { metadata } = await client.threads.update(thread_id, { metadata: { more: 1 } });
      assert.deepEqual(metadata, { mark, more: 1 });
      await client.runs.wait(thread_id, "agent", { input: { do: "chat", messages: user("hello") } });
      const read = await client.threads.get<Values>(thread_id);
      assert.deepEqual(
        read.values.messages.map(({ type, content }: Values) => [type, content]),
        [
          ["human", "hello"],
          ["ai", "you said hello"],
        ],
      );
      assert.equal(read.metadata?.graph_id, "agent");
      const [found] = await client.threads.search({
        metadata: { mark },
        select: ["thread_id"],
        extract: { last: "values.messages[-1].content" },
      });
      assert.deepEqual(found, { thread_id, extracted: { last: "you said hello" } });
      assert.equal(await client.threads.count({ metadata: { mark }, status: "idle" }), 1);
      const copy = await client.threads.copy(thread_id);
      const ids = async (id: string) =>
        (await client.threads.getHistory(id)).map(({ checkpoint }) => checkpoint.checkpoint_id);
      assert.deepEqual(await ids(copy.thread_id), await ids(thread_id));
      assert.deepEqual((await client.threads.get<Values>(copy.thread_id)).values, read.values);
      await assert.rejects(client.threads.copy(randomUUID()), status(409));
      await client.threads.delete(thread_id);
      await assert.rejects(client.threads.get(thread_id), status(404));
      assert.equal((await ids(copy.thread_id)).length, 3);
      const { pruned_count } = await client.threads.prune([copy.thread_id]);
      assert.equal(pruned_count, 1);
    });

    test("a thread made with supersteps has the history they say", async () => {
      const thread = await client.threads.create({
        graphId: "agent",
        supersteps: [
          { updates: [{ values: { do: "chat", messages: user("one") }, asNode: "__start__" }] },
          { updates: [{ values: { messages: [{ role: "assistant", content: "two" }] }, asNode: "chat" }] },
        ],
      });
      const { values, next } = await client.threads.getState<Values>(thread.thread_id);
      assert.deepEqual(
        values.messages.map(({ content }: Values) => content),
        ["one", "two"],
      );
      assert.deepEqual(next, []);
      const history = await client.threads.getHistory(thread.thread_id);
      assert.deepEqual(
        history.map(({ metadata }) => metadata?.source),
        ["update", "update"],
      );
    });

    test("a state is changed by hand, and a run starts from any checkpoint of the history", async () => {
      const { thread_id } = await client.threads.create();
      const empty = await client.threads.getState(thread_id);
      assert.deepEqual([empty.values, empty.next], [{}, []]);
      await client.runs.wait(thread_id, "agent", { input: { do: "chat", messages: user("first") } });
      const { checkpoint } = await client.threads.getState(thread_id);
      await client.threads.updateState(thread_id, { values: { log: ["by hand"] }, asNode: "chat" });
      assert.deepEqual((await client.threads.getState<Values>(thread_id)).values.log, ["by hand"]);
      const forked = (await client.runs.wait(thread_id, "agent", {
        input: { do: "chat", messages: user("other") },
        checkpoint: checkpoint as never,
      })) as Values;
      assert.deepEqual(forked.log ?? [], []);
      assert.equal(forked.messages.length, 4);
      const at = await client.threads.getState<Values>(thread_id, checkpoint as never);
      assert.equal(at.values.messages.length, 2);
      const byId = await client.threads.getState<Values>(thread_id, checkpoint.checkpoint_id!);
      assert.deepEqual(byId.values, at.values);
      const history = await client.threads.getHistory(thread_id, { limit: 2 });
      assert.equal(history.length, 2);
      const older = await client.threads.getHistory(thread_id, {
        before: { configurable: history[1]!.checkpoint as never },
        limit: 100,
      });
      assert.ok(
        older.every((state) => state.checkpoint.checkpoint_id !== history[1]!.checkpoint.checkpoint_id),
      );
      assert.equal(older.at(-1)!.metadata?.step, -1);
      const updates = await client.threads.getHistory(thread_id, { metadata: { source: "update" } });
      assert.equal(updates.length, 1);
    });

    test("a stream has the run's metadata first, its modes as LangGraph tells them, and its end last", async () => {
      const { thread_id } = await client.threads.create();
      let created: unknown;
      const parts = await partsOf(
        client.runs.stream(thread_id, "agent", {
          input: { do: "chat", messages: user("hi there") },
          streamMode: ["values", "updates", "messages-tuple", "tasks", "checkpoints", "debug"],
          onRunCreated: (params) => {
            created = params;
          },
        }),
      );
      const [first] = parts;
      assert.equal(first!.event, "metadata");
      const { run_id } = first!.data as { run_id: string };
      assert.deepEqual(created, { run_id, thread_id });
      assert.equal(parts.at(-1)!.event, "end");
      assert.equal(new Set(parts.map(({ id }) => id)).size, parts.length, "every frame has an id of its own");
      const values = of(parts, "values") as Values[];
      assert.deepEqual(
        values.map(({ messages }) => messages.length),
        [1, 2],
      );
      const pieces = of(parts, "messages") as [Values, Values][];
      assert.equal(pieces.map(([message]) => message.content).join(""), "you said hi there");
      assert.ok(pieces.length >= 4);
      assert.ok(
        pieces.every(([{ type }, about]) => type === "AIMessageChunk" && about.langgraph_node === "chat"),
      );
      const [update] = of(parts, "updates") as Values[];
      assert.equal(update.chat.messages[0].content, "you said hi there");
      assert.equal(update.chat.messages[0].id, pieces[0]![0].id);
      const [begun, ended] = of(parts, "tasks") as Values[];
      assert.equal(begun.name, "chat");
      assert.equal(ended.id, begun.id);
      assert.deepEqual(ended.result, update.chat);
      const checkpoints = of(parts, "checkpoints") as Values[];
      assert.deepEqual(
        checkpoints.map(({ metadata }) => metadata.step),
        [-1, 0, 1],
      );
      assert.deepEqual(checkpoints.at(-1).values, values.at(-1));
      assert.deepEqual(
        (of(parts, "debug") as Values[]).map(({ type }) => type),
        ["checkpoint", "checkpoint", "task", "task_result", "checkpoint"],
      );
    });

    test("messages grow in the older mode, and the graph's own events come when they are asked for", async () => {
      const input = { do: "chat", messages: user("hi there") };
      const parts = await partsOf(
        client.runs.stream(null, "agent", { input, streamMode: ["messages", "events"] }),
      );
      const [about] = of(parts, "messages/metadata") as Values[];
      const [id] = Object.keys(about);
      const grown = (of(parts, "messages/partial") as Values[]).map(([message]) => [
        message.id,
        message.content,
      ]);
      assert.deepEqual(grown.at(0), [id, "you "]);
      assert.deepEqual(grown.at(-1), [id, "you said hi there"]);
      const kinds = (of(parts, "events") as Values[]).map(({ event }) => event);
      assert.ok(kinds.includes("on_chat_model_stream") && kinds.includes("on_chain_end"));
    });

    test("a tool's call and its answer are messages of the stream and of the state", async () => {
      const parts = await partsOf(
        client.runs.stream(null, "agent", {
          input: { do: "tool" },
          streamMode: ["messages-tuple", "updates"],
        }),
      );
      const messages = (of(parts, "messages") as [Values][]).map(([message]) => message);
      assert.deepEqual(messages[0].tool_calls[0].args, { n: 21 });
      assert.deepEqual([messages[1].type, messages[1].content], ["tool", "42"]);
      const [, second] = of(parts, "updates") as Values[];
      assert.equal(second.tools.messages[0].tool_call_id, "call_1");
    });

    test("subgraphs are streamed under their namespaces when they are asked for, and not otherwise", async () => {
      const input = { do: "inner", count: 1 };
      const streamMode = ["values", "updates", "custom"] as const;
      const parts = await partsOf(
        client.runs.stream(null, "agent", { input, streamMode: [...streamMode], streamSubgraphs: true }),
      );
      const inside = parts.filter(({ event }) => event.includes("|"));
      assert.deepEqual(inside.find(({ event }) => event.startsWith("custom|inner:"))?.data, { thought: 1 });
      assert.ok(inside.some(({ event }) => event.startsWith("updates|inner:")));
      const last = inside.findLast(({ event }) => event.startsWith("values|inner:"))!.data as Values;
      assert.deepEqual(last.log, ["thought"]);
      const plain = await partsOf(client.runs.stream(null, "agent", { input, streamMode: [...streamMode] }));
      assert.ok(plain.every(({ event }) => !event.includes("|")));
    });

    test("pieces that a node sends out side by side each give an update, and one state", async () => {
      const parts = await partsOf(
        client.runs.stream(null, "agent", { input: { do: "send" }, streamMode: ["updates", "values"] }),
      );
      const works = (of(parts, "updates") as Values[]).flatMap((update) => update.work?.log ?? []);
      assert.deepEqual(works.toSorted(), ["part 1", "part 2", "part 3"]);
      assert.deepEqual((of(parts, "values") as Values[]).at(-1).log, ["part 1", "part 2", "part 3"]);
    });

    test("a question stops the run, stands with the thread, and is answered by the next", async () => {
      const { thread_id } = await client.threads.create();
      const asked = (await client.runs.wait(thread_id, "agent", { input: { do: "ask" } })) as Values;
      assert.equal(asked.__interrupt__[0].value, "which one?");
      const thread = await client.threads.get(thread_id);
      assert.equal(thread.status, "interrupted");
      const [task] = (await client.threads.getState(thread_id)).tasks;
      assert.deepEqual(Object.keys(thread.interrupts), [task!.id]);
      assert.deepEqual(task!.interrupts[0], { id: asked.__interrupt__[0].id, value: "which one?" });
      const parts = await partsOf(
        client.runs.stream(thread_id, "agent", {
          command: { resume: "this" },
          streamMode: ["values", "updates"],
        }),
      );
      assert.deepEqual((of(parts, "values") as Values[]).at(-1).log, ["answer: this"]);
      assert.equal((await client.threads.get(thread_id)).status, "idle");
    });

    test("a question in a subgraph is seen in its state and answered through its parent", async () => {
      const { thread_id } = await client.threads.create();
      const parts = await partsOf(
        client.runs.stream(thread_id, "agent", {
          input: { do: "inner", count: 7 },
          streamMode: ["values", "updates"],
          streamSubgraphs: true,
        }),
      );
      assert.equal((of(parts, "values") as Values[]).at(-1).__interrupt__[0].value, "sure?");
      assert.equal((of(parts, "updates") as Values[]).at(-1).__interrupt__[0].value, "sure?");
      const state = await client.threads.getState<Values>(thread_id, undefined, { subgraphs: true });
      const inner = state.tasks[0]!.state!;
      assert.deepEqual(inner.next, ["doubt"]);
      const shallow = await client.threads.getState(thread_id);
      const { checkpoint } = shallow.tasks[0]!;
      assert.equal(checkpoint!.checkpoint_ns, inner.checkpoint.checkpoint_ns);
      const byNamespace = await client.threads.getState<Values>(thread_id, checkpoint as never);
      assert.deepEqual(byNamespace.values, inner.values);
      const done = (await client.runs.wait(thread_id, "agent", { command: { resume: "yes" } })) as Values;
      assert.deepEqual(done.log, ["thought", "sure: yes"]);
    });

    test("a breakpoint stops a run before a node, and a run without input goes on", async () => {
      const { thread_id } = await client.threads.create();
      const parts = await partsOf(
        client.runs.stream(thread_id, "agent", {
          input: { do: "chat", messages: user("go") },
          interruptBefore: ["chat"],
          streamMode: ["updates"],
        }),
      );
      assert.deepEqual(of(parts, "updates"), [{ __interrupt__: [] }]);
      assert.deepEqual((await client.threads.getState(thread_id)).next, ["chat"]);
      const values = (await client.runs.wait(thread_id, "agent", { input: null })) as Values;
      assert.equal(values.messages.at(-1).content, "you said go");
    });

    test("an error is told by the stream, by the wait and by the thread", async () => {
      const { thread_id } = await client.threads.create();
      const parts = await partsOf(client.runs.stream(thread_id, "agent", { input: { do: "fail" } }));
      const [error] = of(parts, "error") as Values[];
      assert.equal(error.error, language === "js" ? "RangeError" : "ValueError");
      assert.match(error.message, /^too far/);
      assert.equal(parts.at(-1)!.event, "end");
      const thread = await client.threads.get(thread_id);
      assert.equal(thread.status, "error");
      assert.deepEqual(thread.error, error);
      await assert.rejects(run({ do: "fail" }), /too far/);
      const plain = (await run({ do: "fail" }, { raiseError: false })) as Values;
      assert.match(plain.__error__.message, /^too far/);
    });

    test("runs in the background are listed, read, joined, canceled and deleted", async () => {
      const { thread_id } = await client.threads.create();
      const first = await client.runs.create(thread_id, "agent", {
        input: { do: "steps", count: 3 },
        metadata: { part: 1 },
      });
      assert.equal(first.thread_id, thread_id);
      assert.equal(first.assistant_id, SYSTEM_ASSISTANT);
      const values = (await client.runs.join(thread_id, first.run_id)) as Values;
      assert.deepEqual(values.log, ["3 steps"]);
      const done = await client.runs.get(thread_id, first.run_id);
      assert.equal(done.status, "success");
      assert.deepEqual(done.metadata, { part: 1 });
      const waiting = await client.runs.create(thread_id, "agent", { input: { do: "wait" } });
      assert.equal((await client.threads.get(thread_id)).status, "busy");
      await assert.rejects(client.threads.updateState(thread_id, { values: { log: [] } }), status(409));
      await client.runs.cancel(thread_id, waiting.run_id, true);
      assert.equal((await client.runs.get(thread_id, waiting.run_id)).status, "interrupted");
      await assert.rejects(client.runs.cancel(thread_id, waiting.run_id), status(409));
      assert.deepEqual(
        (await client.runs.list(thread_id)).map(({ run_id }) => run_id),
        [waiting.run_id, first.run_id],
      );
      assert.equal((await client.runs.list(thread_id, { status: "success" })).length, 1);
      await client.runs.delete(thread_id, first.run_id);
      await assert.rejects(client.runs.get(thread_id, first.run_id), status(404));
      const history = await client.threads.getHistory(thread_id, { limit: 100 });
      assert.ok(history.every(({ metadata }) => (metadata as Values)?.run_id !== first.run_id));
    });

    test("a busy thread refuses, queues, interrupts or rolls back, as the run says", async () => {
      const { thread_id } = await client.threads.create();
      const input = { do: "wait" };
      const start = (options: object = {}) => client.runs.create(thread_id, "agent", { input, ...options });
      const first = await start();
      await assert.rejects(start({ multitaskStrategy: "reject" }), status(409));
      const queued = await start();
      assert.equal(queued.status, "pending");
      const third = await start({ multitaskStrategy: "interrupt" });
      for (const { run_id } of [first, queued]) {
        assert.equal((await client.runs.get(thread_id, run_id)).status, "interrupted");
      }
      const fourth = await client.runs.create(thread_id, "agent", {
        input: { do: "steps", count: 1 },
        multitaskStrategy: "rollback",
      });
      const values = (await client.runs.join(thread_id, fourth.run_id)) as Values;
      assert.deepEqual(values.log, ["1 steps"]);
      await assert.rejects(client.runs.get(thread_id, third.run_id), status(404));
    });

    test("several runs are canceled at once, by their ids or by their status", async () => {
      const { thread_id } = await client.threads.create();
      const input = { do: "wait" };
      const runs = [1, 2].map(() => client.runs.create(thread_id, "agent", { input }));
      const ids = (await Promise.all(runs)).map(({ run_id }) => run_id);
      await client.runs.cancelMany({ threadId: thread_id, runIds: ids });
      for (const run_id of ids)
        assert.equal((await client.runs.get(thread_id, run_id)).status, "interrupted");
      const other = await client.runs.create(thread_id, "agent", { input });
      await client.runs.cancelMany({ status: "all" });
      assert.equal((await client.runs.get(thread_id, other.run_id)).status, "interrupted");
    });

    test("stateless runs come in batches, wait, and make their thread when they may", async () => {
      const batch = await client.runs.createBatch([
        { assistantId: "agent", input: { do: "steps", count: 1 } },
        { assistantId: "agent", input: { do: "steps", count: 2 } },
      ]);
      const values = await Promise.all(
        batch.map(async ({ thread_id, run_id }) => (await client.runs.join(thread_id, run_id)) as Values),
      );
      assert.deepEqual(
        values.map(({ log }) => log),
        [["1 steps"], ["2 steps"]],
      );
      const thread_id = randomUUID();
      const input = { do: "steps", count: 1 };
      await assert.rejects(client.runs.wait(thread_id, "agent", { input }), status(404));
      await client.runs.wait(thread_id, "agent", { input, ifNotExists: "create" });
      assert.equal((await client.threads.get(thread_id)).status, "idle");
    });

    test("a stream is joined from its beginning or after any of its frames", async () => {
      const { thread_id } = await client.threads.create();
      const streamMode = ["values", "custom"] as const;
      const parts = await partsOf(
        client.runs.stream(thread_id, "agent", {
          input: { do: "steps", count: 10 },
          streamMode: [...streamMode],
        }),
      );
      const { run_id } = parts[0]!.data as { run_id: string };
      const all = await partsOf(client.runs.joinStream(thread_id, run_id, { lastEventId: "-1" }));
      assert.deepEqual(all, parts);
      for (const [i, { id }] of parts.entries()) {
        const rest = await partsOf(client.runs.joinStream(thread_id, run_id, { lastEventId: id! }));
        assert.deepEqual(rest, parts.slice(i + 1));
      }
      const custom = await partsOf(client.runs.joinStream(thread_id, run_id, { streamMode: "custom" }));
      assert.equal(of(custom, "custom").length, 10);
      assert.equal(of(custom, "values").length, 0);
    });

    test("through a network that cuts every connection a stream loses nothing and tells nothing twice", async (t) => {
      let cut = 0;
      const proxy = await cuttingProxy(t, server.server.url, () => [340, 520, 430][cut++ % 3]!);
      const cutOff = clientOf(proxy.url, server.server.apiKey!);
      const { thread_id } = await client.threads.create();
      const input = { do: "steps", count: 12 };
      const parts = await partsOf(
        cutOff.runs.stream(thread_id, "agent", { input, streamMode: ["values", "updates", "custom"] }),
      );
      assert.ok(proxy.cuts() >= 2, `${proxy.cuts()} cuts`);
      assert.deepEqual(
        (of(parts, "custom") as Values[]).map(({ step }) => step),
        Array.from({ length: 12 }, (_, i) => i + 1),
      );
      assert.equal(new Set(parts.map(({ id }) => id)).size, parts.length);
      assert.equal(of(parts, "end").length, 1);
      t.diagnostic(`${proxy.cuts()} cuts`);
    });

    test("a reader that leaves cancels the run only where it says so", async () => {
      const leave = async (onDisconnect: "cancel" | "continue") => {
        const { thread_id } = await client.threads.create();
        const gone = new AbortController();
        const stream = client.runs.stream(thread_id, "agent", {
          input: { do: "wait" },
          onDisconnect,
          signal: gone.signal,
        });
        const { value } = await stream.next();
        gone.abort();
        await stream.next().catch(() => undefined);
        return { thread_id, run_id: (value as Values).data.run_id as string };
      };
      const left = await leave("continue");
      const canceled = await leave("cancel");
      await client.runs.join(canceled.thread_id, canceled.run_id);
      assert.equal((await client.runs.get(canceled.thread_id, canceled.run_id)).status, "interrupted");
      assert.equal((await client.runs.get(left.thread_id, left.run_id)).status, "running");
      await client.runs.cancel(left.thread_id, left.run_id, true);
    });

    test("a thread's stream tells its runs one after another, and goes on after any frame", async () => {
      const { thread_id } = await client.threads.create();
      for (const count of [1, 2])
        await client.runs.wait(thread_id, "agent", { input: { do: "steps", count } });
      const read = async (lastEventId: string, many: number) => {
        const gone = new AbortController();
        const parts: Part[] = [];
        const streamMode = ["run_modes", "lifecycle", "state_update"] as const;
        const options = { lastEventId, streamMode: [...streamMode], signal: gone.signal };
        for await (const part of client.threads.joinStream(thread_id, options)) {
          parts.push(part as Part);
          if (parts.length === many) break;
        }
        gone.abort();
        return parts;
      };
      const all = await read("-", 16);
      assert.deepEqual(
        (of(all, "lifecycle") as Values[]).map(({ event }) => event),
        ["started", "completed", "started", "completed"],
      );
      assert.deepEqual((of(all, "state_update") as Values[]).at(-1).values.log, ["1 steps", "2 steps"]);
      assert.deepEqual(await read(all[4]!.id!, 11), all.slice(5));
    });

    for (const transport of ["sse", "websocket"] as const) {
      test(`the newest protocol over ${transport} starts a run, tells its messages and states, and answers its question`, async () => {
        const { url, apiKey } = server.server;
        // A browser's WebSocket has no headers; this one, and a proxy that knows who asks, can give the key.
        const webSocketFactory = (to: string) =>
          new WebSocket(to, { headers: { "x-api-key": apiKey! } } as never);
        const over = transport === "sse" ? client : new Client({ apiUrl: url, apiKey: null });
        const open = () =>
          over.threads.stream(randomUUID(), { assistantId: "agent", transport, webSocketFactory });
        const thread = open();
        const texts: Promise<string>[] = [];
        const reading = (async () => {
          for await (const message of thread.messages) texts.push(Promise.resolve(message.text));
        })();
        const { run_id } = (await thread.run.start({
          input: { do: "chat", messages: user("hi there") },
        })) as Values;
        assert.match(run_id, /^[0-9a-f-]{36}$/);
        const values = (await thread.output) as Values;
        assert.deepEqual(
          values.messages.map(({ content }: Values) => content),
          ["hi there", "you said hi there"],
        );
        await reading;
        assert.deepEqual(await Promise.all(texts), ["you said hi there"]);
        await thread.close();
        const asking = open();
        await asking.run.start({ input: { do: "ask" } });
        await asking.output;
        assert.equal(asking.interrupted, true);
        const [question] = asking.interrupts;
        assert.equal(question!.payload, "which one?");
        await asking.input.respond({
          interrupt_id: question!.interruptId,
          response: "this",
          namespace: [],
        } as never);
        const { run_id: answering } = (await client.runs.list(asking.threadId, { limit: 1 }))[0]!;
        const answered = (await client.runs.join(asking.threadId, answering)) as Values;
        assert.deepEqual(answered.log, ["answer: this"]);
        await asking.close();
        const nested = open();
        const steps = (async () => {
          const told: string[] = [];
          for await (const { params } of await nested.subscribe({ channels: ["lifecycle"] })) {
            const { event } = params.data as Values;
            told.push(`${params.namespace.map((part) => part.split(":")[0]).join()} ${event}`);
            if (params.namespace.length === 0 && event !== "started") break;
          }
          return told;
        })();
        await nested.run.start({ input: { do: "inner", count: 7 } });
        await nested.output;
        const { tree } = (await nested.agent.getTree()) as Values;
        assert.deepEqual([tree.graph_name, tree.status, tree.namespace], ["agent", "interrupted", []]);
        assert.deepEqual(
          tree.children.map((child: Values) => [child.graph_name, child.status]),
          [["inner", "interrupted"]],
        );
        assert.deepEqual(await steps, [" started", "inner started", "inner interrupted", " interrupted"]);
        await nested.close();
      });
    }

    test("crons start runs at their times, are changed, found, paused and deleted", async () => {
      const { thread_id } = await client.threads.create();
      const cron = await client.crons.createForThread(thread_id, "agent", {
        schedule: "* * * * * *",
        input: { do: "steps", count: 1 },
        metadata: { kind: "each second" },
      });
      const { cron_id } = cron as Values;
      const begun = async () =>
        (await client.runs.list(thread_id)).filter(({ status }) => status === "success");
      for (const deadline = performance.now() + 30_000; (await begun()).length < 2; ) {
        assert.ok(performance.now() < deadline, "its runs come");
        const live = await client.runs.list(thread_id, { limit: 1 });
        if (live[0]) await client.runs.join(thread_id, live[0].run_id);
      }
      const [found] = await client.crons.search({ assistantId: "agent", threadId: thread_id });
      assert.equal(found!.cron_id, cron_id);
      assert.equal(await client.crons.count({ metadata: { kind: "each second" } }), 1);
      const paused = (await client.crons.update(cron_id, {
        enabled: false,
        timezone: "Europe/Berlin",
      })) as Values;
      assert.deepEqual(
        [paused.enabled, paused.next_run_date, paused.timezone],
        [false, null, "Europe/Berlin"],
      );
      const own = (await client.crons.create("agent", {
        schedule: "0 9 * * 1",
        input: { do: "steps", count: 1 },
        onRunCompleted: "keep",
        endTime: "2030-01-01T00:00:00Z",
      })) as Values;
      assert.deepEqual(
        [own.thread_id, own.on_run_completed, own.end_time],
        [null, "keep", "2030-01-01T00:00:00.000Z"],
      );
      for (const id of [cron_id, own.cron_id]) await client.crons.delete(id);
      await assert.rejects(client.crons.delete(cron_id), status(404));
      await assert.rejects(client.crons.create("agent", { schedule: "no cron", input: {} }), status(422));
    });

    test("a request without a key, with a wrong body or for what is not there is refused with a detail", async () => {
      const call = async (method: string, path: string, body?: object, key = server.server.apiKey!) => {
        const answer = await fetch(server.server.url + path, {
          method,
          headers: { "x-api-key": key, ...(body && { "content-type": "application/json" }) },
          ...(body && { body: JSON.stringify(body) }),
        });
        const { detail } = (await answer.json()) as { detail?: string };
        return [answer.status, typeof detail] as const;
      };
      assert.deepEqual(await call("POST", "/threads", {}, "wrong"), [401, "string"]);
      assert.deepEqual(await call("POST", "/threads", { metadata: 3 }), [422, "string"]);
      assert.deepEqual(await call("GET", `/threads/${randomUUID()}/state`), [404, "string"]);
      assert.deepEqual(await call("POST", "/runs", { assistant_id: randomUUID() }), [404, "string"]);
      assert.deepEqual(await call("POST", "/runs", {}), [422, "string"]);
      const ok = await fetch(`${server.server.url}/ok`);
      assert.deepEqual(await ok.json(), { ok: true });
      const info = (await (await fetch(`${server.server.url}/info`)).json()) as Values;
      assert.equal(info.flags.assistants, true);
    });
  });
}

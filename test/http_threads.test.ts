/** Threads and runs over HTTP, against a real server, a real graph and a real agent process. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { functionProject, graphProject, type TestServer, testServer } from "./fixtures/server.ts";

const cleanups: (() => unknown)[] = [];
const context = { after: (cleanup: unknown) => cleanups.push(cleanup as () => unknown) };
let graph: TestServer;
let plain: TestServer;

before(async () => {
  graph = await testServer(context, graphProject);
  plain = await testServer(context, functionProject);
});
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

async function newThread(server: TestServer, more: object = {}): Promise<string> {
  const created = await server.call("POST", "/v1/threads", { deployment_id: server.deployment_id, ...more });
  assert.equal(created.status, 201);
  return created.body.thread_id;
}

const say = (content: string) => ({ input: { messages: [{ role: "user", content }] } });

async function turn(thread: string, content: string): Promise<string> {
  const { status, body } = await graph.call("POST", `/v1/threads/${thread}/runs/wait`, say(content));
  assert.equal(status, 200);
  assert.equal(body.status, "succeeded", JSON.stringify(body.error));
  return body.output.messages.at(-1).content;
}

async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error("it did not happen within 10 s");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe("a thread", () => {
  it("remembers: the second answer knows the first, and history shows one checkpoint a run", async () => {
    const thread = await newThread(graph, { metadata: { user: "ada" } });
    assert.equal(await turn(thread, "hello"), "1: hello");
    assert.equal(await turn(thread, "again"), "3: again");
    const { body: history } = await graph.call("GET", `/v1/threads/${thread}/history`);
    assert.equal(history.checkpoints.length, 2);
    assert.deepEqual(
      history.checkpoints.map(
        (checkpoint: { values: { messages: unknown[] } }) => checkpoint.values.messages.length,
      ),
      [4, 2],
    );
    const { body: steps } = await graph.call(
      "GET",
      `/v1/threads/${thread}/history?granularity=step&limit=100`,
    );
    assert.deepEqual(
      steps.checkpoints.map((checkpoint: { source: string }) => checkpoint.source),
      ["loop", "loop", "input", "loop", "loop", "input"],
    );
    for (const [i, step] of steps.checkpoints.entries()) {
      assert.equal(step.parent_checkpoint_id, steps.checkpoints[i + 1]?.checkpoint_id ?? null);
    }
    const before = await graph.call(
      "GET",
      `/v1/threads/${thread}/history?before=${history.checkpoints[0].checkpoint_id}`,
    );
    assert.equal(before.body.checkpoints[0].run_id, history.checkpoints[1].run_id);
    const { body: run } = await graph.call("GET", `/v1/runs/${history.checkpoints[1].run_id}`);
    assert.equal(run.output.messages.length, 2);
    const { body: one } = await graph.call("GET", `/v1/threads/${thread}/history?run_id=${run.id}`);
    assert.equal(one.checkpoints.length, 1);
    const { body: diff } = await graph.call(
      "GET",
      `/v1/threads/${thread}/diff?from=${history.checkpoints[1].checkpoint_id}`,
    );
    assert.deepEqual(
      diff.patch.map((change: { op: string; path: string }) => `${change.op} ${change.path}`).sort(),
      ["add /messages/2", "add /messages/3"],
    );
  });

  it("shows its initial values before its first run, and the run builds on them", async () => {
    const values = { messages: [{ role: "user", content: "earlier" }] };
    const thread = await newThread(graph, { values });
    assert.deepEqual((await graph.call("GET", `/v1/threads/${thread}`)).body.values, values);
    assert.equal(await turn(thread, "now"), "2: now");
  });

  it("copies in full, and copy and source go separate ways; deleting the source leaves the copy whole", async () => {
    const source = await newThread(graph);
    await turn(source, "one");
    const { status, body: copy } = await graph.call("POST", `/v1/threads/${source}/copy`);
    assert.equal(status, 201);
    assert.equal(copy.copied_from, source);
    assert.equal(await turn(copy.thread_id, "copy"), "3: copy");
    assert.equal(await turn(source, "source"), "3: source");
    assert.equal((await graph.call("DELETE", `/v1/threads/${source}`)).status, 204);
    assert.equal((await graph.call("GET", `/v1/threads/${source}`)).status, 404);
    const { body: state } = await graph.call("GET", `/v1/threads/${copy.thread_id}/state`);
    assert.deepEqual(
      state.values.messages.map((message: { content: string }) => message.content),
      ["one", "1: one", "copy", "3: copy"],
    );
    const { body: history } = await graph.call("GET", `/v1/threads/${copy.thread_id}/history`);
    const at = history.checkpoints[1].checkpoint_id;
    const branch = await graph.call("POST", `/v1/threads/${copy.thread_id}/copy`, { checkpoint_id: at });
    assert.equal(branch.body.values.messages.length, 2);
    assert.equal(await turn(branch.body.thread_id, "branch"), "3: branch");
  });

  it("takes one run at a time: the second is a 409 that names the first, and a cancel frees it at once", async () => {
    const thread = await newThread(graph);
    await turn(thread, "first");
    const running = await graph.call("POST", `/v1/threads/${thread}/runs`, say("wait"));
    assert.equal(running.status, 202);
    assert.equal(running.body.status, "running");
    const second = await graph.call("POST", `/v1/threads/${thread}/runs`, say("me too"));
    assert.equal(second.status, 409);
    assert.equal(second.body.error.code, "thread_busy");
    assert.equal(second.body.error.details.run_id, running.body.run_id);
    assert.equal((await graph.call("POST", `/v1/threads/${thread}/state`, { values: {} })).status, 409);
    const canceled = await graph.call("POST", `/v1/runs/${running.body.run_id}/cancel`);
    assert.deepEqual(canceled.body, { success: true, status: "canceled" });
    assert.equal((await graph.call("GET", `/v1/threads/${thread}`)).body.status, "idle");
    const again = await graph.call("POST", `/v1/runs/${running.body.run_id}/cancel`);
    assert.equal(again.status, 400);
    assert.deepEqual(again.body, {
      error: { code: "bad_request", message: "Cannot cancel run with status: canceled" },
    });
    assert.match(await turn(thread, "after"), /: after$/);
  });

  it("forgets what a rolled back run did", async () => {
    const thread = await newThread(graph);
    await turn(thread, "kept");
    const { body: before } = await graph.call("GET", `/v1/threads/${thread}/state`);
    const running = await graph.call("POST", `/v1/threads/${thread}/runs`, say("wait"));
    await until(async () => {
      const { body } = await graph.call("GET", `/v1/threads/${thread}`);
      return body.values.messages.length === 3 ? true : undefined;
    });
    await graph.call("POST", `/v1/runs/${running.body.run_id}/cancel`, { action: "rollback" });
    const { body: rolledBack } = await graph.call("GET", `/v1/threads/${thread}/state`);
    assert.equal(rolledBack.checkpoint_id, before.checkpoint_id);
    assert.deepEqual(rolledBack.values, before.values);
    assert.equal(await turn(thread, "next"), "3: next");
  });

  it("waits as interrupted for an answer, which the next run brings", async () => {
    const thread = await newThread(graph);
    const asked = await graph.call("POST", `/v1/threads/${thread}/runs/wait`, say("ask"));
    assert.equal(asked.body.status, "interrupted");
    const { body: waiting } = await graph.call("GET", `/v1/threads/${thread}`);
    assert.equal(waiting.status, "interrupted");
    assert.equal(waiting.interrupts[0].value, "which one?");
    const { body: state } = await graph.call("GET", `/v1/threads/${thread}/state`);
    assert.deepEqual(state.next, ["echo"]);
    assert.deepEqual(state.interrupts, waiting.interrupts);
    const copy = await graph.call("POST", `/v1/threads/${thread}/copy`);
    assert.equal(copy.body.status, "interrupted");
    for (const id of [thread, copy.body.thread_id]) {
      const answered = await graph.call("POST", `/v1/threads/${id}/runs/wait`, {
        command: { resume: `this ${id}` },
      });
      assert.equal(answered.body.status, "succeeded", JSON.stringify(answered.body));
      assert.equal(answered.body.output.messages.at(-1).content, `you said this ${id}`);
    }
  });

  it("is changed by hand through the graph's own reducers, and from any checkpoint", async () => {
    const thread = await newThread(graph);
    await turn(thread, "a");
    const { body: first } = await graph.call("GET", `/v1/threads/${thread}/state`);
    const message = { role: "user", content: "by hand" };
    const update = await graph.call("POST", `/v1/threads/${thread}/state`, {
      values: { messages: [message] },
    });
    assert.equal(update.status, 201, JSON.stringify(update.body));
    assert.equal(update.body.source, "update");
    assert.equal(update.body.values.messages.length, 3);
    assert.equal(await turn(thread, "b"), "4: b");
    const fork = await graph.call("POST", `/v1/threads/${thread}/state`, {
      values: { messages: [message] },
      checkpoint_id: first.checkpoint_id,
    });
    assert.equal(fork.body.values.messages.length, 3);
    assert.equal(fork.body.parent_checkpoint_id, first.checkpoint_id);
    const wrong = await graph.call("POST", `/v1/threads/${thread}/state`, {
      values: { messages: [] },
      as_node: "nobody",
    });
    assert.equal(wrong.status, 400, JSON.stringify(wrong.body));
  });

  it("keeps its newest checkpoint when pruned, and a copy keeps all it had", async () => {
    const thread = await newThread(graph);
    await turn(thread, "one");
    await turn(thread, "two");
    const copy = await graph.call("POST", `/v1/threads/${thread}/copy`);
    const pruned = await graph.call("POST", "/v1/threads/prune", {
      ids: [thread, "thr_no"],
      strategy: "keep_latest",
    });
    assert.deepEqual(pruned.body, { pruned: 1 });
    const { body: steps } = await graph.call("GET", `/v1/threads/${thread}/history?granularity=step`);
    assert.equal(steps.checkpoints.length, 1);
    const { body: kept } = await graph.call(
      "GET",
      `/v1/threads/${copy.body.thread_id}/history?granularity=step`,
    );
    assert.equal(kept.checkpoints.length, 6);
    assert.equal(await turn(thread, "three"), "5: three");
    await graph.call("POST", "/v1/threads/prune", { ids: [thread], strategy: "delete" });
    assert.equal((await graph.call("GET", `/v1/threads/${thread}`)).status, 404);
  });

  it("is found by metadata, status, values and ids, page by page", async () => {
    const batch = String(Math.random());
    const ids: string[] = [];
    for (let i = 0; i < 5; i++)
      ids.push(await newThread(plain, { metadata: { batch, n: i, deep: { even: i % 2 === 0 } } }));
    const found: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await plain.call("POST", "/v1/threads/search", {
        metadata: { batch },
        limit: 2,
        ...(cursor === null ? {} : { cursor }),
      });
      found.push(...page.body.threads.map((thread: { thread_id: string }) => thread.thread_id));
      cursor = page.body.next_cursor;
    } while (cursor !== null);
    assert.deepEqual(found, ids.toReversed());
    const even = await plain.call("POST", "/v1/threads/count", { metadata: { batch, deep: { even: true } } });
    assert.equal(even.body.count, 3);
    const one = await plain.call("POST", "/v1/threads/search", {
      ids: [ids[1]],
      select: ["thread_id", "metadata"],
    });
    assert.deepEqual(Object.keys(one.body.threads[0]), ["thread_id", "metadata"]);
    const patched = await plain.call("PATCH", `/v1/threads/${ids[0]}`, {
      metadata: { batch: null, more: true },
    });
    assert.deepEqual(patched.body.metadata, { n: 0, deep: { even: true }, more: true });
    assert.equal((await plain.call("POST", "/v1/threads/count", { metadata: { batch } })).body.count, 4);
  });

  it("differs from an earlier state in a patch that costs no more than the states are long", async () => {
    const said = (prefix: string) => Array.from({ length: 5_000 }, (_, i) => `${prefix} ${i}`);
    const thread = await newThread(plain, { values: { said: said("one") } });
    const one = await plain.call("POST", `/v1/threads/${thread}/state`, { values: { more: 1 } });
    await plain.call("POST", `/v1/threads/${thread}/state`, { values: { said: said("two") } });
    const { body } = await plain.call("GET", `/v1/threads/${thread}/diff?from=${one.body.checkpoint_id}`);
    assert.equal(body.patch.length, 5_000);
  });

  it("has a time to live that deletes by default", async () => {
    const created = await plain.call("POST", "/v1/threads", {
      deployment_id: plain.deployment_id,
      ttl: { minutes: 5 },
    });
    assert.deepEqual(created.body.ttl, { minutes: 5, strategy: "delete" });
  });

  it("may carry the client's own id, once", async () => {
    const thread_id = crypto.randomUUID();
    await newThread(plain, { thread_id });
    const again = { deployment_id: plain.deployment_id, thread_id };
    const refused = await plain.call("POST", "/v1/threads", again);
    assert.equal(refused.status, 409);
    assert.equal(refused.body.error.code, "thread_exists");
    const same = await plain.call("POST", "/v1/threads", { ...again, if_exists: "do_nothing" });
    assert.equal(same.status, 200);
  });
});

describe("a request with an Idempotency-Key", () => {
  it("does its work once: a repeat gets the first answer, another body is a 409", async () => {
    const thread = await newThread(plain);
    const key = { "idempotency-key": "k1" };
    const body = { input: { message: "once" } };
    const answers = await Promise.all(
      [1, 2, 3].map(() => plain.call("POST", `/v1/threads/${thread}/runs/wait`, body, key)),
    );
    assert.equal(new Set(answers.map((answer) => answer.body.id)).size, 1);
    assert.ok(answers.every((answer) => answer.status === 200));
    assert.equal((await plain.call("GET", `/v1/threads/${thread}`)).body.values.said.length, 1);
    const other = await plain.call(
      "POST",
      `/v1/threads/${thread}/runs/wait`,
      { input: { message: "two" } },
      key,
    );
    assert.equal(other.status, 409);
    const streams = await Promise.all(
      [1, 2].map(() =>
        plain.call("POST", `/v1/threads/${thread}/runs/stream`, body, { "idempotency-key": "k2" }),
      ),
    );
    assert.equal(streams[0]!.body, streams[1]!.body);
    assert.match(streams[0]!.body, /run\.completed/);
  });
});

describe("a run", () => {
  it("fails with the agent's message and traceback, and the next run starts from the last checkpoint", async () => {
    const thread = await newThread(plain);
    await plain.call("POST", `/v1/threads/${thread}/runs/wait`, { input: { message: "good" } });
    const failed = await plain.call("POST", `/v1/threads/${thread}/runs/wait`, {
      input: { throw: "no luck" },
    });
    assert.equal(failed.body.status, "failed");
    assert.equal(failed.body.error_message, "no luck");
    assert.match(failed.body.error.traceback, /agent\.ts:\d+/);
    assert.equal((await plain.call("GET", `/v1/threads/${thread}`)).body.status, "error");
    const next = await plain.call("POST", `/v1/threads/${thread}/runs/wait`, {
      input: { message: "better" },
    });
    assert.deepEqual(next.body.output, { said: 2 });
    assert.equal((await plain.call("GET", `/v1/threads/${thread}`)).body.status, "idle");
  });

  it("fails with output_not_json when its output has no JSON form, and with run_timeout when it takes too long", async () => {
    const thread = await newThread(plain);
    const strange = await plain.call("POST", `/v1/threads/${thread}/runs/wait`, {
      input: { output: "function" },
    });
    assert.equal(strange.body.error.code, "output_not_json");
    const slow = await plain.call("POST", `/v1/threads/${thread}/runs/wait`, {
      input: { wait: true },
      timeout_s: 0.2,
    });
    assert.equal(slow.body.status, "failed");
    assert.equal(slow.body.error.code, "run_timeout");
    const next = await plain.call("POST", `/v1/threads/${thread}/runs/wait`, { input: { message: "fine" } });
    assert.equal(next.body.status, "succeeded");
  });

  it("ends its stream also for a reader that waits behind its last event", async () => {
    const thread = await newThread(plain);
    const started = await plain.call("POST", `/v1/threads/${thread}/runs`, { input: { wait: true } });
    const url = `/v1/runs/${started.body.run_id}/events`;
    const stream = plain.call("GET", url, undefined, { "last-event-id": "9999" });
    await plain.call("POST", `/v1/runs/${started.body.run_id}/cancel`);
    assert.equal((await stream).body, "");
  });

  it("needs no thread, and then keeps its output and its events", async () => {
    const { deployment_id } = plain;
    const accepted = await plain.call("POST", "/v1/runs", { deployment_id, input: { message: "alone" } });
    assert.equal(accepted.status, 202);
    assert.equal(accepted.body.thread_id, undefined);
    const stream = await plain.call("GET", `/v1/runs/${accepted.body.run_id}/events`);
    assert.match(stream.body, /run\.completed/);
    const { body: run } = await plain.call("GET", `/v1/runs/${accepted.body.run_id}`);
    assert.deepEqual(run.output, { said: 1 });
    assert.equal(run.thread_id, null);
    const { body: list } = await plain.call("GET", `/v1/runs?deployment_id=${deployment_id}&limit=1`);
    assert.equal(list.runs[0].id, accepted.body.run_id);
  });

  it("streams gapless events that end with its last one; a reconnect after that gets 204", async () => {
    const thread = await newThread(graph);
    const { body, headers } = await graph.call("POST", `/v1/threads/${thread}/runs/stream`, say("stream me"));
    const frames = body
      .trim()
      .split("\n\n")
      .map((frame: string) => frame.split("\n"));
    assert.deepEqual(
      frames.map((frame: string[]) => frame[0]),
      frames.map((_: unknown, i: number) => `id: ${i + 1}`),
    );
    const events = frames.map((frame: string[]) => JSON.parse(frame[1]!.replace("data: ", "")));
    assert.equal(events[0].type, "run.started");
    assert.equal(events.at(-1).type, "run.completed");
    assert.ok(events.some((event: { type: string }) => event.type === "message.delta"));
    const url = `${headers.get("location")}/events`;
    const rest = await graph.call("GET", url, undefined, { "last-event-id": String(frames.length - 2) });
    assert.equal(rest.body.trim().split("\n\n").length, 2);
    const over = await graph.call("GET", url, undefined, { "last-event-id": String(frames.length) });
    assert.equal(over.status, 204);
    const beyond = await graph.call("GET", url, undefined, { "last-event-id": "9999" });
    assert.equal(beyond.status, 204);
    assert.equal((await graph.call("GET", url, undefined, { "last-event-id": "x" })).status, 400);
  });
});

/** Several nodes over one PostgreSQL: what each does for runs that another accepted, executes, or gives up. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { RENEW_MS } from "../src/core/lease.ts";
import { cancel } from "../src/engine/cancel.ts";
import { SLOW_TIMER_MS } from "../src/engine/hints.ts";
import { findRun } from "../src/store/runs.ts";
import { raw, sql } from "../src/store/sql.ts";
import { until } from "./faults/until.ts";
import { freshPostgresUrl, openPostgres } from "./fixtures/fresh_postgres.ts";
import {
  assertWhole,
  DRAIN_MS,
  type Engine,
  type Executing,
  hasData,
  type Options,
  refused,
  withEngine,
} from "./suites/engine_fixture.ts";

type Second = (options?: { machine?: string; concurrency?: number }) => Promise<Executing>;

/** An engine on PostgreSQL; `second` adds a node with connections of its own. */
async function withNodes(
  options: Options,
  body: (engine: Engine, second: Second) => Promise<void>,
): Promise<void> {
  const databaseUrl = await freshPostgresUrl();
  await withEngine({ ...options, databaseUrl }, (engine) =>
    body(engine, async (more) => engine.startNode({ ...more, database: await openPostgres(databaseUrl) })),
  );
}

/** Until LISTEN has been heard, hints are lost: each costs a second, which the tests below would take for a fault. */
async function listening(engine: Engine, ...nodes: Executing[]): Promise<void> {
  for (const { node } of nodes) {
    await until("hints arrive", async () => {
      const heard = node.hints.wait("hello");
      const started = performance.now();
      // Its connection may have been ended a moment ago.
      const told = await engine.database
        .transaction(async (tx) => tx.hint("hello"))
        .then(
          () => true,
          () => false,
        );
      if (!told) {
        heard.end();
        return false;
      }
      await heard.over;
      return performance.now() - started < SLOW_TIMER_MS / 2;
    });
  }
}

async function nodeOf(engine: Engine, run: { run_id: string }): Promise<string | null> {
  const rows = await engine.database.query<{ node_id: string | null }>(
    sql`select node_id from leases where run_id = ${run.run_id}`,
  );
  return rows[0]?.node_id ?? null;
}

test("a node reads the events of a run that another executes, as they come", () =>
  withNodes({}, async (engine, second) => {
    const other = await second();
    await listening(engine, other);
    const gate = engine.gate();
    const run = await engine.accept(await engine.thread(), {
      script: [{ event: "early" }, { gate: gate.path }, { event: "late" }, { done: 1 }],
    });
    const whole = engine.events(run, 0, other);
    await engine.event(run, hasData("early"), other);
    gate.open();
    assertWhole(await whole, "run.completed");
    assert.deepEqual(await whole, await engine.events(run));
  }));

test("a cancel on one node reaches the agent on another before its lease is due for renewal", () =>
  withNodes({}, async (engine, second) => {
    const other = await second();
    await listening(engine, engine.first);
    const run = await engine.accept(await engine.thread(), { script: [{ event: "begun" }, "wait"] });
    await engine.event(run, hasData("begun"));
    const row = (await findRun(engine.database, run.run_id))!;
    const lease = { log_id: row.log_id, run_id: run.run_id, node_id: "node_1", attempt: 1 };
    assert.ok(engine.worker.holds(lease));
    // A renewal finds a canceled run too: only what comes well before one shows that the news was heard.
    const started = performance.now();
    await cancel(other.node, row, "cancel");
    await until("the agent has stopped", () => !engine.worker.holds(lease));
    assert.ok(performance.now() - started < RENEW_MS / 2, "the agent heard of it by the renewal only");
    assertWhole(await engine.events(run, 0, other), "run.canceled");
  }));

test("a run that its node has no place for is executed by another", () =>
  withNodes({ concurrency: 1 }, async (engine, second) => {
    await second();
    const gate = engine.gate();
    const first = await engine.accept(await engine.thread(), { script: [{ gate: gate.path }, { done: 1 }] });
    assert.equal(first.status, "running");
    const run = await engine.accept(await engine.thread(), { script: [{ done: 2 }] });
    assert.equal(run.status, "pending");
    assert.equal((await engine.over(run)).output, 2);
    assert.equal(await nodeOf(engine, first), "node_1");
    gate.open();
    await engine.over(first);
  }));

test("a node of role api accepts runs and executes none", () =>
  withNodes({ concurrency: 0 }, async (engine, second) => {
    const run = await engine.accept(await engine.thread(), { script: [{ done: 1 }] });
    assert.equal(run.status, "pending");
    await pause(SLOW_TIMER_MS + 200);
    assert.equal((await engine.get(run)).status, "pending");
    await second({ concurrency: 5 });
    assert.equal((await engine.over(run)).output, 1);
  }));

test("a folder of another machine is left to that machine's nodes", () =>
  withNodes({ concurrency: 0 }, async (engine, second) => {
    const elsewhere = await second({ machine: "elsewhere", concurrency: 5 });
    await listening(engine, elsewhere);
    const thread = await engine.thread();
    const run = await engine.accept(thread, { script: [{ done: 1 }] }, {}, { on: elsewhere });
    assert.equal(run.status, "pending");
    await pause(SLOW_TIMER_MS + 200);
    assert.equal((await engine.get(run)).status, "pending");
    await second({ machine: "here", concurrency: 5 });
    assert.equal((await engine.over(run)).output, 1);
  }));

test("nodes that claim at once begin each run once", () =>
  withNodes({ concurrency: 0 }, async (engine, second) => {
    const runs = [];
    for (let n = 0; n < 60; n++)
      runs.push(await engine.accept(await engine.thread(), { script: [{ done: n }] }));
    const nodes = await Promise.all([second({ concurrency: 8 }), second({ concurrency: 8 })]);
    for (const [n, run] of runs.entries()) {
      assertWhole(await engine.events(run), "run.completed");
      const { output, attempt } = await engine.get(run);
      assert.deepEqual([output, attempt], [n, 1]);
    }
    assert.equal(nodes.length, 2);
  }));

test("runs accepted on all nodes at once take one thread one after another, and one of each key", () =>
  withNodes({ concurrency: 3 }, async (engine, second) => {
    const nodes = [engine.first, await second(), await second()];
    const thread = await engine.thread();
    const accepted = await Promise.all(
      Array.from({ length: 30 }, (_, i) => {
        const n = Math.floor(i / 3);
        const attempt = { key_id: "key", path: "/", idempotency_key: `${n}`, body_hash: `${n}` };
        const request = { multitask_strategy: "enqueue" } as const;
        const on = nodes[i % 3]!;
        return engine.accept(thread, { script: [{ event: n }, { done: n }] }, request, { attempt, on });
      }),
    );
    const runs = new Set(accepted.map(({ run_id }) => run_id));
    assert.equal(runs.size, 10);
    for (const run_id of runs) assertWhole(await engine.events({ run_id }), "run.completed");
    const events = await engine.threadEvents(thread, 30);
    const numbers = events.map(({ run_number }) => run_number);
    assert.deepEqual(
      numbers,
      numbers.toSorted((a, b) => a - b),
    );
    assert.equal((await engine.show(thread)).status, "idle");
  }));

test("of runs that refuse a busy thread, sent to all nodes at once, one is taken", () =>
  withNodes({}, async (engine, second) => {
    const nodes = [engine.first, await second(), await second()];
    const thread = await engine.thread();
    const gate = engine.gate();
    const script = [{ gate: gate.path }, { done: 1 }];
    const answers = await Promise.allSettled(
      nodes.flatMap((on) => [1, 2].map(() => engine.accept(thread, { script }, {}, { on }))),
    );
    const taken = answers.filter((answer) => answer.status === "fulfilled");
    assert.equal(taken.length, 1);
    for (const answer of answers)
      if (answer.status === "rejected") await refused(Promise.reject(answer.reason), "thread_busy");
    gate.open();
    await engine.over(taken[0]!.value);
  }));

test("a node that stops hands its runs over at their checkpoint, and another goes on", () =>
  withNodes({ framework: "langgraph-js" }, async (engine, second) => {
    const thread = await engine.thread();
    const attempts = [
      [{ checkpoint: { values: { n: 1 }, id: "kept" } }, { event: "begun" }, "wait"],
      [{ checkpoint: { values: { n: 2 } } }, { done: "by the second" }],
    ];
    const run = await engine.accept(thread, { attempts });
    await engine.event(run, hasData("begun"));
    const other = await second();
    const closed = engine.worker.close(DRAIN_MS / 10);
    const events = await engine.events(run, 0, other);
    await closed;
    assertWhole(events, "run.completed");
    const restarted = events.find(({ type }) => type === "run.restarted");
    assert.deepEqual(restarted?.data, { attempt: 2, checkpoint_id: "kept" });
    assert.equal((await engine.get(run)).output, "by the second");
  }));

test("nodes go on, and hear of each other again, when the database ends their connections", () =>
  withNodes({}, async (engine, second) => {
    const other = await second();
    await listening(engine, engine.first, other);
    const gate = engine.gate();
    const run = await engine.accept(await engine.thread(), {
      script: [{ event: "early" }, { gate: gate.path }, { event: "late" }, { done: 1 }],
    });
    await engine.event(run, hasData("early"), other);
    await engine.database.query(
      raw(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
      ),
    );
    await listening(engine, engine.first, other);
    const reading = engine.events(run, 0, other);
    gate.open();
    assertWhole(await reading, "run.completed");
  }));

test("many streams hold no connection while they wait", () =>
  withNodes({}, async (engine, second) => {
    const other = await second();
    const gate = engine.gate();
    const run = await engine.accept(await engine.thread(), {
      script: [{ event: "early" }, { gate: gate.path }, { done: 1 }],
    });
    await engine.event(run, hasData("early"), other);
    // Ten times as many as the pool has connections.
    const readers = Array.from({ length: 100 }, () => engine.events(run, 0, other));
    await pause(SLOW_TIMER_MS);
    const asked = performance.now();
    await other.node.database.query(sql`select 1 as one`);
    assert.ok(performance.now() - asked < SLOW_TIMER_MS, "a question had to wait for a connection");
    gate.open();
    for (const events of await Promise.all(readers)) assertWhole(events, "run.completed");
  }));

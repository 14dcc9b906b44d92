/** The engine over a real database and real processes: accept, execute, cancel, and what a lost process leaves behind. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { cancel } from "../src/engine/cancel.ts";
import { recoverRuns } from "../src/engine/sweep.ts";
import { findRun } from "../src/store/runs.ts";
import { sql } from "../src/store/sql.ts";
import { isAlive } from "./fixtures/agent_process.ts";
import {
  assertWhole,
  DRAIN_MS,
  type Engine,
  hasData,
  refused,
  types,
  withEngine,
} from "./suites/engine_fixture.ts";

const rowOf = async (engine: Engine, run: { run_id: string }) =>
  (await findRun(engine.database, run.run_id))!;

test("a run leaves its events, its state, its output and an idle thread", () =>
  withEngine({}, async (engine) => {
    const thread = await engine.thread({ values: { greeting: "hello" } });
    const accepted = await engine.accept(thread, {
      script: [
        "start",
        { checkpoint: { values: { topic: "tea" }, items: [{ n: 1 }, { n: 2 }] } },
        { done: { answer: 42 } },
      ],
    });
    assert.equal(accepted.status, "running");
    const events = await engine.events(accepted);
    assertWhole(events, "run.completed");
    assert.deepEqual(types(events), ["run.started", "custom", "state.updated", "run.completed"]);
    assert.deepEqual(events[1]?.data, {
      attempt: 1,
      head: null,
      initial_values: { greeting: "hello" },
      next_item: 1,
    });
    const run = await engine.get(accepted);
    assert.deepEqual([run.status, run.output, run.attempt], ["succeeded", { answer: 42 }, 1]);
    const { status, values } = await engine.show(thread);
    assert.deepEqual([status, values], ["idle", { topic: "tea", list: [{ n: 1 }, { n: 2 }] }]);
    const next = await engine.accept(thread, { script: ["start", { read: { checkpoint_id: "x" } }, "done"] });
    const [, begun] = await engine.events(next);
    assert.deepEqual((begun!.data as { next_item: number }).next_item, 3);
  }));

test("a second run in a busy thread is refused with the id of the one that has it", () =>
  withEngine({}, async (engine) => {
    const thread = await engine.thread();
    const answers = await Promise.allSettled(
      Array.from({ length: 12 }, () => engine.accept(thread, { script: ["wait"] })),
    );
    const accepted = answers.filter((answer) => answer.status === "fulfilled").map((answer) => answer.value);
    assert.equal(accepted.length, 1);
    for (const answer of answers) {
      if (answer.status === "fulfilled") continue;
      assert.equal(answer.reason.code, "thread_busy");
      assert.deepEqual(answer.reason.details, {
        thread_id: thread.thread_id,
        run_id: accepted[0]!.run_id,
      });
    }
    assert.equal((await engine.show(thread)).status, "busy");
    await cancel(engine.node, await rowOf(engine, accepted[0]!), "cancel");
    assert.equal((await engine.run(thread, { done: 1 })).status, "succeeded");
  }));

test("a cancel frees the thread at once, and nothing the agent still says is stored", () =>
  withEngine({}, async (engine) => {
    const thread = await engine.thread();
    const gate = engine.gate();
    const run = await engine.accept(thread, {
      script: [
        { checkpoint: { values: { n: 1 } } },
        { event: "before" },
        { gate: gate.path },
        { checkpoint: { values: { n: 2 } } },
        { event: "after" },
        { done: "too late" },
      ],
    });
    await engine.event(run, hasData("before"));
    await cancel(engine.node, await rowOf(engine, run), "cancel");
    assert.equal((await engine.show(thread)).status, "idle");
    gate.open();
    const next = await engine.run(thread, "start", { done: null });
    assert.equal(next.status, "succeeded");
    const events = await engine.events(run);
    assertWhole(events, "run.canceled");
    assert.ok(!events.some(hasData("after")));
    assert.deepEqual((await engine.get(run)).output, null);
    assert.deepEqual((await engine.show(thread)).values, { n: 1 }, "what was committed before stays");
    const problem = await refused(cancel(engine.node, await rowOf(engine, run), "cancel"), "bad_request");
    assert.equal(problem.message, "Cannot cancel run with status: canceled");
  }));

test("after a cancel no other run starts in the thread until the first call has ended or its process has", () =>
  withEngine({}, async (engine) => {
    const thread = await engine.thread();
    const deaf = await engine.accept(thread, { script: ["pid", "deaf"] });
    const { pid } = (await engine.event(deaf, hasData("pid"))).data as { pid: number };
    await cancel(engine.node, await rowOf(engine, deaf), "cancel");
    const next = await engine.accept(thread, { script: ["pid", { done: null }] });
    assert.equal(next.status, "pending", "the answer says that it waits");
    const begun = await engine.event(next, hasData("pid"));
    assert.notEqual((begun.data as { pid: number }).pid, pid);
    assert.ok(!isAlive(pid), "the process that did not stop was ended first");
    assert.equal((await engine.over(next)).status, "succeeded");
  }));

test("a rollback takes the run's states away and keeps those before it", () =>
  withEngine({}, async (engine) => {
    const thread = await engine.thread();
    await engine.run(thread, { checkpoint: { values: { n: 1 } } }, { done: null });
    const run = await engine.accept(thread, {
      script: [{ checkpoint: { values: { n: 2 } } }, { event: "here" }, "wait"],
    });
    await engine.event(run, hasData("here"));
    assert.deepEqual((await engine.show(thread)).values, { n: 2 });
    await cancel(engine.node, await rowOf(engine, run), "rollback");
    assert.deepEqual((await engine.show(thread)).values, { n: 1 });
  }));

test("a run canceled before it began ends with its one event, also for a reader who was there before", () =>
  withEngine({ concurrency: 1 }, async (engine) => {
    const first = await engine.accept(await engine.thread(), { script: ["wait"] });
    const thread = await engine.thread();
    const waiting = await engine.accept(thread, { script: [{ done: 1 }] });
    assert.equal(waiting.status, "pending");
    const read = engine.events(waiting);
    await cancel(engine.node, await rowOf(engine, waiting), "cancel");
    const events = await read;
    assert.deepEqual(types(events), ["run.canceled"]);
    assertWhole(events, "run.canceled");
    const { status, started_at, attempt } = await engine.get(waiting);
    assert.deepEqual([status, started_at, attempt], ["canceled", null, 0]);
    assert.equal((await engine.show(thread)).status, "idle");
    await cancel(engine.node, await rowOf(engine, first), "cancel");
    assert.equal((await engine.run(thread, { done: 1 })).status, "succeeded");
  }));

test("an agent that fails leaves an error with its traceback, and the thread takes the next run", () =>
  withEngine({}, async (engine) => {
    const thread = await engine.thread();
    const run = await engine.run(thread, { checkpoint: { values: { n: 1 } } }, { fail: "no such luck" });
    assert.equal(run.status, "failed");
    assert.deepEqual(run.error, { code: "agent_error", message: "no such luck", traceback: "at agent.ts:1" });
    const { status, values } = await engine.show(thread);
    assert.deepEqual([status, values], ["error", { n: 1 }]);
    assert.equal((await engine.run(thread, { done: 1 })).status, "succeeded");
  }));

test("an agent cannot forge the events of a run's life", () =>
  withEngine({}, async (engine) => {
    const forged = ["run.completed", "run.failed", "run.anything", "state.updated"].map((type) => ({
      type,
      data: {},
    }));
    const run = await engine.accept(null, { script: [{ events: forged }, { event: 1 }, { done: "real" }] });
    const events = await engine.events(run);
    assertWhole(events, "run.completed");
    assert.deepEqual(types(events), ["run.started", "custom", "run.completed"]);
  }));

test("an agent that asks leaves the thread interrupted with its question, and the next run answers it", () =>
  withEngine({ framework: "langgraph-js" }, async (engine) => {
    const thread = await engine.thread();
    const script = [{ checkpoint: { values: { n: 1 }, next: ["ask"] } }, { interrupt: "sure?" }];
    const run = await engine.accept(thread, { script });
    const events = await engine.events(run);
    assertWhole(events, "run.interrupted");
    const question = { id: "q1", value: "sure?", task: "ask" };
    assert.deepEqual(events.at(-1)?.data, { interrupts: [question] });
    const shown = await engine.show(thread);
    assert.deepEqual([shown.status, shown.interrupts], ["interrupted", [question]]);
    const alone = await engine.run(null, ...script);
    assert.deepEqual([alone.status, alone.error?.code], ["failed", "needs_thread"]);
  }));

test("a function whose process dies fails with worker_lost and what it last printed; its thread is free", () =>
  withEngine({}, async (engine) => {
    const thread = await engine.thread();
    const run = await engine.run(
      thread,
      { checkpoint: { values: { n: 1 } } },
      "acked",
      { print: "a memorable last line" },
      { exit: 3 },
    );
    assert.deepEqual([run.status, run.error?.code], ["failed", "worker_lost"]);
    assert.match(run.error?.message ?? "", /exited with code 3.*a memorable last line/s);
    assert.equal((await engine.show(thread)).status, "error");
    assert.deepEqual((await engine.show(thread)).values, { n: 1 });
    assert.equal((await engine.over(await engine.accept(thread, { script: [{ done: 1 }] }))).attempt, 1);
  }));

test("a function whose version says retry is begun again that often", () =>
  withEngine({ runner: { retry: 1 } }, async (engine) => {
    const saved = await engine.over(
      await engine.accept(null, { attempts: [[{ event: 1 }, { exit: 1 }], [{ done: "second" }]] }),
    );
    assert.deepEqual([saved.status, saved.output, saved.attempt], ["succeeded", "second", 2]);
    const lost = await engine.over(await engine.accept(null, { attempts: [[{ exit: 1 }]] }));
    assert.deepEqual([lost.status, lost.error?.code, lost.attempt], ["failed", "worker_lost", 2]);
  }));

test("a LangGraph run whose process is killed goes on under a new attempt, and its stream says so", () =>
  withEngine({ framework: "langgraph-js" }, async (engine) => {
    const thread = await engine.thread();
    const run = await engine.accept(thread, {
      attempts: [
        [{ checkpoint: { values: { n: 1 }, id: "kept" } }, "acked", "kill"],
        ["start", { checkpoint: { values: { n: 2 } } }, { done: "saved" }],
      ],
    });
    const events = await engine.events(run);
    assertWhole(events, "run.completed");
    assert.deepEqual(types(events), [
      "run.started",
      "state.updated",
      "run.restarted",
      "custom",
      "state.updated",
      "run.completed",
    ]);
    assert.deepEqual(events[2]?.data, { attempt: 2, checkpoint_id: "kept" });
    assert.equal((events[3]!.data as { attempt: number }).attempt, 2);
    assert.deepEqual((await engine.get(run)).attempt, 2);
    assert.deepEqual((await engine.show(thread)).values, { n: 2 });
    assert.equal((await engine.show(thread)).status, "idle");
  }));

test("a LangGraph run is given up after three attempts in a row without a checkpoint", () =>
  withEngine({ framework: "langgraph-js" }, async (engine) => {
    const thread = await engine.thread();
    const lost = await engine.accept(thread, { attempts: [[{ event: "try" }, "kill"]] });
    const events = await engine.events(lost);
    assertWhole(events, "run.failed");
    assert.equal(types(events).filter((type) => type === "run.restarted").length, 2);
    const { status, error, attempt } = await engine.get(lost);
    assert.deepEqual([status, error?.code, attempt], ["failed", "worker_lost", 3]);
    assert.equal((await engine.show(thread)).status, "error");
  }));

test("an attempt that left a checkpoint is not fruitless: the count begins anew", () =>
  withEngine({ framework: "langgraph-js" }, async (engine) => {
    const die = [{ event: "try" }, "kill"];
    const progress = [{ checkpoint: { values: { n: 1 } } }, "acked", "kill"];
    const run = await engine.accept(await engine.thread(), {
      attempts: [progress, die, die, [{ done: "saved" }]],
    });
    assertWhole(await engine.events(run), "run.completed");
    assert.equal((await engine.get(run)).attempt, 4);
  }));

test("a run that takes too long is stopped and fails with run_timeout, whether its code listens or not", () =>
  withEngine({ runner: { run_timeout_s: 30 } }, async (engine) => {
    for (const step of ["wait", "deaf"]) {
      const thread = await engine.thread();
      const accepted = await engine.accept(thread, { script: [{ event: 1 }, step] }, { timeout_s: 0.3 });
      const events = await engine.events(accepted);
      assertWhole(events, "run.failed");
      const run = await engine.get(accepted);
      assert.deepEqual([run.status, run.error?.code], ["failed", "run_timeout"]);
      assert.match(run.error?.message ?? "", /longer than 0\.3 s/);
      assert.equal((await engine.show(thread)).status, "error");
      assert.equal((await engine.run(thread, { done: 1 })).status, "succeeded");
    }
  }));

test("an agent that cannot be loaded fails its run with load_failed and the traceback, and the node lives", () =>
  withEngine({ entrypoint: "fail", framework: "langgraph-js" }, async (engine) => {
    for (let i = 0; i < 2; i++) {
      const thread = await engine.thread();
      const run = await engine.run(thread, { done: 1 });
      assert.equal(run.status, "failed");
      assert.deepEqual(run.error, {
        code: "load_failed",
        message: "no such export",
        traceback: "at graph.ts:1",
      });
      assert.equal((await engine.show(thread)).status, "error");
    }
  }));

test("the runs of a node that is gone are taken back, and what it still says is refused", () =>
  withEngine({ framework: "langgraph-js" }, async (engine) => {
    const thread = await engine.thread();
    const gate = engine.gate();
    const late = [{ checkpoint: { values: { n: "late" }, id: "late" } }, { event: "late" }, { done: "late" }];
    const attempts = [
      [{ checkpoint: { values: { n: 1 }, id: "kept" } }, { event: "before" }, { gate: gate.path }, ...late],
      [{ checkpoint: { values: { n: 2 } } }, { done: "by the second" }],
    ];
    const run = await engine.accept(thread, { attempts });
    await engine.event(run, hasData("before"));
    assert.equal(await recoverRuns(engine.node), 0, "a lease that is renewed has not run out");
    const second = engine.startNode();
    assert.equal(await recoverRuns(second.node, true), 1);
    second.node.hints.close();
    const events = await engine.events(run);
    gate.open();
    assertWhole(events, "run.completed");
    assert.deepEqual((await engine.get(run)).output, "by the second");
    // The first node's place in the thread is free once its agent's call has ended: nothing of it was stored.
    await engine.run(thread, { done: null });
    assert.deepEqual(await engine.events(run), events);
    assert.deepEqual((await engine.show(thread)).values, { n: 2 });
  }));

test("what a run puts into the store is there when it is told so, and a holder that lost its lease can put nothing", () =>
  withEngine({ framework: "langgraph-js" }, async (engine) => {
    const gate = engine.gate();
    const put = (n: number) => ({
      store: [{ op: "put", namespace: ["a"], key: "k", value: { n } }],
    });
    const get = { store: [{ op: "get", namespace: ["a"], key: "k" }] };
    const attempts = [
      [{ event: "before" }, { gate: gate.path }, put(1), { event: "late" }, { done: "late" }],
      [get, put(2), get, { store: [{ op: "put", namespace: [], key: "k", value: {} }] }, { done: "second" }],
    ];
    const run = await engine.accept(await engine.thread(), { attempts });
    await engine.event(run, hasData("before"));
    const second = engine.startNode();
    assert.equal(await recoverRuns(second.node, true), 1);
    second.node.hints.close();
    const events = await engine.events(run);
    gate.open();
    const said = events.flatMap(({ data }) => (data as { stored?: unknown }).stored ?? []) as [
      null,
      null,
      { value: unknown },
      string,
    ];
    assert.deepEqual([said[0], said[1], said[2].value], [null, null, { n: 2 }]);
    assert.match(said[3], /at least one label/);
    await engine.run(await engine.thread(), { done: null });
    const stored = await engine.database.query<{ value: string }>(sql`select value from store_items`);
    assert.deepEqual(
      stored.map(({ value }) => value),
      ['{"n":2}'],
    );
  }));

test("a node whose machine has slept keeps the runs it still executes, though their leases have run out", () =>
  withEngine({}, async (engine) => {
    const gate = engine.gate();
    const run = await engine.accept(await engine.thread(), {
      script: [{ event: "before" }, { gate: gate.path }, { done: "kept" }],
    });
    await engine.event(run, hasData("before"));
    await engine.database.transaction((tx) =>
      tx.query(sql`update leases set expires_at = ${tx.dialect.nowPlus(-60)}`),
    );
    assert.equal(await recoverRuns(engine.node, false, engine.worker), 0);
    gate.open();
    assert.equal((await engine.over(run)).output, "kept");
  }));

test("a node that stops gives back what does not end in time, without counting the attempt as fruitless", () =>
  withEngine({ framework: "langgraph-js" }, async (engine) => {
    const [thread, quick] = [await engine.thread(), await engine.thread()];
    const gate = engine.gate();
    const attempts = [[{ event: "begun" }, "wait"], [{ done: "by the second" }]];
    const run = await engine.accept(thread, { attempts });
    const short = await engine.accept(quick, {
      script: [{ event: "begun" }, { gate: gate.path }, { done: "in time" }],
    });
    await Promise.all([engine.event(run, hasData("begun")), engine.event(short, hasData("begun"))]);
    const closing = engine.worker.close(DRAIN_MS);
    gate.open();
    await closing;
    assert.equal((await engine.get(short)).status, "succeeded");
    const row = await rowOf(engine, run);
    assert.deepEqual([row.status, row.lost_processes, row.lost_nodes], ["pending", 0, 0]);
    assert.equal((await engine.show(thread)).status, "busy");
    assert.equal((await engine.accept(await engine.thread(), { script: [{ done: 1 }] })).status, "pending");
    engine.startNode();
    const over = await engine.over(run);
    assert.deepEqual([over.status, over.output, over.attempt], ["succeeded", "by the second", 2]);
  }));

test("a repeated request with the same idempotency key gets the first answer and starts nothing", () =>
  withEngine({}, async (engine) => {
    const thread = await engine.thread();
    const attempt = { key_id: "k", path: "POST /runs", idempotency_key: "one", body_hash: "h" };
    const input = { script: [{ done: 1 }] };
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => engine.accept(thread, input, {}, { attempt })),
    );
    await engine.over(answers[0]!);
    answers.push(await engine.accept(thread, input, {}, { attempt }));
    for (const answer of answers) assert.deepEqual(answer, answers[0]);
    await refused(
      engine.accept(thread, input, {}, { attempt: { ...attempt, body_hash: "other" } }),
      "idempotency_mismatch",
    );
    assert.equal((await engine.threadEvents(thread, 2)).at(-1)?.run_number, 1);
    const next = await engine.accept(thread, input, {}, { attempt: { ...attempt, idempotency_key: "two" } });
    assert.notEqual(next.run_id, answers[0]?.run_id);
    await engine.over(next);
  }));

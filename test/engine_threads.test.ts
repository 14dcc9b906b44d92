/** The engine's readers and housekeeping: streams that lose nothing, states changed by hand, threads that go. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NumberedEvent } from "../src/core/event.ts";
import type { JsonObject } from "../src/core/json.ts";
import { isOver } from "../src/core/moves.ts";
import type { Thread } from "../src/core/thread.ts";
import { cancel } from "../src/engine/cancel.ts";
import { copyThread } from "../src/engine/copy_thread.ts";
import { createThread } from "../src/engine/create_thread.ts";
import { deleteThread } from "../src/engine/delete_thread.ts";
import { prune } from "../src/engine/prune.ts";
import { keepHouse } from "../src/engine/sweep.ts";
import { tailRun, untilOver } from "../src/engine/tail.ts";
import { updateState } from "../src/engine/update_state.ts";
import { readHead, selectCheckpoints } from "../src/store/checkpoints.ts";
import type { Attempt } from "../src/store/idempotency.ts";
import { openView } from "../src/store/logs.ts";
import { findRun } from "../src/store/runs.ts";
import { raw, sql } from "../src/store/sql.ts";
import { showCheckpoints } from "../src/store/states.ts";
import { findThread } from "../src/store/threads.ts";
import { assertWhole, type Engine, hasData, refused, types, withEngine } from "./suites/engine_fixture.ts";

const rowOf = async (engine: Engine, run: { run_id: string }) =>
  (await findRun(engine.database, run.run_id))!;
const threadRow = async (engine: Engine, thread: Thread) =>
  (await findThread(engine.database, thread.thread_id))!;
const places = (events: NumberedEvent[]) => events.map(({ run_number, seq }) => `${run_number}-${seq}`);

async function update(
  engine: Engine,
  thread: Thread,
  values: JsonObject,
  options: { checkpoint_id?: string; attempt?: Attempt } = {},
) {
  const { attempt, ...rest } = options;
  return updateState(engine.node, await threadRow(engine, thread), { values, ...rest }, attempt);
}

async function countRows(engine: Engine, table: string): Promise<number> {
  const [row] = await engine.database.query<{ n: number }>(sql`select count(*) as n from ${raw(table)}`);
  return row!.n;
}

test("two readers of a run, one coming back at every possible place, see every event once and in order", () =>
  withEngine({}, async (engine) => {
    const gate = engine.gate();
    const run = await engine.accept(await engine.thread(), {
      script: [{ count: 30 }, { gate: gate.path }, { count: 30 }, { done: 1 }],
    });
    const steady = engine.events(run);
    // Comes back after each single event, from the place it had reached, live and afterwards.
    const restless = (async () => {
      const read: NumberedEvent[] = [];
      for (let over = false; !over; ) {
        const row = await rowOf(engine, run);
        for await (const [event] of tailRun(
          engine.node,
          row,
          read.at(-1)?.seq ?? 0,
          AbortSignal.timeout(20_000),
        )) {
          read.push(event!);
          over = event!.type === "run.completed";
          break;
        }
        if (read.length === 10) gate.open();
      }
      return read;
    })();
    const [first, second] = await Promise.all([steady, restless]);
    assertWhole(first, "run.completed");
    assert.equal(first.length, 62);
    assert.deepEqual(second, first);
    for (let seq = 0; seq < first.length; seq++)
      assert.deepEqual(await engine.events(run, seq), first.slice(seq));
  }));

test("a thread's stream is read over all its runs, from every place on, each run to its end before the next", () =>
  withEngine({}, async (engine) => {
    const thread = await engine.thread();
    const live = engine.threadEvents(thread, 15);
    for (let n = 0; n < 3; n++)
      await engine.run(
        thread,
        { event: { n } },
        { checkpoint: { values: { n } } },
        { event: "x" },
        { done: n },
      );
    const events = await live;
    assert.deepEqual(
      places(events),
      [1, 2, 3].flatMap((n) => [1, 2, 3, 4, 5].map((seq) => `${n}-${seq}`)),
    );
    for (const [i, { run_number, seq }] of events.entries()) {
      if (i === events.length - 1) continue;
      const rest = await engine.threadEvents(thread, events.length - i - 1, { run_number, seq });
      assert.deepEqual(rest, events.slice(i + 1), `after ${run_number}-${seq}`);
    }
  }));

test("whoever waits for a run gets it when it is over, or as it is when they have waited enough", () =>
  withEngine({}, async (engine) => {
    const gate = engine.gate();
    const run = await engine.accept(null, { script: [{ event: 1 }, { gate: gate.path }, { done: 1 }] });
    const row = await rowOf(engine, run);
    const impatient = await untilOver(engine.node, row, AbortSignal.abort());
    assert.equal(impatient?.status, "running");
    const patient = untilOver(engine.node, row, AbortSignal.timeout(20_000));
    gate.open();
    assert.ok(isOver((await patient)!.status));
  }));

test("a run without a thread leaves no state, but its output and events", () =>
  withEngine({}, async (engine) => {
    const item = { text: "an element of a list, stored as an item" };
    const script = [
      { checkpoint: { values: { n: 1 }, items: [item] } },
      { writes: [[0, "x", 1]] },
      { done: { ok: true } },
    ];
    const runs = [
      await engine.accept(null, { script }),
      await engine.accept(null, { script: [...script.slice(0, 2), "wait"] }),
    ];
    await engine.event(runs[1]!, ({ type }) => type === "state.updated");
    await cancel(engine.node, await rowOf(engine, runs[1]!), "cancel");
    const done = await engine.over(runs[0]!);
    assert.deepEqual([done.status, done.output, done.thread_id], ["succeeded", { ok: true }, null]);
    assert.deepEqual(types(await engine.events(runs[0]!)), ["run.started", "state.updated", "run.completed"]);
    assertWhole(await engine.events(runs[1]!), "run.canceled");
    for (const table of ["checkpoints", "channel_values", "pending_writes", "leases", "threads"]) {
      assert.equal(await countRows(engine, table), 0, table);
    }
  }));

test("a state is changed by hand key by key, null removes one, and the next run starts from it", () =>
  withEngine({}, async (engine) => {
    const thread = await engine.thread({ values: { a: 1, b: { deep: true } } });
    const first = await update(engine, thread, { b: null, c: [1] });
    assert.deepEqual([first.values, first.source, first.step], [{ a: 1, c: [1] }, "update", 0]);
    const second = await update(engine, thread, { a: 2 });
    assert.deepEqual([second.values, second.parent_checkpoint_id], [{ a: 2, c: [1] }, first.checkpoint_id]);
    const fork = await update(engine, thread, { d: 1 }, { checkpoint_id: first.checkpoint_id });
    assert.deepEqual(fork.values, { a: 1, c: [1], d: 1 });
    assert.deepEqual((await engine.show(thread)).values, fork.values);
    const run = await engine.accept(thread, { script: ["start", { done: null }] });
    const begun = await engine.event(run, hasData("head"));
    assert.equal((begun.data as { head: { checkpoint_id: string } }).head.checkpoint_id, fork.checkpoint_id);
    await engine.over(run);
    await refused(update(engine, thread, {}, { checkpoint_id: "nowhere" }), "not_found");
  }));

test("values that look like tags are data, in a thread's first values and in a change by hand", () =>
  withEngine({}, async (engine) => {
    const values = JSON.parse(
      '{"$crewship":["set",[1]],"__proto__":{"a":1},"b":{"$crewship":["items",1,1,9]}}',
    ) as JsonObject;
    const thread = await engine.thread({ values });
    assert.equal(JSON.stringify((await engine.show(thread)).values), JSON.stringify(values));
    const more = JSON.parse('{"c":[{"$crewship":["items",1,1,1e15]}],"\\ud800":"half"}') as JsonObject;
    const { values: after } = await update(engine, thread, more);
    for (const [key, value] of [...Object.entries(values), ...Object.entries(more)]) {
      assert.equal(
        JSON.stringify(Object.getOwnPropertyDescriptor(after, key)?.value),
        JSON.stringify(value),
        key,
      );
    }
    assert.equal(Object.keys(after).length, 5);
    const { values: changed } = await update(engine, thread, { $crewship: 7 });
    assert.equal(changed.$crewship, 7);
  }));

test("a change by hand is refused while a run holds the thread, and when the thread has moved meanwhile", () =>
  withEngine({}, async (engine) => {
    const thread = await engine.thread();
    const run = await engine.accept(thread, { script: [{ event: 1 }, "wait"] });
    const busy = await refused(update(engine, thread, { a: 1 }), "thread_busy");
    assert.equal(busy.details?.run_id, run.run_id);
    await cancel(engine.node, await rowOf(engine, run), "cancel");
    const answers = await Promise.allSettled([1, 2, 3].map((a) => update(engine, thread, { a })));
    const won = answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
    const parents = won.map(({ parent_checkpoint_id }) => parent_checkpoint_id);
    assert.ok(won.length > 0);
    assert.equal(new Set(parents).size, won.length, "of several computed from the same state one is taken");
    for (const answer of answers) {
      if (answer.status === "rejected") assert.equal(answer.reason.code, "thread_changed");
    }
    const newest = won.find(({ checkpoint_id }) => !parents.includes(checkpoint_id));
    assert.deepEqual((await engine.show(thread)).values, newest!.values);
  }));

test("a change by hand that was acknowledged is answered again, also while a later run holds the thread", () =>
  withEngine({}, async (engine) => {
    const thread = await engine.thread();
    const attempt = { key_id: "k", path: "POST state", idempotency_key: "one", body_hash: "h" };
    const first = await update(engine, thread, { a: 1 }, { attempt });
    const run = await engine.accept(thread, { script: [{ event: 1 }, "wait"] });
    assert.deepEqual(await update(engine, thread, { a: 1 }, { attempt }), first);
    await cancel(engine.node, await rowOf(engine, run), "cancel");
  }));

test("a LangGraph thread's change is computed by its agent and stored only if nothing moved meanwhile", () =>
  withEngine({ framework: "langgraph-js" }, async (engine) => {
    const thread = await engine.thread();
    await engine.run(thread, { checkpoint: { values: { a: 1 } } }, { done: null });
    const answers = await Promise.allSettled([2, 3].map((b) => update(engine, thread, { b })));
    assert.deepEqual(answers.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
    assert.equal((await engine.show(thread)).status, "idle");
  }));

test("deleting a thread cancels its runs, ends their streams and frees the agent's place", () =>
  withEngine({ concurrency: 1 }, async (engine) => {
    const [thread, other] = [await engine.thread(), await engine.thread()];
    const run = await engine.accept(thread, {
      script: [{ checkpoint: { values: { n: 1 } } }, { event: "here" }, "wait"],
    });
    const waiting = await engine.accept(other, { script: [{ done: 1 }] });
    assert.equal(waiting.status, "pending");
    await engine.event(run, hasData("here"));
    const [reading, readingWaiting] = [engine.events(run), engine.events(waiting)];
    await deleteThread(engine.node, await threadRow(engine, other));
    await deleteThread(engine.node, await threadRow(engine, thread));
    assertWhole(await reading, "run.canceled");
    assertWhole(await readingWaiting, "run.canceled");
    assert.equal(
      await findRun(engine.database, run.run_id),
      undefined,
      "runs of a deleted thread are not found",
    );
    assert.equal(await findThread(engine.database, thread.thread_id), undefined);
    assert.equal((await engine.run(null, { done: 1 })).status, "succeeded");
    await keepHouse(engine.node, -1);
    for (const table of ["checkpoints", "channel_values", "threads"])
      assert.equal(await countRows(engine, table), 0, table);
    assert.equal(await countRows(engine, "logs"), 1, "only the last run's own log is left");
  }));

test("threads past their time to live are deleted or lose their history, as they said; busy and younger ones stay", () =>
  withEngine({}, async (engine) => {
    const make = async (thread_id: string, strategy: "delete" | "keep_latest") => {
      const thread = await engine.thread({ thread_id, ttl: { minutes: 1, strategy } });
      for (let n = 1; n <= 3; n++) await engine.run(thread, { checkpoint: { values: { n } } }, { done: n });
      return thread;
    };
    const [gone, kept, young, busy] = await Promise.all([
      make("gone", "delete"),
      make("kept", "keep_latest"),
      make("young", "delete"),
      make("busy", "delete"),
    ]);
    const run = await engine.accept(busy!, { script: [{ event: 1 }, "wait"] });
    await engine.database.transaction((tx) =>
      tx.query(sql`update threads set updated_at = ${tx.dialect.nowPlus(-61)} where thread_id <> 'young'`),
    );
    await keepHouse(engine.node, -1);
    const lengthOf = async (thread: Thread) => {
      const row = await findThread(engine.database, thread.thread_id);
      if (!row) return undefined;
      return (
        await selectCheckpoints(engine.database, await openView(engine.database, row.log_id), { limit: 10 })
      ).length;
    };
    assert.deepEqual(await Promise.all([gone, kept, young, busy].map((thread) => lengthOf(thread!))), [
      undefined,
      1,
      3,
      3,
    ]);
    assert.deepEqual((await engine.show(kept!)).values, { n: 3 });
    await cancel(engine.node, await rowOf(engine, run), "cancel");
  }));

test("threads are pruned by id: unknown, forbidden and, for keep_latest, busy ones are passed over", () =>
  withEngine({}, async (engine) => {
    const [a, b, busy] = [await engine.thread(), await engine.thread(), await engine.thread()];
    const run = await engine.accept(busy, { script: [{ event: 1 }, "wait"] });
    const ids = [a, b, busy].map(({ thread_id }) => thread_id);
    const order = (strategy: "delete" | "keep_latest", some = ids, allowed = true) =>
      prune(engine.node, { ids: some, strategy }, () => allowed);
    assert.equal(await order("delete", ids, false), 0);
    assert.equal(await order("keep_latest", [...ids, "unknown", ids[0]!]), 2);
    assert.equal(await order("delete"), 3);
    assertWhole(
      await engine.events({ run_id: run.run_id }).catch(() => canceled(engine, run)),
      "run.canceled",
    );
  }));

test("a prune keeps the newest runs, the younger checkpoints, or what either of them keeps; a delete spares younger threads", () =>
  withEngine({}, async (engine) => {
    const thread = await engine.thread();
    for (let n = 1; n <= 5; n++) {
      await engine.run(
        thread,
        { checkpoint: { values: { n, step: 1 } } },
        { checkpoint: { values: { n, step: 2 } } },
        { done: n },
      );
    }
    const hours = (n: number) => n * 3_600;
    // The run n was 6 - n hours ago: those of 5, 4, 3, 2 and 1 hours.
    for (let n = 1; n <= 5; n++) {
      await engine.database.transaction((tx) =>
        tx.query(sql`
          update checkpoints set created_at = ${tx.dialect.nowPlus(-hours(6 - n))}
          where run_number = ${n}`),
      );
    }
    const left = async (copy: Thread) => {
      const { view } = await readHead(engine.database, (await threadRow(engine, copy)).log_id);
      const rows = await selectCheckpoints(engine.database, view, { namespace: "", limit: 100 });
      const shown = await showCheckpoints(engine.database, view, copy.thread_id, rows);
      return shown.map(({ values }) => `${values.n}.${values.step}`).reverse();
    };
    const all = [1, 2, 3, 4, 5].flatMap((n) => [`${n}.1`, `${n}.2`]);
    for (const [order, expected] of [
      [{}, ["5.2"]],
      [{ keep_last: 1 }, all.slice(-2)],
      [{ keep_last: 2 }, all.slice(-4)],
      [{ keep_last: 9 }, all],
      [{ older_than_s: hours(2.5) }, all.slice(-4)],
      [{ older_than_s: hours(9) }, all],
      [{ older_than_s: 0 }, ["5.2"]],
      [{ keep_last: 1, older_than_s: hours(3.5) }, all.slice(-6)],
      [{ keep_last: 4, older_than_s: hours(3.5) }, all.slice(-8)],
    ] as const) {
      const row = await threadRow(engine, thread);
      const copy = await copyThread(engine.node, row, {}, undefined);
      const strategy = "keep_latest" as const;
      const done = await prune(engine.node, { ids: [copy.thread_id], strategy, ...order }, () => true);
      assert.equal(done, 1);
      assert.deepEqual(await left(copy), expected, JSON.stringify(order));
      await keepHouse(engine.node, -1);
      assert.deepEqual(await left(copy), expected, "also once it was swept");
      const next = await engine.run(copy, { checkpoint: { values: { n: 6, step: 1 } } }, { done: 6 });
      assert.equal(next.status, "succeeded");
    }
    assert.deepEqual(await left(thread), all, "the source of the copies has all it had");

    const ids = [thread.thread_id];
    const remove = (older_than_s: number) =>
      prune(engine.node, { ids, strategy: "delete", older_than_s }, () => true);
    assert.equal(await remove(60), 0);
    await assert.rejects(
      prune(engine.node, { ids, strategy: "delete", keep_last: 1 }, () => true),
      { status: 400 },
    );
    await engine.database.transaction((tx) =>
      tx.query(sql`update threads set updated_at = ${tx.dialect.nowPlus(-61)} where thread_id = ${ids[0]!}`),
    );
    assert.equal(await remove(60), 1);
  }));

/** The events of a run whose thread is gone, read as a stream that was open before. */
async function canceled(engine: Engine, { run_id }: { run_id: string }): Promise<NumberedEvent[]> {
  const [row] = await engine.database.query<{ log_id: number; run_number: number }>(
    sql`select log_id, run_number from runs where run_number = (select run_number from runs where run_id = ${run_id})`,
  );
  const events: NumberedEvent[] = [];
  const tail = tailRun(engine.node, { ...row!, run_id }, 0, AbortSignal.timeout(20_000));
  for await (const page of tail) events.push(...page);
  return events;
}

test("a thread is made once under an id, and a repeated request gets the first answer", () =>
  withEngine({}, async (engine) => {
    const attempt = { key_id: "k", path: "POST /threads", idempotency_key: "one", body_hash: "h" };
    const order = { deployment_id: "dep_1", thread_id: "mine", metadata: { a: 1 } };
    const first = await createThread(engine.node, order, attempt);
    assert.deepEqual(await createThread(engine.node, order, attempt), first);
    await refused(createThread(engine.node, order, undefined), "thread_exists");
    const found = await createThread(engine.node, { ...order, if_exists: "do_nothing" }, undefined);
    assert.deepEqual(found, { ...first, created: false });
    await refused(createThread(engine.node, { deployment_id: "dep_9" }, undefined), "not_found");
    const many = await Promise.allSettled(
      Array.from({ length: 10 }, () =>
        createThread(engine.node, { ...order, thread_id: "raced" }, undefined),
      ),
    );
    assert.equal(many.filter(({ status }) => status === "fulfilled").length, 1);
  }));

test("a copy of a busy thread has what was committed, is idle, and goes its own way", () =>
  withEngine({}, async (engine) => {
    const thread = await engine.thread();
    const gate = engine.gate();
    const run = await engine.accept(thread, {
      script: [
        { checkpoint: { values: { n: 1 } } },
        { event: "here" },
        { gate: gate.path },
        { checkpoint: { values: { n: 2 } } },
        { done: 1 },
      ],
    });
    await engine.event(run, hasData("here"));
    const copy = await copyThread(engine.node, await threadRow(engine, thread), {}, undefined);
    assert.deepEqual([copy.status, copy.values, copy.copied_from], ["idle", { n: 1 }, thread.thread_id]);
    const mine = await engine.run(copy, { checkpoint: { values: { mine: true } } }, { done: 1 });
    assert.equal(mine.status, "succeeded");
    gate.open();
    await engine.over(run);
    assert.deepEqual((await engine.show(thread)).values, { n: 2 });
    assert.deepEqual((await engine.show(copy)).values, { n: 1, mine: true });
  }));

test("a state that comes back after its items were swept is stored anew, also by a process that remembers them", () =>
  withEngine(
    {
      framework: "langgraph-js",
      entrypoint: "./graph.ts:graph",
      graph: `
        import { Annotation, END, START, StateGraph } from "@langchain/langgraph";
        const element = (text: string) => ({ list: [{ text: text + ", in a text long enough to be an item" }] });
        export const graph = new StateGraph(Annotation.Root({ list: Annotation<unknown[]>, n: Annotation<number> }))
          .addNode("first", () => element("the same every time"))
          .addNode("second", (state) => element("number " + state.n))
          .addEdge(START, "first").addEdge("first", "second").addEdge("second", END)
          .compile();`,
    },
    async (engine) => {
      const thread = await engine.thread();
      for (const n of [1, 2]) await engine.over(await engine.accept(thread, { n }));
      await prune(engine.node, { ids: [thread.thread_id], strategy: "keep_latest" }, () => true);
      await keepHouse(engine.node, -1);
      const kept = (await engine.show(thread)).values;
      assert.equal((await engine.over(await engine.accept(thread, { n: 1 }))).status, "succeeded");
      const { log_id } = await threadRow(engine, thread);
      const view = await openView(engine.database, log_id);
      const rows = await selectCheckpoints(engine.database, view, { limit: 100 });
      const shown = await showCheckpoints(engine.database, view, thread.thread_id, rows);
      const texts = shown.map(({ values }) => (values.list as { text: string }[])[0]!.text.split(",")[0]);
      assert.deepEqual(texts, ["number 1", "the same every time", "number 2", "number 2", "number 2"]);
      assert.deepEqual(shown.at(-1)?.values, kept);
    },
  ));

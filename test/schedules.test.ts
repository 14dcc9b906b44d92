/** Schedules: each due time starts one run, whatever is restarted, paused, busy or broken meanwhile. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { readConfig } from "../src/config.ts";
import type { Schedule } from "../src/core/schedule.ts";
import { readManifest } from "../src/deploy/manifest.ts";
import { deleteThread } from "../src/engine/delete_thread.ts";
import { nextDue } from "../src/engine/next_due.ts";
import { SCHEDULES_TOPIC } from "../src/engine/node.ts";
import { runSchedules } from "../src/engine/run_schedules.ts";
import { changeSchedule, makeSchedule } from "../src/engine/schedules.ts";
import { startServer } from "../src/server.ts";
import type { Database } from "../src/store/database.ts";
import { listRuns } from "../src/store/runs.ts";
import { claimSchedules, findSchedule, settleSchedule } from "../src/store/schedules.ts";
import { sql } from "../src/store/sql.ts";
import { findThread } from "../src/store/threads.ts";
import { freshDatabaseUrl, openDatabase } from "./fixtures/database.ts";
import { functionProject, projectFolder, testServer } from "./fixtures/server.ts";
import { type Engine, withEngine } from "./suites/engine_fixture.ts";

const main = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url));
/** Comes once a day, half a day from now: nothing is due but what a test makes due. */
const daily = `0 ${(new Date().getUTCHours() + 12) % 24} * * *`;
const ok = { script: [{ done: "ok" }] };
const everyone = () => true;

async function until<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
  const deadline = Date.now() + 15_000;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`${what}: it did not happen within 15 s`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** As if the schedule had been due so long ago, and nobody had been there. Returns the due time. */
function makeDue(database: Database, { schedule_id }: Schedule, ago_s = 5): Promise<string> {
  return database.transaction(async (tx) => {
    const due = tx.dialect.nowPlus(-ago_s);
    // Told by this statement: a moment after the commit the time may be settled, and the next one stand there.
    const [row] = await tx.query<{ next_due_at: string }>(sql`
      update schedules set next_due_at = ${due}, next_attempt_at = ${due} where schedule_id = ${schedule_id}
      returning next_due_at`);
    tx.hint(SCHEDULES_TOPIC);
    return row!.next_due_at;
  });
}

/** Waits until the due time has been seen to. */
function settled(database: Database, { schedule_id }: Schedule, due_at: string): Promise<Schedule> {
  return until("the due time is settled", async () => {
    const schedule = await findSchedule(database, schedule_id);
    return schedule?.last_due_at === due_at && schedule.next_due_at !== due_at && schedule;
  });
}

async function runsOf(database: Database, { schedule_id }: Schedule): Promise<string[]> {
  const rows = await listRuns(database, { limit: 1000 });
  return rows
    .filter(({ metadata }) => JSON.parse(metadata).schedule_id === schedule_id)
    .map(({ run_id }) => run_id);
}

/** Runs what is due while `body` does something. */
async function scheduling(engine: Engine, body: () => Promise<void>, nodes = [engine.first]): Promise<void> {
  const stop = new AbortController();
  const loops = nodes.map(({ node, worker }) => runSchedules(node, worker, stop.signal));
  try {
    await body();
  } finally {
    stop.abort();
    await Promise.all(loops);
  }
}

const make = (engine: Engine, order: object = {}) =>
  makeSchedule(
    engine.node,
    { deployment_id: "dep_1", cron: daily, input: ok, ...order },
    everyone,
    undefined,
  );

test("the hours of a line are those of its zone, also when clocks change", () => {
  const due = (cron: string, timezone: string, now: string) => nextDue({ cron, timezone }, now);
  const berlin = "Europe/Berlin";
  assert.equal(due("0 9 * * *", "UTC", "2026-01-31T09:00:00.000Z"), "2026-02-01T09:00:00.000Z");
  assert.equal(due("0 9 * * *", berlin, "2026-01-31T07:59:59.999Z"), "2026-01-31T08:00:00.000Z");
  assert.equal(due("0 9 * * *", "Asia/Kolkata", "2026-01-31T00:00:00.000Z"), "2026-01-31T03:30:00.000Z");
  // Spring forward, 2:00 to 3:00 on 29 March: a single time in the gap comes at its end, one of several is left out.
  assert.equal(due("30 2 * * *", berlin, "2026-03-28T12:00:00.000Z"), "2026-03-29T01:00:00.000Z");
  assert.equal(due("30 2 * * *", berlin, "2026-03-29T01:00:00.000Z"), "2026-03-30T00:30:00.000Z");
  assert.equal(due("30 2,4 * * *", berlin, "2026-03-28T12:00:00.000Z"), "2026-03-29T02:30:00.000Z");
  // Fall back, 3:00 to 2:00 on 25 October: a single time comes once, of several each comes twice.
  assert.equal(due("30 2 * * *", berlin, "2026-10-24T12:00:00.000Z"), "2026-10-25T00:30:00.000Z");
  assert.equal(due("30 2 * * *", berlin, "2026-10-25T00:30:00.000Z"), "2026-10-26T01:30:00.000Z");
  assert.equal(due("*/30 * * * *", berlin, "2026-10-25T00:30:00.000Z"), "2026-10-25T01:00:00.000Z");
});

test("a due time starts one run that names its schedule, and the schedule waits for the next time", () =>
  withEngine({}, async (engine) => {
    const { database } = engine;
    const alone = await make(engine, { metadata: { team: "news" } });
    const thread = await engine.thread();
    const inThread = await make(engine, { thread_id: thread.thread_id });
    assert.ok(Date.parse(alone.next_due_at!) > Date.now());
    assert.equal(inThread.multitask_strategy, "enqueue");
    await scheduling(engine, async () => {
      for (const schedule of [alone, inThread]) {
        const due_at = await makeDue(database, schedule);
        const after = await settled(database, schedule, due_at);
        assert.equal(after.next_due_at, schedule.next_due_at);
        assert.equal(after.last_error, null);
        const run = await engine.over({ run_id: after.last_run_id! });
        assert.equal(run.output, "ok");
        assert.equal(run.thread_id, schedule.thread_id);
        assert.deepEqual(run.metadata, { ...schedule.metadata, schedule_id: schedule.schedule_id });
        assert.deepEqual(await runsOf(database, schedule), [run.id]);
      }
    });
  }));

test("two nodes that find the same due times start one run for each", () =>
  withEngine({}, async (engine) => {
    const { database } = engine;
    const nodes = [engine.first, engine.startNode()];
    const schedules = await Promise.all(Array.from({ length: 20 }, () => make(engine)));
    const due = await Promise.all(schedules.map((schedule) => makeDue(database, schedule)));
    await scheduling(
      engine,
      async () => {
        for (const [i, schedule] of schedules.entries()) await settled(database, schedule, due[i]!);
      },
      nodes,
    );
    for (const schedule of schedules) assert.equal((await runsOf(database, schedule)).length, 1);
  }));

test("a node that died between accepting a run and storing that it did leaves no second run", () =>
  withEngine({}, async (engine) => {
    const { database } = engine;
    const schedule = await make(engine);
    await scheduling(engine, async () => {
      const due_at = await makeDue(database, schedule);
      const { last_run_id } = await settled(database, schedule, due_at);
      await engine.over({ run_id: last_run_id! });
      // The due time is back, as if it had never been moved on, and its owner has changed the input since.
      await changeSchedule(engine.node, schedule.schedule_id, { input: { script: [{ done: "other" }] } });
      await database.transaction(async (tx) => {
        await tx.query(sql`
          update schedules set next_due_at = ${due_at}, next_attempt_at = ${due_at}, last_due_at = null,
            last_run_id = null`);
        tx.hint(SCHEDULES_TOPIC);
      });
      assert.equal((await settled(database, schedule, due_at)).last_run_id, last_run_id);
      assert.deepEqual(await runsOf(database, schedule), [last_run_id]);
    });
  }));

test("in a busy thread a run waits its turn, and times that pass while it waits are one with it", () =>
  withEngine({}, async (engine) => {
    const { database } = engine;
    const thread = await engine.thread();
    const gate = engine.gate();
    const busy = await engine.accept(thread, { script: [{ gate: gate.path }, { done: 1 }] });
    const schedule = await make(engine, { thread_id: thread.thread_id });
    const refusing = await make(engine, { thread_id: thread.thread_id, multitask_strategy: "reject" });
    await scheduling(engine, async () => {
      const first = await settled(database, schedule, await makeDue(database, schedule, 60));
      assert.equal((await engine.get({ run_id: first.last_run_id! })).status, "pending");
      const second = await settled(database, schedule, await makeDue(database, schedule, 30));
      assert.equal(second.last_run_id, first.last_run_id);

      const refused = await settled(database, refusing, await makeDue(database, refusing));
      assert.equal(refused.last_error?.code, "thread_busy");
      assert.match(refused.last_error.message, /is busy with run/);
      assert.equal(refused.last_run_id, null);
      assert.equal(refused.next_due_at, refusing.next_due_at);

      gate.open();
      await engine.over(busy);
      await engine.over({ run_id: first.last_run_id! });
      const third = await settled(database, schedule, await makeDue(database, schedule));
      assert.notEqual(third.last_run_id, first.last_run_id);
      const free = await engine.over({ run_id: third.last_run_id! });
      assert.equal(free.output, "ok");
      await until("the thread is idle", async () => (await engine.show(thread)).status === "idle");
      assert.equal((await settled(database, refusing, await makeDue(database, refusing))).last_error, null);
    });
    assert.equal((await runsOf(database, schedule)).length, 2);
    assert.equal((await runsOf(database, refusing)).length, 1);
  }));

test("a schedule that is broken, or whose environment has no version, holds up no other", () =>
  withEngine({}, async (engine) => {
    const { database } = engine;
    const [broken, versionless, sound] = [
      await make(engine),
      await make(engine, { environment: "staging" }),
      await make(engine),
    ];
    await database.transaction(async (tx) => {
      await tx.query(sql`update schedules set cron = 'none' where schedule_id = ${broken.schedule_id}`);
      await tx.query(sql`delete from environments where environment = 'staging'`);
    });
    const due = await makeDue(database, broken, 60);
    await scheduling(engine, async () => {
      const failed = await settled(database, versionless, await makeDue(database, versionless, 30));
      assert.equal(failed.last_error?.code, "no_version");
      assert.equal(failed.next_due_at, versionless.next_due_at);
      await settled(database, sound, await makeDue(database, sound));
    });
    assert.equal((await runsOf(database, broken)).length, 0);
    const waiting = await database.query<{ next_due_at: string }>(sql`
      select next_due_at from schedules
      where schedule_id = ${broken.schedule_id} and next_attempt_at > ${database.dialect.now}`);
    assert.deepEqual({ ...waiting[0] }, { next_due_at: due }, "it is tried again, after a while");
  }));

test("a paused schedule starts nothing, and goes on with the next time when it is resumed", () =>
  withEngine({}, async (engine) => {
    const { database, node } = engine;
    const paused = await make(engine, { enabled: false });
    assert.deepEqual([paused.enabled, paused.next_due_at], [false, null]);
    const other = await make(engine);
    await makeDue(database, other, 86_400 * 3);
    assert.equal((await changeSchedule(node, other.schedule_id, { enabled: false }))!.next_due_at, null);
    const control = await make(engine);
    await scheduling(engine, async () => {
      await settled(database, control, await makeDue(database, control));
      for (const { schedule_id } of [paused, other]) {
        const resumed = (await changeSchedule(node, schedule_id, { enabled: true }))!;
        assert.deepEqual([resumed.enabled, resumed.next_due_at], [true, control.next_due_at]);
      }
    });
    assert.deepEqual(await runsOf(database, paused), []);
    assert.deepEqual(await runsOf(database, other), []);
  }));

test("a change while a node sees to a due time is kept: paused stays paused, another line has its own next time", () =>
  withEngine({}, async (engine) => {
    const { database, node } = engine;
    const [paused, moved, renamed] = [await make(engine), await make(engine), await make(engine)];
    const due: string[] = [];
    for (const schedule of [paused, moved, renamed]) due.push(await makeDue(database, schedule));
    const claim = () => database.transaction((tx) => claimSchedules(tx, 10));
    assert.equal((await claim()).length, 3);
    await changeSchedule(node, paused.schedule_id, { enabled: false });
    const { next_due_at } = (await changeSchedule(node, moved.schedule_id, { cron: "@yearly" }))!;
    await changeSchedule(node, renamed.schedule_id, { name: "other" });
    assert.deepEqual(await claim(), [], "what is claimed stays so");
    const settle = async ({ schedule_id }: Schedule, due_at: string) => {
      const times = { due_at, next_due_at: renamed.next_due_at };
      await database.transaction((tx) => settleSchedule(tx, schedule_id, times, { run_id: "run_1" }));
      const after = (await findSchedule(database, schedule_id))!;
      assert.deepEqual([after.last_due_at, after.last_run_id], [due_at, "run_1"]);
      return after.next_due_at;
    };
    assert.equal(await settle(paused, due[0]!), null);
    assert.equal(await settle(moved, due[1]!), next_due_at);
    assert.equal(await settle(renamed, due[2]!), renamed.next_due_at);
  }));

test("a change of the line or the zone moves the next time, any other change leaves it; a paused line is checked too", () =>
  withEngine({}, async (engine) => {
    const { node, database } = engine;
    const { schedule_id, next_due_at } = await make(engine, { metadata: { a: 1, b: 2 }, name: "x" });
    const change = (patch: object) => changeSchedule(node, schedule_id, patch);
    const same = (await change({ name: null, input: [1], metadata: { a: null, c: 3 }, config: { x: 1 } }))!;
    assert.deepEqual(
      [same.next_due_at, same.name, same.input, same.metadata, same.config],
      [next_due_at, null, [1], { b: 2, c: 3 }, { x: 1 }],
    );
    const shifted = (await change({ timezone: "Asia/Kolkata" }))!;
    assert.equal(new Date(shifted.next_due_at!).getUTCMinutes(), 30);
    assert.equal((await change({ cron: daily, timezone: "UTC" }))!.next_due_at, next_due_at);
    await change({ enabled: false });
    await assert.rejects(change({ cron: "nonsense" }), { status: 400 });
    await assert.rejects(change({ multitask_strategy: "reject" }), { status: 400 });
    assert.equal((await findSchedule(database, schedule_id))!.cron, daily);
  }));

test("a deleted thread takes its schedules along", () =>
  withEngine({}, async (engine) => {
    const { database, node } = engine;
    const thread = await engine.thread();
    const gone = await make(engine, { thread_id: thread.thread_id });
    const kept = await make(engine);
    await deleteThread(node, (await findThread(database, thread.thread_id))!);
    assert.equal(await findSchedule(database, gone.schedule_id), undefined);
    assert.ok(await findSchedule(database, kept.schedule_id));
  }));

test("all times that were missed while the server was down are one run after its start", async (t) => {
  const folder = projectFolder(t, functionProject);
  const data = join(folder, ".crewship/data");
  const url = await freshDatabaseUrl();
  const config = readConfig(
    { port: "0", data, logLevel: "silent", databaseUrl: url ?? "" },
    { ...process.env, XDG_CONFIG_HOME: join(folder, "config") },
  );
  const start = () => startServer(config, { dev: readManifest(folder) });
  const call = async (server: Awaited<ReturnType<typeof start>>, path: string, body?: unknown) => {
    const answer = await fetch(server.url + path, {
      method: body === undefined ? "GET" : "POST",
      headers: { authorization: `Bearer ${server.apiKey}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return answer.json() as Promise<never>;
  };
  const before = await start();
  const { deployment_id } = before.deployments[0]!;
  const order = { deployment_id, cron: daily, input: { message: "morning" } };
  const schedule: Schedule = await call(before, "/v1/schedules", order);
  await before.close();

  const database = await openDatabase(url, data, "full");
  const due_at = await makeDue(database, schedule, 86_400 * 3 + 60);
  await database.close();

  const after = await start();
  t.after(() => after.close());
  const seen = await until("it has run", async () => {
    const now: Schedule = await call(after, `/v1/schedules/${schedule.schedule_id}`);
    return now.last_due_at !== null && now;
  });
  assert.deepEqual([seen.last_due_at, seen.next_due_at], [due_at, schedule.next_due_at]);
  const { runs } = (await call(after, "/v1/runs")) as { runs: { id: string; metadata: object }[] };
  assert.deepEqual(
    runs.map(({ id, metadata }) => [id, metadata]),
    [[seen.last_run_id, { schedule_id: schedule.schedule_id }]],
  );
});

test("a server runs its schedules by itself; one is run out of turn, changed, and gone once deleted", async (t) => {
  const { call, deployment_id } = await testServer(t, functionProject);
  const order = { deployment_id, cron: "* * * * * *", input: { message: "tick" } };
  const made = await call("POST", "/v1/schedules", order, { "idempotency-key": "one" });
  assert.equal(made.status, 201);
  const { schedule_id } = made.body;
  assert.match(schedule_id, /^sch_[0-9a-f]{24}$/);
  const repeat = await call("POST", "/v1/schedules", order, { "idempotency-key": "one" });
  assert.equal(repeat.body.schedule_id, schedule_id);
  const path = `/v1/schedules/${schedule_id}`;
  await until("the clock has started a run that ended", async () => {
    const { last_run_id } = (await call("GET", path)).body;
    return last_run_id && (await call("GET", `/v1/runs/${last_run_id}`)).body.status === "succeeded";
  });

  const paused = await call("PATCH", path, { enabled: false });
  assert.deepEqual([paused.status, paused.body.enabled, paused.body.next_due_at], [200, false, null]);
  const thread = (await call("POST", "/v1/threads", { deployment_id })).body.thread_id;
  const inThread = await call("POST", "/v1/schedules", { thread_id: thread, cron: "@yearly" });
  assert.equal(inThread.body.deployment_id, deployment_id);
  const now = await call("POST", `/v1/schedules/${inThread.body.schedule_id}/run`);
  assert.equal(now.status, 202);
  assert.equal(now.body.thread_id, thread);
  assert.equal(now.headers.get("location"), `/v1/runs/${now.body.run_id}`);
  const { body: run } = await call("GET", `/v1/runs/${now.body.run_id}`);
  assert.deepEqual(run.metadata, { schedule_id: inThread.body.schedule_id });
  assert.deepEqual(
    (await call("GET", `/v1/schedules/${inThread.body.schedule_id}`)).body,
    inThread.body,
    "it is due as it was",
  );
  const { schedules } = (await call("GET", `/v1/schedules?deployment_id=${deployment_id}`)).body;
  assert.deepEqual(
    schedules.map((schedule: Schedule) => schedule.schedule_id),
    [schedule_id, inThread.body.schedule_id],
  );

  const other = await call("POST", "/v1/keys", { name: "x", role: "run", deployment_ids: ["dep_other"] });
  const foreign = { authorization: `Bearer ${other.body.api_key}` };
  assert.deepEqual((await call("GET", "/v1/schedules", undefined, foreign)).body.schedules, []);
  for (const [method, at, body] of [
    ["GET", path],
    ["PATCH", path, { enabled: true }],
    ["DELETE", path],
    ["POST", `${path}/run`],
    ["POST", "/v1/schedules", { deployment_id, cron: daily }],
    ["POST", "/v1/schedules", { thread_id: thread, cron: daily }],
    ["GET", `/v1/schedules?deployment_id=${deployment_id}`],
  ] as const) {
    assert.equal((await call(method, at, body, foreign)).status, 404, `${method} ${at}`);
  }
  const reader = await call("POST", "/v1/keys", { name: "x", role: "read" });
  const reading = { authorization: `Bearer ${reader.body.api_key}` };
  assert.equal((await call("GET", path, undefined, reading)).status, 200);
  assert.equal((await call("DELETE", path, undefined, reading)).status, 403);

  assert.equal((await call("DELETE", path)).status, 204);
  for (const [method, at] of [
    ["GET", path],
    ["DELETE", path],
    ["POST", `${path}/run`],
  ] as const) {
    assert.equal((await call(method, at)).status, 404);
  }
  assert.equal((await call("PATCH", path, {})).status, 404);
});

test("a line or a zone that is none is a 400 that names the field and one that works, and changes nothing", async (t) => {
  const { call, deployment_id } = await testServer(t, functionProject);
  const thread = (await call("POST", "/v1/threads", { deployment_id })).body.thread_id;
  const kept = (await call("POST", "/v1/schedules", { deployment_id, cron: daily, name: "kept" })).body;
  const path = `/v1/schedules/${kept.schedule_id}`;
  const refuse = async (body: object, message: RegExp, status = 400) => {
    const answer = await call("POST", "/v1/schedules", { deployment_id, cron: daily, ...body });
    assert.equal(answer.status, status, JSON.stringify([body, answer.body]));
    assert.match(answer.body.error.message, message);
  };
  for (const cron of [
    "",
    " ",
    "* * * *",
    "* * * * * * *",
    "60 * * * *",
    "* 24 * * *",
    "* * 0 * *",
    "* * * 13 *",
    "* * * * 8",
    "5-1 * * * *",
    "*/0 * * * *",
    "1,,2 * * * *",
    "a b c d e",
    "* * * * *\0",
    "@reboot",
    "@soon",
    "2030-01-23T00:00:00",
    "0 0 30 2 *",
    "0 0 31 2,4,6,9,11 *",
    "0 0 30 FEB +MON",
  ]) {
    await refuse({ cron }, /^body\.cron: .*; a line that works is "0 9 \* \* 1-5"/);
    assert.equal((await call("PATCH", path, { cron })).status, 400, cron);
  }
  for (const timezone of ["", "Mars/Phobos", "+02:00", "UTC+2", "local", "Europe/Berlin\0", "../UTC"]) {
    await refuse({ timezone }, /^body\.timezone: .*; names that work are "Europe\/Berlin" and "UTC"/);
    assert.equal((await call("PATCH", path, { timezone })).status, 400, timezone);
  }
  await refuse({ cron: `0 ${"1,".repeat(200)}1 * * *` }, /^body\.cron/);
  await refuse({ cron: 5 }, /^body\.cron/);
  await refuse({ cron: null }, /^body\.cron/);
  await refuse({ deployment_id: undefined }, /deployment_id.*thread_id/);
  await refuse({ deployment_id: "dep_nowhere" }, /no deployment dep_nowhere/, 404);
  await refuse({ thread_id: "thr_nowhere" }, /no thread of this deployment thr_nowhere/, 404);
  await refuse({ deployment_id: undefined, thread_id: "thr_nowhere" }, /no thread thr_nowhere/, 404);
  await refuse({ multitask_strategy: "enqueue" }, /^body\.multitask_strategy/);
  await refuse({ thread_id: thread, multitask_strategy: "juggle" }, /^body\.multitask_strategy/);
  await refuse({ environment: "moon" }, /^body\.environment/);
  await refuse({ metadata: [] }, /^body\.metadata/);
  await refuse({ enabled: "yes" }, /^body\.enabled/);
  await refuse({ colour: 1 }, /unknown key "colour"/);
  for (const patch of [{ deployment_id }, { thread_id: thread }, { enabled: null }, { cron: null }]) {
    assert.equal((await call("PATCH", path, patch)).status, 400, JSON.stringify(patch));
  }
  assert.deepEqual((await call("GET", "/v1/schedules")).body.schedules, [kept]);
  assert.deepEqual((await call("GET", "/v1/runs")).body.runs, []);
});

test("the command line makes, shows, pauses, resumes, runs and deletes schedules", async (t) => {
  const { folder, call, deployment_id } = await testServer(t, functionProject);
  const crewship = async (...args: string[]) => {
    const env = { PATH: process.env.PATH, XDG_CONFIG_HOME: join(folder, "config"), TZ: "UTC" };
    const child = spawn(process.execPath, [main, ...args], { env, cwd: folder });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (chunk) => {
      stdout += chunk;
    });
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
    });
    child.stdin.end();
    const code = await new Promise((resolve) => child.on("close", resolve));
    return { code, stdout, stderr };
  };
  // Without a flag: this machine's server and its only deployment are found.
  const line = ["schedules", "create", "0 9 * * 1-5", "--timezone", "Europe/Berlin"];
  const made = await crewship(...line, "-i", '{"message":"hello"}', "--name", "mornings", "--paused");
  assert.equal(made.code, 0, made.stderr);
  assert.match(made.stderr, /paused/);
  const id = made.stdout.trim();
  const stored = (await call("GET", `/v1/schedules/${id}`)).body;
  assert.deepEqual(
    [stored.deployment_id, stored.timezone, stored.input, stored.name, stored.enabled],
    [deployment_id, "Europe/Berlin", { message: "hello" }, "mornings", false],
  );

  const resumed = await crewship("schedules", "resume", id);
  const { next_due_at } = (await call("GET", `/v1/schedules/${id}`)).body;
  const shown = next_due_at.slice(0, 19).replace("T", " ");
  assert.ok(resumed.stdout.includes(shown), resumed.stdout);
  const [got, listed] = await Promise.all([crewship("schedules", "get", id), crewship("schedules", "list")]);
  assert.match(got.stdout, /time zone +Europe\/Berlin/);
  assert.ok(got.stdout.includes(shown), got.stdout);
  assert.ok(listed.stdout.includes(shown), listed.stdout);
  assert.equal(JSON.parse((await crewship("schedules", "pause", id, "--json")).stdout).enabled, false);

  const ran = JSON.parse((await crewship("schedules", "run", id, "--json")).stdout);
  const run = await call("GET", `/v1/runs/${ran.run_id}`);
  assert.deepEqual(run.body.metadata, { schedule_id: id });

  const thread = (await call("POST", "/v1/threads", { deployment_id })).body.thread_id;
  const inThread = await crewship(
    "schedules",
    "create",
    "@daily",
    "--thread",
    thread,
    "--strategy",
    "reject",
    "--json",
  );
  assert.deepEqual(
    [JSON.parse(inThread.stdout).thread_id, JSON.parse(inThread.stdout).multitask_strategy],
    [thread, "reject"],
  );

  const [bad, strange, stray, broken] = await Promise.all([
    crewship("schedules", "create", "0 0 30 2 *"),
    crewship("schedules", "create", "@daily", "--timezone", "Mars/Phobos"),
    crewship("schedules", "create", "@daily", "--strategy", "reject"),
    crewship("schedules", "create", "@daily", "-i", "{"),
  ]);
  assert.deepEqual([bad.code, strange.code, stray.code, broken.code], [1, 1, 2, 2]);
  assert.match(bad.stderr, /body\.cron: "0 0 30 2 \*" never comes/);
  assert.match(strange.stderr, /no time zone "Mars\/Phobos"/);
  assert.equal((await crewship("schedules", "delete", id)).code, 0);
  assert.deepEqual(
    (await call("GET", "/v1/schedules")).body.schedules.map((schedule: Schedule) => schedule.thread_id),
    [thread],
  );
});

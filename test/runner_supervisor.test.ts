import assert from "node:assert/strict";
import { test } from "node:test";
import { storeSettings } from "../src/core/store_settings.ts";
import { LoadError } from "../src/runner/errors.ts";
import {
  type AcquireRequest,
  type Slot,
  Supervisor,
  type SupervisorOptions,
} from "../src/runner/supervisor.ts";
import { collect, directory, fakeRunner, start, until } from "./fixtures/agent_process.ts";

const DEADLINE_MS = 10_000;
const quiet = { info: () => {}, warn: () => {}, error: () => {} };
const settings = {
  concurrency: 2,
  processes: 2,
  isolation: "shared" as const,
  idle_timeout_s: 300,
  run_timeout_s: 60,
  memory_mb: 128,
  retry: 0,
  stream_tokens: true,
};

type Wish = {
  entrypoint?: string;
  runner?: Partial<typeof settings> | { isolation: "run" };
  env?: Record<string, string>;
  secrets?: string[];
  alone?: boolean;
  signal?: AbortSignal;
};

/** A request for a seat of version ver_1. */
function wish(
  log_id: number,
  { entrypoint = "ok", runner = {}, env = {}, secrets = [], alone = false, signal }: Wish = {},
): AcquireRequest {
  return {
    version: {
      version_id: "ver_1",
      framework: "function",
      entrypoint,
      directory,
      python: null,
      store: storeSettings({}),
      chat: { input_key: null, output_key: null },
      runner: { ...settings, ...runner },
    },
    environment: "production",
    secrets,
    env,
    log_id,
    alone,
    signal: signal ?? AbortSignal.timeout(DEADLINE_MS),
  };
}

async function supervised(
  body: (supervisor: Supervisor) => Promise<void>,
  options: Partial<SupervisorOptions> = {},
): Promise<void> {
  const limits = { cancelGraceMs: 200, ...options.limits };
  const supervisor = new Supervisor({ logger: quiet, runnerPath: fakeRunner, ...options, limits });
  try {
    await body(supervisor);
  } finally {
    await supervisor.close();
  }
  assert.deepEqual(supervisor.processes(), [], "close leaves no process");
}

/** The error of an acquire that must fail to load. */
async function loadErrorOf(supervisor: Supervisor, request: AcquireRequest): Promise<LoadError> {
  const error = await supervisor.acquire(request).then(
    () => assert.fail("it loaded"),
    (error: unknown) => error,
  );
  assert.ok(error instanceof LoadError, String(error));
  return error;
}

test("runs share a process until it is full, then a second starts, then a run waits for a seat", () =>
  supervised(async (supervisor) => {
    const slots: Slot[] = [];
    for (let log = 1; log <= 4; log++) slots.push(await supervisor.acquire(wish(log)));
    const pids = slots.map((slot) => slot.pid);
    assert.equal(pids[0], pids[1]);
    assert.equal(pids[2], pids[3]);
    assert.notEqual(pids[0], pids[2]);
    assert.deepEqual(
      supervisor.processes().map(({ seats, state, version_id }) => [seats, state, version_id]),
      [
        [2, "ready", "ver_1"],
        [2, "ready", "ver_1"],
      ],
    );
    const fifth = supervisor.acquire(wish(5));
    slots[2]!.release();
    slots[2]!.release();
    assert.equal((await fifth).pid, pids[2]);
  }));

test("acquires at the same moment share the process that is being started", () =>
  supervised(async (supervisor) => {
    const [one, two] = await Promise.all([supervisor.acquire(wish(1)), supervisor.acquire(wish(2))]);
    assert.equal(one.pid, two.pid);
    assert.equal(supervisor.processes().length, 1);
  }));

test("an acquire that waits for a seat ends when its signal aborts, and takes none", () =>
  supervised(async (supervisor) => {
    const runner = { concurrency: 1, processes: 1 };
    const slot = await supervisor.acquire(wish(1, { runner }));
    const abort = new AbortController();
    const waiting = supervisor.acquire(wish(2, { runner, signal: abort.signal }));
    abort.abort(new Error("enough"));
    await assert.rejects(waiting, /enough/);
    slot.release();
    (await supervisor.acquire(wish(3, { runner }))).release();
  }));

test("an acquire aborted while its process loads leaves the process to others", () =>
  supervised(async (supervisor) => {
    const abort = new AbortController();
    const request = { entrypoint: "slow", runner: { concurrency: 1, processes: 1 } };
    const waiting = supervisor.acquire(wish(1, { ...request, signal: abort.signal }));
    abort.abort(new Error("enough"));
    await assert.rejects(waiting, /enough/);
    const pid = supervisor.processes()[0]?.pid;
    assert.equal((await supervisor.acquire(wish(2, request))).pid, pid);
  }));

test("a released seat is free once the run in it, which the release cancels, is over", () =>
  supervised(async (supervisor) => {
    const runner = { concurrency: 1, processes: 1 };
    const slot = await supervisor.acquire(wish(1, { runner }));
    const run = slot.run(start("run_1", { act: "wait" }));
    slot.release();
    assert.equal(supervisor.processes()[0]!.seats, 1);
    await supervisor.acquire(wish(2, { runner }));
    assert.equal(run.finished, true);
  }));

test("a thread returns to the process that holds its state", () =>
  supervised(async (supervisor) => {
    const slots: Slot[] = [];
    for (let log = 1; log <= 4; log++) slots.push(await supervisor.acquire(wish(log)));
    const pids = slots.map((slot) => slot.pid);
    for (const slot of slots) slot.release();
    await until(() => supervisor.processes().every(({ seats }) => seats === 0), "all seats are free");
    for (const log of [3, 1, 4, 2]) {
      const slot = await supervisor.acquire(wish(log));
      assert.equal(slot.pid, pids[log - 1]);
      slot.release();
    }
  }));

test("a process without runs stops after its idle time, and the next acquire starts another", () =>
  supervised(async (supervisor) => {
    const request = { runner: { idle_timeout_s: 0.05 } };
    const slot = await supervisor.acquire(wish(1, request));
    const { pid } = slot;
    slot.release();
    await until(() => supervisor.processes().length === 0, "the idle process has stopped");
    assert.notEqual((await supervisor.acquire(wish(1, request))).pid, pid);
  }));

test("an agent that cannot be loaded is left alone for a while: acquires then fail at once with its last error", () =>
  supervised(async (supervisor) => {
    const request = wish(1, { entrypoint: "fail" });
    const first = await loadErrorOf(supervisor, request);
    assert.equal(first.error.message, "no such export");
    assert.equal(await loadErrorOf(supervisor, request), first, "no process was started for the second");
    await until(async () => (await loadErrorOf(supervisor, request)) !== first, "it is tried again");
    const begun = performance.now();
    const second = await loadErrorOf(supervisor, request);
    await until(async () => (await loadErrorOf(supervisor, request)) !== second, "it is tried a third time");
    assert.ok(performance.now() - begun > 300, "the second pause is longer than the first");
  }));

test("an agent process that dies right after its start counts as one that cannot be loaded", () =>
  supervised(async (supervisor) => {
    const request = wish(1, { entrypoint: "dies" });
    const slot = await supervisor.acquire(request);
    await assert.rejects(collect(slot.run(start("run_1", { act: "wait" }))), {
      name: "AgentLost",
      exitCode: 7,
    });
    slot.release();
    const error = await loadErrorOf(supervisor, request);
    assert.match(error.message, /exited with code 7 right after its start/);
  }));

test("a process that a run took down is replaced at once when the agent had worked before", () =>
  supervised(async (supervisor) => {
    const slot = await supervisor.acquire(wish(1));
    await collect(slot.run(start("run_1", { act: "echo" })));
    await assert.rejects(collect(slot.run(start("run_2", { act: "crash" }))), { name: "AgentLost" });
    slot.release();
    const next = await supervisor.acquire(wish(1));
    assert.notEqual(next.pid, slot.pid);
    assert.equal((await collect(next.run(start("run_3", { act: "echo" })))).length, 2);
  }));

test("a reload lets the present process finish its runs and starts the next one anew", () =>
  supervised(async (supervisor) => {
    const old = await supervisor.acquire(wish(1));
    const run = old.run(start("run_1", { act: "wait" }));
    const messages = run[Symbol.asyncIterator]();
    await messages.next();
    supervisor.reload("ver_1");
    const fresh = await supervisor.acquire(wish(1));
    assert.notEqual(fresh.pid, old.pid);
    assert.deepEqual(
      supervisor.processes().map(({ state }) => state),
      ["draining", "ready"],
    );
    run.cancel();
    assert.equal((await messages.next()).value?.type, "done");
    old.release();
    await until(() => supervisor.processes().length === 1, "the old process has stopped");
    assert.equal(supervisor.processes()[0]!.pid, fresh.pid);
  }));

test("an acquire overtaken by a reload gets the new process, and a reload ends a back-off", () =>
  supervised(async (supervisor) => {
    const slow = supervisor.acquire(wish(1, { entrypoint: "slow" }));
    await until(() => supervisor.processes()[0]?.state === "loading", "the first process loads");
    const pid = supervisor.processes()[0]?.pid;
    supervisor.reload("ver_1");
    assert.notEqual((await slow).pid, pid);
    supervisor.reload("ver_1");
    await loadErrorOf(supervisor, wish(2, { entrypoint: "fail" }));
    supervisor.reload("ver_1");
    await supervisor.acquire(wish(2));
  }));

test("load starts a process and says what its agent is made of, or throws its error; the next acquire uses that process", () =>
  supervised(async (supervisor) => {
    await assert.rejects(supervisor.load(wish(1, { entrypoint: "fail" })), { name: "LoadError" });
    supervisor.reload("ver_1");
    const structure = await supervisor.load(wish(1));
    const slot = await supervisor.acquire(wish(1));
    assert.deepEqual(structure?.schemas.state_schema, { pid: slot.pid! });
  }));

for (const entrypoint of ["mute", "long"]) {
  test(`an agent whose framework is ${entrypoint} about what it is made of is loaded all the same`, () =>
    supervised(
      async (supervisor) => {
        assert.equal(await supervisor.load(wish(1, { entrypoint })), null);
        await supervisor.acquire(wish(1, { entrypoint }));
        assert.equal(supervisor.processes().length, 1);
      },
      { limits: { describeTimeoutMs: 300 } },
    ));
}

test("processes with other variables than the request's are replaced", () =>
  supervised(async (supervisor) => {
    const old = await supervisor.acquire(wish(1, { env: { COLOR: "red" } }));
    old.release();
    const slot = await supervisor.acquire(wish(1, { env: { COLOR: "blue" } }));
    assert.notEqual(slot.pid, old.pid);
    const [, done] = await collect(slot.run(start("run_1", { act: "echo" })));
    assert.ok(done?.type === "done");
    assert.equal((done.output as { env: { COLOR: string } }).env.COLOR, "blue");
    assert.equal((await supervisor.acquire(wish(2, { env: { COLOR: "blue" } }))).pid, slot.pid);
  }));

test('with isolation "run" every run has a process of its own, which ends with it', () =>
  supervised(async (supervisor) => {
    const request = { runner: { isolation: "run" as const } };
    const [one, two] = await Promise.all([
      supervisor.acquire(wish(1, request)),
      supervisor.acquire(wish(2, request)),
    ]);
    assert.notEqual(one.pid, two.pid);
    one.release();
    const three = await supervisor.acquire(wish(1, request));
    assert.ok(three.pid !== one.pid && three.pid !== two.pid);
  }));

test("a run that ignores its cancel takes its process with it, and others get a new one at once", () =>
  supervised(async (supervisor) => {
    const slot = await supervisor.acquire(wish(1));
    const run = slot.run(start("run_1", { act: "deaf" }));
    run.cancel();
    await assert.rejects(collect(run), { name: "AgentLost" });
    slot.release();
    assert.notEqual((await supervisor.acquire(wish(1))).pid, slot.pid);
  }));

test("close loses the open runs, ends those who wait and refuses later acquires", async () => {
  const supervisor = new Supervisor({ logger: quiet, runnerPath: fakeRunner });
  const runner = { concurrency: 1, processes: 1 };
  const slot = await supervisor.acquire(wish(1, { runner }));
  const run = collect(slot.run(start("run_1", { act: "wait" })));
  const waiting = supervisor.acquire(wish(2, { runner }));
  await Promise.all([
    supervisor.close(),
    assert.rejects(run, { name: "AgentLost", reason: "was stopped" }),
    assert.rejects(waiting, { code: "unavailable" }),
  ]);
  await assert.rejects(supervisor.acquire(wish(3)), { code: "unavailable" });
  assert.deepEqual(supervisor.processes(), []);
});

test("a run that nobody reads holds up no other once its seat is released", () =>
  supervised(async (supervisor) => {
    const unread = await supervisor.acquire(wish(1));
    const other = await supervisor.acquire(wish(2));
    unread.run(start("run_1", { act: "flood", count: 100, bytes: 100_000 }));
    unread.release();
    assert.equal((await collect(other.run(start("run_2", { act: "echo" })))).length, 2);
  }));

test("a lone run has its process to itself until it leaves, and others are seated elsewhere", () =>
  supervised(async (supervisor) => {
    const first = await supervisor.acquire(wish(1));
    const lone = await supervisor.acquire(wish(2, { alone: true }));
    assert.notEqual(lone.pid, first.pid);
    assert.equal((await supervisor.acquire(wish(3))).pid, first.pid);
    const waiting = supervisor.acquire(wish(4));
    assert.deepEqual(
      supervisor.processes().map(({ seats }) => seats),
      [2, 1],
    );
    lone.release();
    assert.equal((await waiting).pid, lone.pid);
    assert.equal((await supervisor.acquire(wish(5))).pid, lone.pid);
  }));

test("a lone run takes a process that is empty", () =>
  supervised(async (supervisor) => {
    const slot = await supervisor.acquire(wish(1));
    slot.release();
    await until(() => supervisor.processes()[0]?.seats === 0, "the process is empty");
    assert.equal((await supervisor.acquire(wish(2, { alone: true }))).pid, slot.pid);
  }));

test("when no process is empty, one lone run at a time has one above the limit, which ends with it", () =>
  supervised(async (supervisor) => {
    const runner = { concurrency: 1, processes: 1 };
    const busy = await supervisor.acquire(wish(1, { runner }));
    const lone = await supervisor.acquire(wish(2, { runner, alone: true }));
    const waiting = supervisor.acquire(wish(3, { runner, alone: true }));
    assert.deepEqual(
      supervisor.processes().map(({ pid }) => pid),
      [busy.pid, lone.pid],
    );
    lone.release();
    const next = await waiting;
    assert.ok(next.pid !== busy.pid && next.pid !== lone.pid);
    next.release();
    await until(() => supervisor.processes().length === 1, "the processes above the limit have stopped");
    assert.equal(supervisor.processes()[0]!.pid, busy.pid);
  }));

test("a lone run that ends its process each time harms no neighbour and holds up nobody", () =>
  supervised(async (supervisor) => {
    const neighbour = await supervisor.acquire(wish(1));
    const run = neighbour.run(start("run_1", { act: "wait" }));
    const messages = run[Symbol.asyncIterator]();
    await messages.next();
    for (let attempt = 1; attempt <= 5; attempt++) {
      const lone = await supervisor.acquire(wish(2, { alone: true }));
      await assert.rejects(collect(lone.run(start("run_2", { act: "exit" }))), { name: "AgentLost" });
      lone.release();
    }
    run.cancel();
    assert.equal((await messages.next()).value?.type, "done");
    neighbour.release();
    supervisor.reload("ver_1");
    const lone = await supervisor.acquire(wish(2, { alone: true }));
    await assert.rejects(collect(lone.run(start("run_2", { act: "exit" }))), { name: "AgentLost" });
    lone.release();
    assert.ok(await supervisor.acquire(wish(3)), "the agent does not count as one that cannot be loaded");
  }));

test("who waits out the pause after an early death has a process then, though nothing else moves", () =>
  supervised(async (supervisor) => {
    const runner = { concurrency: 1 };
    await supervisor.acquire(wish(1, { runner }));
    const early = await supervisor.acquire(wish(2, { runner }));
    await assert.rejects(collect(early.run(start("run_2", { act: "exit" }))), { name: "AgentLost" });
    early.release();
    assert.notEqual((await supervisor.acquire(wish(2, { runner }))).pid, early.pid);
  }));

test("a silent process takes no new run, not even of the thread whose state it holds", () =>
  supervised(
    async (supervisor) => {
      const slot = await supervisor.acquire(wish(1));
      await collect(slot.run(start("run_1", { act: "linger" })));
      slot.release();
      await until(async () => {
        const next = await supervisor.acquire(wish(1));
        next.release();
        return next.pid !== slot.pid;
      }, "the thread's runs go elsewhere");
      assert.ok(supervisor.processes().some(({ pid }) => pid === slot.pid));
    },
    { limits: { seatSilenceMs: 300 } },
  ));

test("a run seated in a process that an ended run's code blocks is lost, and works elsewhere", () =>
  supervised(
    async (supervisor) => {
      const slot = await supervisor.acquire(wish(1));
      await collect(slot.run(start("run_1", { act: "linger" })));
      const lost = collect(slot.run(start("run_2", { act: "echo" })));
      await assert.rejects(lost, { name: "AgentLost", message: /silent for 0.6 s with no run under way/ });
      slot.release();
      const next = await supervisor.acquire(wish(1, { alone: true }));
      assert.notEqual(next.pid, slot.pid);
      assert.equal((await collect(next.run(start("run_2", { act: "echo" })))).length, 2);
    },
    { limits: { seatSilenceMs: 300, hungAfterMs: 600 } },
  ));

test("who waits for a seat in a silent process has it when the process speaks again", async () => {
  let reported = false;
  const logger = { ...quiet, warn: (details: object) => (reported ||= "silent_ms" in details) };
  await supervised(
    async (supervisor) => {
      const runner = { processes: 1 };
      const slot = await supervisor.acquire(wish(1, { runner }));
      const run = slot.run(start("run_1", { act: "block", ms: 2000 }));
      await until(() => reported, "the process is silent");
      const other = await supervisor.acquire(wish(2, { runner }));
      assert.equal(other.pid, slot.pid);
      assert.equal(run.finished, true, "nobody was seated while it was silent");
    },
    { logger, limits: { seatSilenceMs: 300, hungAfterMs: 600 } },
  );
});

test("what a process prints is without its own secrets, also when those that come after it have others", async () => {
  const printed: string[] = [];
  await supervised(
    async (supervisor) => {
      const first = { env: { TOKEN: "first secret" }, secrets: ["first secret"] };
      const second = { env: { TOKEN: "second secret" }, secrets: ["second secret"] };
      const early = await supervisor.acquire(wish(1, first));
      const late = await supervisor.acquire(wish(1, second));
      assert.notEqual(early.pid, late.pid);
      for (const [n, slot] of [early, late].entries())
        await collect(slot.run(start(`run_${n}`, { act: "tell" })));
      await until(() => printed.length === 2, "both have printed");
      assert.deepEqual(printed, ["the token is ***", "the token is ***"]);
      // The same environment, of which more is secret now.
      late.release();
      const more = await supervisor.acquire(
        wish(1, { ...second, secrets: [...second.secrets, "production"] }),
      );
      assert.notEqual(more.pid, late.pid);
    },
    { onOutput: (line) => printed.push(line) },
  );
});

/** Guarantees 12 and 13: an agent that misbehaves costs its own run, and a reader that does not read costs nobody. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { after, before, beforeEach, describe, test } from "node:test";
import type { JsonObject } from "../../src/core/json.ts";
import type { Run } from "../../src/core/run.ts";
import { lives, ServerProcess } from "./server.ts";
import { until } from "./until.ts";

/** How long a healthy thread may take beside a sick one: a process may have to be loaded first. */
const HEALTHY_MS = 10_000;
/** What the server may grow by while an agent or a reader misbehaves. */
const MOST_GROWTH_MB = 150;

/** And young objects in little of it: what the server holds counts, not what is yet to be collected. */
const SMALL_HEAP = ["--max-old-space-size=128", "--max-semi-space-size=8"];
/** What the agent prints when it floods. */
const FLOOD_LINES = 100_000;
const agents = [
  { name: "Node", project: "test/projects/echo-faulty", aboveCeiling: /used more than 400 MB/ },
  // It looks at its memory itself, four times a second; on a busy machine what it told last may end it before.
  {
    name: "Python",
    project: "test/projects/python-echo-faulty",
    aboveCeiling: /ran out of memory|used more than 400 MB/,
  },
];

let server: ServerProcess;

for (const { name, project, aboveCeiling } of agents) {
  describe(`a LangGraph agent in ${name}`, () => {
    const servers: ServerProcess[] = [];
    const start = async () => {
      server = await ServerProcess.start({ project, nodeFlags: SMALL_HEAP });
      servers.push(server);
    };
    before(start);
    // What one test broke must not fail the next.
    beforeEach(() =>
      until("a run succeeds", async () => (await run({ act: "nothing" })).status === "succeeded", 30_000),
    );
    after(() => Promise.all(servers.map((one) => one.remove())));

    test("an agent that floods its output ends, and its events tell of every line", async () => {
      const before = server.residentMb();
      const flood = await accept({ act: "flood" });
      await assertOthersWork();
      const { status } = await ended(flood);
      assert.equal(status, "succeeded");
      let lines = 0;
      for await (const { type, data } of server.client().runEvents(flood.run_id)) {
        const { message = "" } = data as { message?: string };
        if (type === "log") lines += Number(/^(\d+) lines were dropped/.exec(message)?.[1] ?? 1);
      }
      assert.equal(lines, FLOOD_LINES, "every line is there, or said to be gone");
      assertBounded(before);
      await assertReady(flood.thread_id);
    });

    test("the run of an agent that exits each time fails as worker_lost, with the exit code in its message", async () => {
      const exit = await accept({ act: "exit" });
      await assertOthersWork();
      const { status, error } = await ended(exit);
      assert.equal(status, "failed");
      assert.equal(error?.code, "worker_lost");
      assert.match(error.message, /exited with code 3/);
      await assertReady(exit.thread_id);
    });

    test("an agent in an endless loop is ended by a cancel, and the thread is free at once", async () => {
      const spin = await accept({ act: "spin" });
      const spinning = await begun(spin.run_id);
      await spins(spinning);
      await server.client().cancelRun(spin.run_id);
      assert.equal((await server.client().getThread(spin.thread_id)).status, "idle");
      await assertReady(spin.thread_id);
      assert.equal(lives(spinning), false, "the process in the endless loop still runs");
    });

    test("an agent that goes into an endless loop after its cancel was answered holds up no other run", async () => {
      const spin = await accept({ act: "spin_after_cancel" });
      const spinning = await begun(spin.run_id);
      await server.client().cancelRun(spin.run_id);
      await spins(spinning);
      try {
        await assertReady(spin.thread_id);
      } finally {
        if (lives(spinning)) process.kill(spinning, "SIGKILL");
      }
    });

    test("an agent in an endless loop is ended by the run's time limit", async () => {
      const spin = await accept({ act: "spin" }, 1);
      await assertOthersWork();
      const { status, error } = await ended(spin);
      assert.equal(status, "failed");
      assert.equal(error?.code, "run_timeout");
      assert.match(error.message, /longer than 1 s/);
      await assertReady(spin.thread_id);
    });

    test("a stopped agent process is ended by the run's time limit", async () => {
      const stop = await accept({ act: "stop" }, 1);
      await assertOthersWork();
      const { error } = await ended(stop);
      assert.equal(error?.code, "run_timeout");
      await assertReady(stop.thread_id);
    });

    test("an agent that fills its heap is ended, and the run's error names memory_mb", async () => {
      const leak = await accept({ act: "leak" });
      await assertOthersWork();
      const { status, error } = await ended(leak);
      assert.equal(status, "failed");
      assert.equal(error?.code, "worker_lost");
      assert.match(error.message, /ran out of memory \(memory_mb = 96\)/);
      await assertReady(leak.thread_id);
    });

    test("an agent that fills memory outside its heap is ended at its ceiling", async () => {
      const leak = await accept({ act: "leak_buffers" });
      await assertOthersWork();
      const { error } = await ended(leak);
      assert.equal(error?.code, "worker_lost");
      assert.match(error.message, aboveCeiling);
      await assertReady(leak.thread_id);
    });

    test("an agent in an endless loop does not outlive a server that was killed", async () => {
      const spin = await accept({ act: "spin" });
      const spinning = await begun(spin.run_id);
      await spins(spinning);
      await server.kill();
      await server.start();
      try {
        await until("the agent process of the killed server has ended", () => !lives(spinning));
      } finally {
        if (lives(spinning)) process.kill(spinning, "SIGKILL");
        await server.client().cancelRun(spin.run_id);
      }
      await assertReady(spin.thread_id);
    });

    test("readers that never read cost bounded memory and delay no other", async (t) => {
      const readers = 40;
      const events = 20_000;
      await start();
      await run({ act: "nothing" });
      const before = server.residentMb();
      const { thread_id, run_id } = await accept({ act: "speak", events, step_size: 2_000, size: 1_000 });
      const sockets = Array.from({ length: readers }, () => {
        const socket = connect(Number(new URL(server.url).port), "127.0.0.1").pause();
        socket.on("error", () => undefined);
        socket.write(
          `GET /v1/runs/${run_id}/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${server.apiKey}\r\n\r\n`,
        );
        return socket;
      });
      await Promise.all(sockets.map((socket) => once(socket, "connect")));
      let seen = 0;
      for await (const { type } of server.client().runEvents(run_id)) if (type === "custom") seen++;
      // One more says what the agent is about to do.
      assert.equal(seen, events + 1);
      const growth = server.residentMb() - before;
      t.diagnostic(
        `${readers} readers that read nothing of ${events / 1_000} MB: the server grew by ${Math.round(growth)} MB`,
      );
      // Unbounded, they would hold 800 MB.
      assert.ok(growth < MOST_GROWTH_MB, `the server grew by ${Math.round(growth)} MB`);
      for (const socket of sockets) socket.destroy();
      await assertReady(thread_id);
    });
  });
}

type Accepted = { thread_id: string; run_id: string };

async function accept(input: JsonObject, timeout_s = 60): Promise<Accepted> {
  const client = server.client();
  const { thread_id } = await client.createThread({ deployment_id: server.deployment_id });
  const config = { recursion_limit: 1_000 };
  const { run_id } = await client.createRun(thread_id, { input, config, timeout_s });
  return { thread_id, run_id };
}

async function ended({ run_id }: Accepted): Promise<Run> {
  for await (const _ of server.client().runEvents(run_id));
  return server.client().getRun(run_id);
}

async function run(input: JsonObject): Promise<Run> {
  return ended(await accept(input));
}

/** Resolves once the agent is about to do what it was asked, with the id of its process. */
async function begun(run_id: string): Promise<number> {
  for await (const { type, data } of server.client().runEvents(run_id)) {
    if (type === "custom") return (data as { pid: number }).pid;
  }
  throw new Error(`${run_id} ended before it began`);
}

/** Resolves once a process has used a quarter of a second of processor time: it is in its endless loop. */
async function spins(pid: number): Promise<void> {
  const ticks = () => Number(readFileSync(`/proc/${pid}/stat`, "utf8").split(" ")[13]);
  const before = ticks();
  await until("the agent computes", () => ticks() > before + 25);
}

async function assertOthersWork(): Promise<void> {
  const started = performance.now();
  const { status, error } = await run({ act: "nothing" });
  assert.equal(status, "succeeded", `a run in another thread: ${error?.code} ${error?.message}`);
  const took = performance.now() - started;
  assert.ok(took < HEALTHY_MS, `a run in another thread took ${Math.round(took)} ms`);
}

/** The thread is not busy, and another run in it works. */
async function assertReady(thread_id: string): Promise<void> {
  const client = server.client();
  assert.notEqual((await client.getThread(thread_id)).status, "busy");
  const input = { act: "nothing", events: 0 };
  const { status, error } = await client.waitForRun(thread_id, { input }, { wait_s: HEALTHY_MS / 1000 });
  assert.equal(status, "succeeded", `the next run in the thread: ${error?.message}`);
}

function assertBounded(beforeMb: number): void {
  const growth = server.residentMb() - beforeMb;
  assert.ok(growth < MOST_GROWTH_MB, `the server grew by ${Math.round(growth)} MB`);
}

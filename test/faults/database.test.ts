/**
 * Guarantees 1, 4, 7 and 13 when PostgreSQL goes away, breaks off in the middle of commits, or has no space left: a function,
 * which nobody may run twice, goes on as if nothing had been.
 */
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { CrewshipClient } from "../../src/client/client.ts";
import type { StreamEvent } from "../../src/client/events.ts";
import type { JsonObject } from "../../src/core/json.ts";
import { LEASE_S } from "../../src/core/lease.ts";
import type { Run } from "../../src/core/run.ts";
import { smallDisk } from "../fixtures/disk.ts";
import { Cluster } from "../fixtures/postgres.ts";
import { projectFolder } from "../fixtures/server.ts";
import { persist } from "./campaign.ts";
import { Random } from "./random.ts";
import { lives, ServerProcess } from "./server.ts";
import { type CommitFate, Tunnel } from "./tunnel.ts";
import { until } from "./until.ts";

const seed = Number(process.env.CREWSHIP_FAULTS_SEED ?? 11);
/** Longer than a lease; CREWSHIP_FAULTS_AWAY_S=60 for a minute. */
const AWAY_MS = 1_000 * Number(process.env.CREWSHIP_FAULTS_AWAY_S ?? LEASE_S + 3);

const project = {
  "crewship.toml": `[deployment]\nname = "counter"\nframework = "function"\nentrypoint = "./agent.ts:agent"\n`,
  "package.json": `{"type":"module"}`,
  "agent.ts": `
import { setTimeout as pause } from "node:timers/promises";
export async function agent({ events, pause_ms, size = 0 }: any, context: any) {
  for (let i = 0; i < events; i++) {
    context.emit({ i, text: "x".repeat(size) });
    await pause(pause_ms);
  }
  context.state.runs = (context.state.runs ?? 0) + 1;
  return { events };
}
`,
};

let cluster: Cluster;
before(async () => {
  cluster = await Cluster.start({ durable: true });
});
after(() => cluster.remove());

/** Nodes over one database, each behind a tunnel of its own. */
async function startNodes(t: TestContext, count: number, database: string) {
  const folder = projectFolder(t, project);
  const nodes: { server: ServerProcess; tunnel: Tunnel }[] = [];
  for (let n = 0; n < count; n++) {
    const tunnel = await Tunnel.to(cluster.port);
    const server = await ServerProcess.start({ project: folder, databaseUrl: tunnel.through(database) });
    nodes.push({ server, tunnel });
    t.after(async () => {
      await server.remove();
      tunnel.close();
    });
  }
  return nodes;
}

/** What a reader saw of a run that counted to `events`, each once; a repeat or a gap is a violation. */
function assertCounted(run: Run, events: readonly StreamEvent[], count: number): void {
  assert.equal(run.status, "succeeded", JSON.stringify(run.error));
  assert.deepEqual(
    events.map(({ id }) => Number(id)),
    events.map((_, i) => i + 1),
  );
  const counted = events.flatMap(({ type, data }) => (type === "custom" ? [(data as { i: number }).i] : []));
  assert.deepEqual(
    counted,
    Array.from({ length: count }, (_, i) => i),
  );
  assert.equal(events.at(-1)?.type, "run.completed");
}

async function eventsOf(client: CrewshipClient, run_id: string): Promise<StreamEvent[]> {
  const seen: StreamEvent[] = [];
  for await (const event of client.runEvents(run_id)) seen.push(event);
  return seen;
}

async function begin(server: ServerProcess, input: JsonObject) {
  const client = server.client();
  const { thread_id } = await client.createThread({ deployment_id: server.deployment_id });
  const { run_id } = await client.createRun(thread_id, { input });
  return { thread_id, run_id };
}

test("connections that break in the middle of commits lose nothing, and nothing is stored or begun twice", async (t) => {
  const THREADS = 8;
  const RUNS = 4;
  const EVENTS = 40;
  t.diagnostic(`CREWSHIP_FAULTS_SEED=${seed}`);
  const [node] = await startNodes(t, 1, await cluster.createDatabase());
  const { server, tunnel } = node!;
  const random = new Random(seed);
  const fates: CommitFate[] = [];
  tunnel.atCommit = () => {
    const draw = random.next();
    const fate = draw < 0.1 ? "is lost" : draw < 0.2 ? "is not answered" : "passes";
    fates.push(fate);
    return fate;
  };
  const client = server.client();
  await Promise.all(
    Array.from({ length: THREADS }, async (_, name) => {
      const { deployment_id } = server;
      const { thread_id } = await persist(() =>
        client.createThread({ deployment_id }, { idempotencyKey: `thread ${name}` }),
      );
      for (let n = 1; n <= RUNS; n++) {
        const input = { events: EVENTS, pause_ms: 5 };
        const { run_id } = await persist(() =>
          client.createRun(thread_id, { input }, { idempotencyKey: `run ${name} ${n}` }),
        );
        const seen = await persist(() => eventsOf(client, run_id));
        assertCounted(await persist(() => client.getRun(run_id)), seen, EVENTS);
        const thread = await persist(() => client.getThread(thread_id));
        assert.deepEqual([thread.status, thread.values], ["idle", { runs: n }]);
      }
    }),
  );
  const count = (fate: CommitFate) => fates.filter((one) => one === fate).length;
  t.diagnostic(
    `${fates.length} commits: ${count("is lost")} lost, ${count("is not answered")} made but not answered`,
  );
  assert.ok(count("is lost") > 20 && count("is not answered") > 20, "too few were cut");
});

test("while the database is away a node answers 503 with Retry-After, and then all goes on: requests, runs, readers", async (t) => {
  const EVENTS = 100;
  const nodes = await startNodes(t, 2, await cluster.createDatabase());
  const [{ server }, { server: other }] = nodes as [(typeof nodes)[0], (typeof nodes)[0]];
  const client = server.client();
  const { run_id, thread_id } = await begin(server, { events: EVENTS, pause_ms: 50 });
  const reading = Promise.all([eventsOf(client, run_id), eventsOf(other.client(), run_id)]);
  await until("the run counts", async () => (await countOf(run_id)) > 10);
  const headers = { authorization: `Bearer ${server.apiKey}`, "content-type": "application/json" };
  const ask = (path: string, init = {}) => fetch(server.url + path, { headers, ...init });

  await cluster.stop();
  const back = Date.now() + AWAY_MS;
  for (const [path, init] of [
    [`/v1/threads/${thread_id}`, {}],
    [`/v1/runs/${run_id}`, {}],
    ["/v1/threads", { method: "POST", body: JSON.stringify({ deployment_id: server.deployment_id }) }],
    ["/readyz", {}],
  ] as const) {
    const answer = await ask(path, init);
    assert.equal(answer.status, 503, path);
    assert.ok(Number(answer.headers.get("retry-after")) > 0, path);
    const { error } = (await answer.json()) as { error: { code: string; message: string } };
    assert.equal(error.code, "unavailable");
    assert.match(error.message, /database (cannot be reached|does not answer)/);
  }
  assert.equal((await ask("/healthz")).status, 200);
  await pause(Math.max(0, back - Date.now()));
  await cluster.start();

  for (const events of await reading) {
    const run = await client.getRun(run_id);
    assertCounted(run, events, EVENTS);
    assert.equal(run.attempt, 1, "it was begun again");
  }
  assert.ok(lives(server.pid) && lives(other.pid));
  const next = await begin(other, { events: 1, pause_ms: 0 });
  const counted = await eventsOf(client, next.run_id);
  assertCounted(await client.getRun(next.run_id), counted, 1);

  async function countOf(id: string): Promise<number> {
    let seen = 0;
    const leave = AbortSignal.timeout(100);
    try {
      for await (const _ of client.runEvents(id, { signal: leave })) seen++;
    } catch (error) {
      if (!leave.aborted) throw error;
    }
    return seen;
  }
});

test("on a full disk of the database a write is a 503 that says so, a run waits, and with space all goes on", async (t) => {
  const EVENTS = 60;
  const disk = smallDisk(t, 24);
  if (!disk) return;
  cluster.own(disk);
  await cluster.run(`create tablespace small location '${disk}'`);
  const database = await cluster.createDatabase("small");
  const [node] = await startNodes(t, 1, database);
  const { server } = node!;
  const client = server.client();
  const ballast = join(disk, "ballast");
  const { run_id } = await begin(server, { events: EVENTS, pause_ms: 100, size: 20_000 });
  const reading = eventsOf(client, run_id);
  writeFileSync(ballast, "");
  await until("the disk is full", async () => {
    fill(ballast);
    return client
      .createThread({ deployment_id: server.deployment_id, metadata: { text: "x".repeat(100_000) } })
      .then(
        () => false,
        (error: { status?: number; message: string }) => {
          assert.equal(error.status, 503, error.message);
          assert.match(error.message, /disk is full/);
          return true;
        },
      );
  });
  assert.equal((await client.getRun(run_id)).status, "running", "reads are answered");
  await pause(1_000 * (LEASE_S + 2));
  rmSync(ballast);
  const events = await reading;
  assertCounted(await client.getRun(run_id), events, EVENTS);
});

/** Until nothing more fits. */
function fill(path: string): void {
  try {
    for (;;) writeFileSync(path, Buffer.alloc(64 * 1024), { flag: "a" });
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOSPC") throw error;
  }
}

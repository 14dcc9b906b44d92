/** Guarantee 7: whoever reads, however often the connection or the server breaks, sees every event once, in order. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { CrewshipClient } from "../../src/client/client.ts";
import type { StreamEvent } from "../../src/client/events.ts";
import { isLastEvent } from "../../src/core/moves.ts";
import { persist } from "./campaign.ts";
import { Random } from "./random.ts";
import { ServerProcess } from "./server.ts";
import { until } from "./until.ts";

const EVENTS = 3_000;
const STEP = 100;
const KILL_AFTER = [900, 2_000];
const seed = Number(process.env.CREWSHIP_FAULTS_SEED ?? 7);

test("two readers of a run see every event once and in order, though one reconnects at random and the server is killed twice", async (t) => {
  t.diagnostic(`CREWSHIP_FAULTS_SEED=${seed}`);
  const server = await ServerProcess.start({ project: "test/projects/echo-faulty" });
  t.after(() => server.remove());
  const client = server.client();
  const { thread_id } = await client.createThread({ deployment_id: server.deployment_id });
  const { run_id } = await client.createRun(thread_id, {
    input: { act: "speak", events: EVENTS, step_size: STEP, pause_ms: 10 },
    config: { recursion_limit: 100 },
  });

  const steady: StreamEvent[] = [];
  const restless: StreamEvent[] = [];
  const inThread: StreamEvent[] = [];
  const reading = Promise.all([
    readThrough(client, run_id, steady),
    readInPieces(client, run_id, restless, new Random(seed)),
    readThread(client, thread_id, inThread),
  ]);
  for (const seen of KILL_AFTER) {
    await until(`${seen} events were seen`, () => steady.length >= seen, 60_000);
    await server.kill();
    await server.start();
  }
  const connections = await reading;
  t.diagnostic(`${steady.length} events; the restless reader made ${connections[1]} connections`);

  assert.equal(steady.at(-1)!.type, "run.completed");
  assert.deepEqual(
    steady.map(({ id }) => Number(id)),
    steady.map((_, i) => i + 1),
    "the numbers are not gapless from 1",
  );
  assert.deepEqual(restless, steady);
  assert.deepEqual(
    inThread.map(({ id, ...event }) => ({ id: id.replace(/^1-/, ""), ...event })),
    steady,
  );
  const again: StreamEvent[] = [];
  await readThrough(client, run_id, again);
  assert.deepEqual(again, steady, "a reader who comes after the end reads something else");
  assert.equal(steady.filter(({ type }) => type === "run.restarted").length, KILL_AFTER.length);
  assertContent(steady);
});

test("readers that do not read cost the server little, delay nobody, and go on where they stopped", async (t) => {
  const EVENTS = 6_000;
  const SIZE = 10_000;
  const READERS = 10;
  const server = await ServerProcess.start({ project: "test/projects/echo-faulty" });
  t.after(() => server.remove());
  const client = server.client();
  const { thread_id } = await client.createThread({ deployment_id: server.deployment_id });
  const say = async (events: number) =>
    client.createRun(thread_id, {
      input: { act: "speak", events, sent: 0, step_size: STEP, size: SIZE },
      config: { recursion_limit: 100 },
    });
  // What a first run costs is not the readers'.
  await readThrough(client, (await say(EVENTS / 2)).run_id, []);
  const before = residentBytes(server.pid);
  const { run_id } = await say(EVENTS);
  const deaf = await Promise.all(Array.from({ length: READERS }, () => deafReader(server, run_id)));
  const steady: StreamEvent[] = [];
  await readThrough(client, run_id, steady);
  assert.equal(steady.at(-1)!.type, "run.completed");
  const grown = residentBytes(server.pid) - before;
  const owed = READERS * EVENTS * SIZE;
  t.diagnostic(`${READERS} readers are owed ${megabytes(owed)}; the server grew by ${megabytes(grown)}`);
  assert.ok(grown < owed / 2, `the server grew by ${megabytes(grown)}`);
  for (const reader of deaf.slice(0, 3)) {
    const seen: StreamEvent[] = [];
    const after = await reader.lastId();
    for await (const event of client.runEvents(run_id, { after })) seen.push(event);
    const at = steady.findIndex(({ id }) => id === after);
    assert.deepEqual(seen, steady.slice(at + 1));
  }
});

test("200 readers that read slowly delay nobody, cost the server little, and each gets every event once", async (t) => {
  const EVENTS = 2_000;
  const SIZE = 1_000;
  const READERS = 200;
  const server = await ServerProcess.start({
    project: "test/projects/echo-faulty",
    // What is held counts, not what is yet to be collected.
    nodeFlags: ["--max-old-space-size=192", "--max-semi-space-size=8"],
  });
  t.after(() => server.remove());
  const client = server.client();
  const say = async (events: number) => {
    const { thread_id } = await client.createThread({ deployment_id: server.deployment_id });
    return client.createRun(thread_id, {
      input: { act: "speak", events, step_size: STEP, size: SIZE },
      config: { recursion_limit: 100 },
    });
  };
  await readThrough(client, (await say(EVENTS / 2)).run_id, []);
  const before = residentBytes(server.pid);
  const { run_id } = await say(EVENTS);
  const readers = Promise.all(Array.from({ length: READERS }, () => slowReader(server, run_id)));
  const steady: StreamEvent[] = [];
  const started = performance.now();
  await readThrough(client, run_id, steady);
  const tookMs = Math.round(performance.now() - started);
  const grown = residentBytes(server.pid) - before;
  const texts = new Set(await readers);
  const owed = READERS * EVENTS * SIZE;
  t.diagnostic(
    `${READERS} slow readers are owed ${megabytes(owed)}; one beside them had all after ${tookMs} ms; the server grew by ${megabytes(grown)}`,
  );
  assert.equal(texts.size, 1, "readers read different things");
  const ids = [...[...texts][0]!.matchAll(/^id: (\d+)$/gm)].map(([, id]) => id);
  assert.deepEqual(
    ids,
    steady.map(({ id }) => id),
  );
  assert.ok(grown < owed / 2, `the server grew by ${megabytes(grown)}`);
});

/** The frames of a whole stream without its heartbeats, taken 64 KB at a time at most, with a pause after each. */
async function slowReader(server: ServerProcess, run_id: string): Promise<string> {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  await once(socket, "connect");
  const headers = `Host: x\r\nAuthorization: Bearer ${server.apiKey}\r\nConnection: close\r\n`;
  socket.write(`GET /v1/runs/${run_id}/events HTTP/1.0\r\n${headers}\r\n`);
  let text = "";
  for await (const bytes of socket) {
    text += bytes;
    await pause(50);
  }
  return text.slice(text.indexOf("\r\n\r\n")).replace(/^: heartbeat\n\n/gm, "");
}

const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;

function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) * 1024;
}

/** Asks for the run's events and reads nothing; `lastId` takes what has come on the way and leaves. */
async function deafReader(server: ServerProcess, run_id: string) {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  await once(socket, "connect");
  socket.pause();
  const headers = `Host: x\r\nAuthorization: Bearer ${server.apiKey}\r\n`;
  socket.write(`GET /v1/runs/${run_id}/events HTTP/1.1\r\n${headers}\r\n`);
  return {
    async lastId(): Promise<string | undefined> {
      let text = "";
      for await (const chunk of socket.setEncoding("utf8")) {
        text += chunk;
        if (text.length > 200_000) break;
      }
      socket.destroy();
      return [...text.matchAll(/^id: (\d+)\ndata: .*\n\n/gm)].at(-1)?.[1];
    },
  };
}

/** Between restarts the agent's own count goes on by one; a restart goes back to a step's beginning, never ahead. */
function assertContent(events: readonly StreamEvent[]): void {
  let next = 0;
  let restarted = false;
  for (const { type, data } of events) {
    if (type === "run.restarted") restarted = true;
    if (type !== "custom") continue;
    const { i } = data as { i?: number };
    if (i === undefined) continue;
    if (restarted) {
      assert.ok(i <= next && i % STEP === 0, `after a restart came ${i} where at most ${next} was due`);
      next = i;
      restarted = false;
    }
    assert.equal(i, next++);
  }
  assert.equal(next, EVENTS);
}

async function readThrough(client: CrewshipClient, run_id: string, seen: StreamEvent[]): Promise<void> {
  for await (const event of client.runEvents(run_id)) seen.push(event);
}

async function readThread(client: CrewshipClient, thread_id: string, seen: StreamEvent[]): Promise<void> {
  for await (const event of client.threadEvents(thread_id)) {
    seen.push(event);
    if (isLastEvent(event.type)) return;
  }
}

/** Leaves after a random number of events and comes back with the id of the last one. */
async function readInPieces(
  client: CrewshipClient,
  run_id: string,
  seen: StreamEvent[],
  random: Random,
): Promise<number> {
  let connections = 0;
  while (!isLastEvent(seen.at(-1)?.type ?? "")) {
    await persist(async () => {
      connections++;
      let left = Math.floor(random.between(1, 120));
      for await (const event of client.runEvents(run_id, { after: seen.at(-1)?.id })) {
        seen.push(event);
        if (--left === 0) return;
      }
    });
  }
  return connections;
}

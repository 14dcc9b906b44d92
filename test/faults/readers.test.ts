/** Guarantee 7: whoever reads, however often the connection or the server breaks, sees every event once, in order. */
import assert from "node:assert/strict";
import { test } from "node:test";
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

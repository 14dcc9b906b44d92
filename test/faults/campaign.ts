/** Many clients talk to one server, each in a thread of its own, while something kills its processes. */
import { setTimeout as pause } from "node:timers/promises";
import type { CrewshipClient } from "../../src/client/client.ts";
import { ApiError, ConnectionError } from "../../src/client/errors.ts";
import { isLastEvent, isOver } from "../../src/core/moves.ts";
import type { Acknowledged } from "./checker.ts";
import type { Random } from "./random.ts";
import type { ServerProcess } from "./server.ts";

export type CampaignOptions = {
  clients: number;
  /** Runs that each client makes, unless the time is over first. */
  turns: number;
  limitMs: number;
  random: Random;
  /** The part of the runs that is canceled right after it was accepted. */
  cancels: number;
  /** Kill the server or an agent process about every second. */
  kills: boolean;
};

export type Kill = { kind: "server" | "agent"; at: number };
export type CampaignReport = {
  acknowledged: Acknowledged[];
  kills: Kill[];
  /** Every agent process that was seen. */
  agents: Set<number>;
  /** The longest time in which no client finished a turn, in ms. */
  longestStandstillMs: number;
  durationMs: number;
};

/** Pause before each kill: about a second, and every moment of a recovery is met by some. */
const LEAST_PAUSE_MS = 100;
const MOST_PAUSE_MS = 1_900;
/**
 * Most kills wait until somebody got an answer since the one before. Without, a machine that recovers more slowly than
 * it is killed tests nothing but how three fruitless attempts end.
 */
const IMPATIENT_PART = 0.25;
const MOST_WAIT_MS = 8_000;
/** How long a client tries again what the server did not answer. */
const PATIENCE_MS = 60_000;
const RETRY_MS = 50;

export async function campaign(server: ServerProcess, options: CampaignOptions): Promise<CampaignReport> {
  const started = performance.now();
  const report: CampaignReport = {
    acknowledged: [],
    kills: [],
    agents: new Set(),
    longestStandstillMs: 0,
    durationMs: 0,
  };
  let lastTurn = started;
  const turnDone = () => {
    const now = performance.now();
    report.longestStandstillMs = Math.max(report.longestStandstillMs, now - lastTurn);
    lastTurn = now;
  };
  const over = new AbortController();
  // Drawn before anything runs: the order in which clients begin must not change their draws.
  const killer = options.random.fork();
  const draws = Array.from({ length: options.clients }, () => options.random.fork());
  const killing = options.kills
    ? killNowAndThen(server, killer, report, () => lastTurn, over.signal)
    : undefined;
  try {
    // What ends the killer early is a fault of the campaign, such as a server that does not come back.
    await Promise.race([
      Promise.all(draws.map((random, name) => converse(server, name, random, options, report, turnDone))),
      ...(killing ? [killing.then(() => new Promise<never>(() => {}))] : []),
    ]);
  } finally {
    over.abort();
    await killing;
  }
  for (const agent of await server.agents()) report.agents.add(agent);
  report.durationMs = performance.now() - started;
  return report;
}

async function killNowAndThen(
  server: ServerProcess,
  random: Random,
  report: CampaignReport,
  lastTurn: () => number,
  signal: AbortSignal,
): Promise<void> {
  for (let before = 0; ; before = performance.now()) {
    const deadline = performance.now() + MOST_WAIT_MS;
    const waits = random.next() >= IMPATIENT_PART;
    while (waits && !signal.aborted && lastTurn() < before && performance.now() < deadline)
      await pause(RETRY_MS);
    await pause(random.between(LEAST_PAUSE_MS, MOST_PAUSE_MS), undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    const agents = await server.agents();
    for (const agent of agents) report.agents.add(agent);
    const agent = random.next() < 0.5 ? random.pick(agents) : undefined;
    if (agent !== undefined) {
      report.kills.push({ kind: "agent", at: Date.now() });
      try {
        process.kill(agent, "SIGKILL");
      } catch {
        // It ended by itself between the look and the kill: nothing was killed.
        report.kills.pop();
      }
    } else {
      report.kills.push({ kind: "server", at: Date.now() });
      await server.kill();
      await server.start();
    }
  }
}

/** One client: makes its thread and its runs, one after another, each with a key that makes a repeat harmless. */
async function converse(
  server: ServerProcess,
  name: number,
  random: Random,
  { turns, limitMs, cancels }: CampaignOptions,
  report: CampaignReport,
  turnDone: () => void,
): Promise<void> {
  const client = server.client();
  const { deployment_id } = server;
  const { thread_id } = await persist(() =>
    client.createThread({ deployment_id, metadata: { client: name } }, { idempotencyKey: `thread ${name}` }),
  );
  const end = performance.now() + limitMs;
  for (let turn = 1; turn <= turns && performance.now() < end; turn++) {
    const message = { id: `${name}-${turn}`, content: `client ${name} says ${random.next()}` };
    const input = { messages: [{ type: "human", ...message }] };
    const options = { idempotencyKey: `run ${name} ${turn}` };
    const draw = random.next();
    let run_id: string;
    if (draw < 0.5) {
      const run = await persist(async () => {
        const answered = await client.waitForRun(thread_id, { input }, options);
        if (!isOver(answered.status)) throw new NotYet(`${answered.id} is ${answered.status}`);
        return answered;
      });
      run_id = run.id;
    } else {
      ({ run_id } = await persist(() => client.createRun(thread_id, { input }, options)));
      if (draw > 1 - cancels) await persist(() => cancel(client, run_id));
      await persist(() => follow(client, run_id));
    }
    report.acknowledged.push({ run_id, thread_id, message });
    turnDone();
  }
}

/** A run that is over already cannot be canceled, which is right. */
async function cancel(client: CrewshipClient, run_id: string): Promise<void> {
  try {
    await client.cancelRun(run_id);
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 400)) throw error;
  }
}

/** Reads a run's events to the last; they must come in order. */
async function follow(client: CrewshipClient, run_id: string): Promise<void> {
  let seq = 0;
  for await (const event of client.runEvents(run_id)) {
    if (Number(event.id) !== ++seq) throw new Error(`${run_id}: event ${event.id} came where ${seq} was due`);
    if (isLastEvent(event.type)) return;
  }
  throw new Error(`${run_id}: the stream ended without a last event`);
}

class NotYet extends Error {}

/** Repeats what a killed server did not answer. Any other refusal is a fault of the server, and thrown. */
export async function persist<T>(work: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      // fetch rejects with a TypeError when the connection breaks while the body is read.
      const passing =
        error instanceof ConnectionError ||
        error instanceof NotYet ||
        error instanceof TypeError ||
        (error instanceof ApiError && error.status >= 500);
      if (!passing || Date.now() > deadline) throw error;
      await pause(RETRY_MS);
    }
  }
}

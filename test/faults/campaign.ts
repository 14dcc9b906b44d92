/** Many clients talk to servers, each in a thread of its own, while something harms them. */
import { setTimeout as pause } from "node:timers/promises";
import type { CrewshipClient } from "../../src/client/client.ts";
import { ApiError, ConnectionError } from "../../src/client/errors.ts";
import { isLastEvent, isOver } from "../../src/core/moves.ts";
import type { Acknowledged } from "./checker.ts";
import type { Random } from "./random.ts";

/** Whom the clients talk to: a server, or each time any of several nodes. */
export type Target = { client(): CrewshipClient; readonly deployment_id: string };

/** Harms the target until the signal aborts. `lastTurn`: when a client finished a turn, by performance.now(). */
export type Harm = (random: Random, lastTurn: () => number, signal: AbortSignal) => Promise<void>;

export type CampaignOptions = {
  clients: number;
  /** Runs that each client makes, unless the time is over first. */
  turns: number;
  limitMs: number;
  random: Random;
  /** The part of the runs that is canceled right after it was accepted. */
  cancels: number;
  harm?: Harm;
  /** Told of each turn that was answered. */
  onTurn?: (run_id: string) => void;
};

export type CampaignReport = {
  acknowledged: Acknowledged[];
  /** The longest time in which no client finished a turn, in ms. */
  longestStandstillMs: number;
  durationMs: number;
};

/** How long a client tries again what the server did not answer. */
const PATIENCE_MS = 60_000;
const RETRY_MS = 50;

export async function campaign(target: Target, options: CampaignOptions): Promise<CampaignReport> {
  const started = performance.now();
  const report: CampaignReport = { acknowledged: [], longestStandstillMs: 0, durationMs: 0 };
  let lastTurn = started;
  const turnDone = () => {
    const now = performance.now();
    report.longestStandstillMs = Math.max(report.longestStandstillMs, now - lastTurn);
    lastTurn = now;
  };
  const over = new AbortController();
  // Drawn before anything runs: the order in which clients begin must not change their draws.
  const harmful = options.random.fork();
  const draws = Array.from({ length: options.clients }, () => options.random.fork());
  const harming = options.harm?.(harmful, () => lastTurn, over.signal);
  try {
    // What ends the harm early is a fault of the campaign, such as a server that does not come back.
    await Promise.race([
      Promise.all(draws.map((random, name) => converse(target, name, random, options, report, turnDone))),
      ...(harming ? [harming.then(() => new Promise<never>(() => {}))] : []),
    ]);
  } finally {
    over.abort();
    await harming;
  }
  report.durationMs = performance.now() - started;
  return report;
}

/** One client: makes its thread and its runs, one after another, each with a key that makes a repeat harmless. */
async function converse(
  target: Target,
  name: number,
  random: Random,
  { turns, limitMs, cancels, onTurn }: CampaignOptions,
  report: CampaignReport,
  turnDone: () => void,
): Promise<void> {
  const { deployment_id } = target;
  const { thread_id } = await persist(() =>
    target
      .client()
      .createThread({ deployment_id, metadata: { client: name } }, { idempotencyKey: `thread ${name}` }),
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
        const answered = await target.client().waitForRun(thread_id, { input }, options);
        if (!isOver(answered.status)) throw new NotYet(`${answered.id} is ${answered.status}`);
        return answered;
      });
      run_id = run.id;
    } else {
      ({ run_id } = await persist(() => target.client().createRun(thread_id, { input }, options)));
      if (draw > 1 - cancels) await persist(() => cancel(target.client(), run_id));
      await persist(() => follow(target.client(), run_id));
    }
    report.acknowledged.push({ run_id, thread_id, message });
    onTurn?.(run_id);
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

/** Kills of one server and of its agent processes, at moments of all kinds. */
import { setTimeout as pause } from "node:timers/promises";
import type { Harm } from "./campaign.ts";
import type { Random } from "./random.ts";
import type { ServerProcess } from "./server.ts";

/** `until`: when what was taken away for a while was back. */
export type Kill = { kind: string; at: number; until?: number; held?: Held | undefined };
/** The runs whose leases a dead node had, and when that was looked up. */
export type Held = { at: number; runs: string[] };
export type Kills = {
  at: Kill[];
  /** Every agent process that was seen. */
  agents: Set<number>;
  harm: Harm;
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
const LOOK_MS = 50;

/** Kills the server or one of its agent processes about every second. */
export function killsOf(server: ServerProcess): Kills {
  const kills: Kills = { at: [], agents: new Set(), harm };
  return kills;

  async function harm(random: Random, lastTurn: () => number, signal: AbortSignal): Promise<void> {
    for (let before = 0; ; before = performance.now()) {
      const deadline = performance.now() + MOST_WAIT_MS;
      const waits = random.next() >= IMPATIENT_PART;
      while (waits && !signal.aborted && lastTurn() < before && performance.now() < deadline)
        await pause(LOOK_MS);
      await pause(random.between(LEAST_PAUSE_MS, MOST_PAUSE_MS), undefined, { signal }).catch(
        () => undefined,
      );
      if (signal.aborted) return;
      const agents = await server.agents();
      for (const agent of agents) kills.agents.add(agent);
      const agent = random.next() < 0.5 ? random.pick(agents) : undefined;
      if (agent !== undefined) {
        kills.at.push({ kind: "agent", at: Date.now() });
        try {
          process.kill(agent, "SIGKILL");
        } catch {
          // It ended by itself between the look and the kill: nothing was killed.
          kills.at.pop();
        }
      } else {
        kills.at.push({ kind: "server", at: Date.now() });
        await server.kill();
        await server.start();
      }
    }
  }
}

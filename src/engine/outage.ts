/** The database may be away for a while. What a run or a reader waits for then is asked for again. */
import { setTimeout as delay } from "node:timers/promises";
import { Problem } from "../core/problem.ts";
import type { Logger } from "./node.ts";

/** How long it may be away, and how often it is asked. */
const OUTAGE_MS = 10 * 60_000;
const ASK_AGAIN_MS = 500;

/** Asks until there is an answer other than `unavailable`, or the signal aborts. `again`: an earlier one may have worked. */
export async function outlast<T>(signal: AbortSignal, ask: (again: boolean) => Promise<T>): Promise<T> {
  const until = performance.now() + OUTAGE_MS;
  for (let again = false; ; again = true) {
    try {
      return await ask(again);
    } catch (error) {
      if (!isUnavailable(error) || performance.now() > until) throw error;
      await delay(ASK_AGAIN_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) throw error;
    }
  }
}

export function isUnavailable(error: unknown): boolean {
  return error instanceof Problem && error.code === "unavailable";
}

/** For loops that try again by themselves: that the database is away is told once, by the sweep. */
export function logFailure(logger: Logger, error: unknown, message: string, details: object = {}): void {
  logger[isUnavailable(error) ? "debug" : "error"]({ ...details, error: String(error) }, message);
}

/** Waiting for something to look at. A hint may be lost, so every wait also ends by a slow timer. */
import type { Database } from "../store/database.ts";

/** How long a wait lasts when no hint comes: the price of a lost one. */
export const SLOW_TIMER_MS = 1_000;

/** `end` ends it early; every wait is ended, by whoever began it or by its timer. */
export type Wait = { over: Promise<void>; end: () => void };

export class Hints {
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #stop: () => void;

  constructor(database: Database) {
    this.#stop = database.listen((topic) => this.#wake(topic));
  }

  /**
   * A wait that is over when `topic` is hinted, after `timeout_ms`, or when the signal aborts. Begin it before you
   * look: then nothing committed between the look and the wait is missed.
   */
  wait(topic: string, signal?: AbortSignal, timeout_ms = SLOW_TIMER_MS): Wait {
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      const waiting = this.#waiting.get(topic);
      waiting?.delete(end);
      if (waiting?.size === 0) this.#waiting.delete(topic);
      resolve();
    };
    const timer = setTimeout(end, timeout_ms);
    const waiting = this.#waiting.get(topic) ?? new Set();
    this.#waiting.set(topic, waiting);
    waiting.add(end);
    if (signal?.aborted) end();
    else signal?.addEventListener("abort", end, { once: true });
    return { over: promise, end };
  }

  close(): void {
    this.#stop();
    for (const topic of [...this.#waiting.keys()]) this.#wake(topic);
  }

  #wake(topic: string): void {
    for (const wake of [...(this.#waiting.get(topic) ?? [])]) wake();
  }
}

/** Waits for a condition that no event announces. */
import { setTimeout as pause } from "node:timers/promises";

const LOOK_EVERY_MS = 25;

/** Resolves once `holds` says so; rejects with `what` when it has not within `limitMs`. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  limitMs = 10_000,
): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`After ${limitMs / 1000} s it is still not so that ${what}.`);
    await pause(LOOK_EVERY_MS);
  }
}

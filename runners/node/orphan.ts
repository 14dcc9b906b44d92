/**
 * Ends the process when the server is gone, also while the user's code blocks the main loop and so cannot notice that
 * the pipe broke: a thread of its own looks at the parent. Without it such a process would burn a core for ever.
 */
import { Worker } from "node:worker_threads";

const LOOK_MS = 1_000;

/** The process leads its group, so whatever it started goes too. */
const watch = `
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) process.kill(-process.pid, "SIGKILL");
}, ${LOOK_MS});
`;

export function endWithServer(): void {
  // Limits keep the thread's own heap small; it allocates nothing.
  new Worker(watch, {
    eval: true,
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
  }).unref();
}

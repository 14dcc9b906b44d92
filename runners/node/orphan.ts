/**
 * Ends the process when the server is gone, also while the user's code blocks the main loop and so cannot notice that
 * the pipe broke: a thread of its own looks at the parent. Without it such a process would burn a core for ever.
 */
import { Worker } from "node:worker_threads";

const LOOK_MS = 1_000;

/** The process leads its group, so whatever it started goes too. */
const watch = `
const { workerData } = require("node:worker_threads");
setInterval(() => {
  if (process.ppid !== workerData) process.kill(-process.pid, "SIGKILL");
}, ${LOOK_MS});
`;

export function endWithServer(): void {
  // Limits keep the thread's own heap small; it allocates nothing.
  new Worker(watch, {
    eval: true,
    // Looked up here: the thread may begin after the server is gone.
    workerData: process.ppid,
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
  }).unref();
}

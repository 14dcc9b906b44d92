/**
 * The heap of a server and of its agent processes after a full collection. `--import`ed into them by NODE_OPTIONS, this very
 * file answers SIGUSR2: it collects, and writes what is left to a file named after the process.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Not named CREWSHIP_…, which an agent process does not get. */
const FOLDER = "BENCH_HEAP_FOLDER";
const LIMIT_MS = 30_000;
const LOOK_MS = 20;

/** Environment of a server whose heap is to be looked at; `folder` is where the answers go. */
export const heapVariables = (folder: string) => ({
  [FOLDER]: folder,
  NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ""} --import=${import.meta.url}`.trim(),
});

/** MB in use in the process after a collection. */
export async function heapMb(folder: string, pid: number): Promise<number> {
  const file = join(folder, `heap-${pid}`);
  process.kill(pid, "SIGUSR2");
  for (const deadline = Date.now() + LIMIT_MS; Date.now() < deadline; await pause(LOOK_MS)) {
    try {
      const bytes = Number(readFileSync(file, "utf8"));
      if (bytes === 0) continue;
      rmSync(file);
      return bytes / 2 ** 20;
    } catch {
      // Not written yet.
    }
  }
  throw new Error(`process ${pid} did not say how large its heap is`);
}

const folder = process.env[FOLDER];
if (folder !== undefined) {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  process.on("SIGUSR2", () => {
    collect();
    // What only finalizers held goes with the second.
    setImmediate(() => {
      collect();
      writeFileSync(join(folder, `heap-${process.pid}`), String(process.memoryUsage().heapUsed));
    });
  });
}

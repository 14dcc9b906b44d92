/** How soon a server is ready: the packed package as it is installed, over data that is there. And what it holds when idle. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Case, spread } from "../measure.ts";

const STARTS = 20;
const WARM_UP = 3;
const IDLE_MS = 5_000;
const repository = fileURLToPath(new URL("../..", import.meta.url));

export const startCase: Case = {
  name: "start",
  async run() {
    const folder = mkdtempSync(join(tmpdir(), "crewship-start-"));
    try {
      execFileSync("npm", ["pack", "--silent", "--pack-destination", folder], { cwd: repository });
      const packed = readdirSync(folder).find((name) => name.endsWith(".tgz"))!;
      const flags = ["--no-audit", "--no-fund", "--prefer-offline", "--silent", "--prefix", folder];
      execFileSync("npm", ["install", ...flags, join(folder, packed)], { cwd: folder });
      const times: number[] = [];
      let idleMb = 0;
      for (let i = 0; i < WARM_UP + STARTS; i++) {
        const { readyMs, mb } = await start(folder, i === WARM_UP + STARTS - 1);
        if (i >= WARM_UP) times.push(readyMs);
        idleMb = mb;
      }
      return [
        {
          title: "start: `crewship serve` of the packed package, to its ready line (ms)",
          columns: ["", "p50", "p99", "samples", "target"],
          rows: [["crewship serve", ...spread(times), 500]],
          notes: [`idle for ${IDLE_MS / 1000} s it holds ${Math.round(idleMb)} MB (target: at most 120)`],
        },
      ];
    } finally {
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    }
  },
};

async function start(folder: string, stays: boolean): Promise<{ readyMs: number; mb: number }> {
  const program = join(folder, "node_modules/crewship/dist/src/cli/bin.js");
  const started = performance.now();
  const child = spawn(
    process.execPath,
    [program, "serve", "--json", "--port", "0", "--data", join(folder, "data")],
    {
      cwd: folder,
      stdio: ["ignore", "pipe", "ignore"],
      env: { ...process.env, XDG_CONFIG_HOME: join(folder, "config"), XDG_CACHE_HOME: join(folder, "cache") },
    },
  );
  try {
    await once(createInterface(child.stdout), "line", { signal: AbortSignal.timeout(30_000) });
    const readyMs = performance.now() - started;
    if (stays) await pause(IDLE_MS);
    const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
    return { readyMs, mb: Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024 };
  } finally {
    const exit = once(child, "exit");
    child.kill();
    await exit;
  }
}

/** How soon a server is ready: the packed package as it is installed, over data that is there. And what it holds when idle. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { lasting } from "../ends.ts";
import { type Case, median, spread, timed } from "../measure.ts";

const STARTS = 20;
const WARM_UP = 3;
const IDLE_MS = 5_000;
const repository = fileURLToPath(new URL("../..", import.meta.url));

export const startCase: Case<"start"> = {
  name: "start",
  about: "the packed package, installed: crewship serve to its ready line, and its memory when idle",
  async run({ say }) {
    const folder = await lasting(mkdtempSync(join(tmpdir(), "crewship-start-")), (folder) =>
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 }),
    );
    say("packs and installs");
    const npm = (args: string[], cwd: string) => promisify(execFile)("npm", args, { cwd });
    await npm(["pack", "--silent", "--pack-destination", folder], repository);
    const packed = readdirSync(folder).find((name) => name.endsWith(".tgz"))!;
    const flags = ["--no-audit", "--no-fund", "--prefer-offline", "--silent", "--prefix", folder];
    await npm(["install", ...flags, join(folder, packed)], folder);
    const times: number[] = [];
    const bareNode: number[] = [];
    let idleMb = 0;
    for (let i = 0; i < WARM_UP + STARTS; i++) {
      const { readyMs, mb } = await start(folder, i === WARM_UP + STARTS - 1);
      const bare = await timed(() => promisify(execFile)(process.execPath, ["-e", ""]));
      idleMb = mb;
      if (i < WARM_UP) continue;
      times.push(readyMs);
      bareNode.push(bare);
    }
    return {
      tables: [
        {
          title: "start: `crewship serve` of the packed package, to its ready line (ms)",
          columns: ["", "p50", "p99", "samples"],
          rows: [
            ["crewship serve", ...spread(times)],
            ["a Node that does nothing, to its end", ...spread(bareNode)],
          ],
          notes: [`idle for ${IDLE_MS / 1000} s it holds ${Math.round(idleMb)} MB`],
        },
      ],
      figures: {
        ready: { value: median(times), limit: `bare Node ${Math.round(median(bareNode))} ms` },
        memory: { value: idleMb, limit: "" },
      },
    };
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

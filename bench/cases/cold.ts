/** The first run of a version that has no warm process: what it costs over its own imports. */
import { execFileSync } from "node:child_process";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { newThread, turn } from "../http.ts";
import { type Case, median, spread, timed } from "../measure.ts";
import { startAgent } from "../server.ts";

const ROUNDS = 15;
const LOOK_MS = 20;

export const coldCase: Case<"cold"> = {
  name: "cold",
  about: "the first run of a version whose process is not there, over what its own imports take",
  async run() {
    const server = await startAgent("echo");
    const cold: number[] = [];
    const imports: number[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      for (const pid of await server.agents()) process.kill(pid, "SIGTERM");
      while ((await server.agents()).length > 0) await pause(LOOK_MS);
      const thread = await newThread(server);
      cold.push(await timed(() => turn(server, thread, "hello")));
      imports.push(importMs());
    }
    const [first, own] = [median(cold), median(imports)];
    return {
      tables: [
        {
          title: "cold: the first run of a version in Node whose process is not there (ms)",
          columns: ["", "p50", "p99", "samples"],
          rows: [
            ["POST runs/wait", ...spread(cold)],
            ["a bare process that imports the same graph", ...spread(imports)],
          ],
          notes: [],
        },
      ],
      figures: {
        node: {
          value: first - own,
          beside: `${Math.round(first)} ms`,
          limit: `bare imports ${Math.round(own)} ms`,
        },
      },
    };
  },
};

/** From the start of the process to the end of the import, as the process itself sees it. */
function importMs(): number {
  const graph = fileURLToPath(new URL("../agent/src/echo.ts", import.meta.url));
  const script = `await import(${JSON.stringify(graph)}); process.stdout.write(String(performance.now()))`;
  return Number(execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" }));
}

/** A turn of a Python agent, early and late in a conversation, with a shared process and with one forked for each run. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { preparePython } from "../../src/deploy/python_environment.ts";
import { findPython } from "../../src/deploy/python_interpreter.ts";
import { pythonCache, pythonVariables } from "../../test/fixtures/python.ts";
import { lasting } from "../ends.ts";
import { newThread, turn } from "../http.ts";
import { type Case, median, spread, timed } from "../measure.ts";
import { startServer } from "../server.ts";

const project = fileURLToPath(new URL("../python_agent", import.meta.url));
const LAST_TURN = 500;
/** Turns around each point that make its median, and threads whose first turn is taken. */
const AROUND = 10;
const FIRST_TURNS = 20;
const WARM_UP = 20;
const IMPORTS = 5;
const content = "question ".repeat(45).slice(0, 400);

type Child = ChildProcessByStdio<Writable, Readable, null>;
type Way = { name: string; open(): Promise<string>; take(thread: string): Promise<unknown> };

export const pythonTurnCase: Case<"python-turn"> = {
  name: "python-turn",
  about: `an echo graph in Python: turn 1 and turn ${LAST_TURN}, with a shared process, with one forked for each run, and bare`,
  async run({ say }) {
    const python = await prepare();
    const bare = await Bare.start(python);
    const way = async (name: string, deployment: string): Promise<Way> => {
      const server = await startServer({ project, name: deployment });
      return {
        name,
        open: () => newThread(server),
        take: (thread) => turn(server, thread, content),
      };
    };
    let made = 0;
    const ways = [
      await way("shared", "shared"),
      await way('isolation = "run"', "run"),
      {
        name: "bare graph.ainvoke, MemorySaver",
        open: async () => `thread ${++made}`,
        take: (thread: string) => bare.turn(thread),
      },
    ];
    const first: number[][] = ways.map(() => []);
    const last: number[][] = ways.map(() => []);
    const imports: number[] = [];
    for (let i = 0; i < WARM_UP + FIRST_TURNS; i++)
      for (const [w, { open, take }] of ways.entries()) {
        const thread = await open();
        const took = await timed(() => take(thread));
        if (i >= WARM_UP) first[w]!.push(took);
      }
    const long = await Promise.all(ways.map(({ open }) => open()));
    for (let i = 1; i <= LAST_TURN + AROUND; i++) {
      if (i % 100 === 0) say(`turn ${i}`);
      for (const [w, { take }] of ways.entries()) {
        const took = await timed(() => take(long[w]!));
        if (i >= LAST_TURN - AROUND) last[w]!.push(took);
      }
    }
    for (let i = 0; i < IMPORTS; i++) imports.push(await timed(() => importFramework(python)));
    const [shared, run, limit] = first.map(median) as [number, number, number];
    return {
      tables: [
        {
          title: "python-turn: POST runs/wait on a one-node echo graph, two messages of 400 bytes (ms)",
          columns: ["", "turn 1 p50", "p99", `turn ${LAST_TURN} p50`, "p99"],
          rows: ways.map(({ name }, w) => [
            name,
            ...spread(first[w]!).slice(0, 2),
            ...spread(last[w]!).slice(0, 2),
          ]),
          notes: [
            `a fresh process that imports LangGraph: ${median(imports).toFixed(0)} ms, which the fork saves`,
          ],
        },
      ],
      figures: {
        fork: {
          value: run - shared,
          beside: `${run.toFixed(1)} - ${shared.toFixed(1)} ms`,
          limit: `bare ${limit.toFixed(1)} ms`,
        },
      },
    };
  },
};

async function prepare(): Promise<string> {
  const environment = { ...process.env, ...pythonVariables() };
  const signal = AbortSignal.timeout(600_000);
  const interpreter = await findPython({ wanted: null, environment, signal });
  return preparePython({
    directory: project,
    interpreter,
    cacheFolder: pythonCache,
    environment,
    onProgress: () => {},
    signal,
  });
}

async function importFramework(python: string): Promise<void> {
  const child = spawn(python, ["-c", "import echo"], { cwd: project, stdio: "ignore" });
  await once(child, "exit");
}

/** The same graph with LangGraph's own MemorySaver, in a process that does nothing else. */
class Bare {
  readonly #child: Child;
  readonly #lines: Interface;

  private constructor(child: Child) {
    this.#child = child;
    this.#lines = createInterface(child.stdout);
  }

  static async start(python: string): Promise<Bare> {
    const child = spawn(python, ["bare.py"], { cwd: project, stdio: ["pipe", "pipe", "inherit"] });
    return new Bare(await lasting(child, (child) => child.kill()));
  }

  async turn(thread: string): Promise<void> {
    const answered = once(this.#lines, "line");
    this.#child.stdin.write(`${JSON.stringify({ thread, content })}\n`);
    await answered;
  }
}

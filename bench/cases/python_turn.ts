/** A turn of a Python agent, early and late in a conversation, with a shared process and with one forked for each run. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { preparePython } from "../../src/deploy/python_environment.ts";
import { findPython } from "../../src/deploy/python_interpreter.ts";
import { ServerProcess } from "../../test/faults/server.ts";
import { pythonCache, pythonVariables } from "../../test/fixtures/python.ts";
import { newThread, turn } from "../http.ts";
import { type Case, median, spread, timed } from "../measure.ts";

const project = fileURLToPath(new URL("../python_agent", import.meta.url));
const LAST_TURN = 500;
/** Turns around each point that make its median, and threads whose first turn is taken. */
const AROUND = 10;
const FIRST_TURNS = 20;
const WARM_UP = 20;
const IMPORTS = 5;
const content = "question ".repeat(45).slice(0, 400);

export const pythonTurnCase: Case = {
  name: "python-turn",
  async run() {
    const python = await prepare();
    const bare = new Bare(python);
    const servers = {
      shared: await ServerProcess.start({ project, name: "shared" }),
      run: await ServerProcess.start({ project, name: "run" }),
    };
    try {
      const ways = [
        ["shared", await measure((thread) => turn(servers.shared, thread, content), servers.shared)],
        ['isolation = "run"', await measure((thread) => turn(servers.run, thread, content), servers.run)],
        ["bare graph.ainvoke, MemorySaver", await measure((thread) => bare.turn(thread))],
      ] as const;
      const imports = Array.from({ length: IMPORTS }, () => 0);
      for (const i of imports.keys()) imports[i] = await timed(() => importFramework(python));
      const [shared, run] = ways;
      const fork = median(run[1].first) - median(shared[1].first);
      return [
        {
          title: `python-turn: POST runs/wait on a one-node echo graph, two messages of 400 bytes (ms)`,
          columns: ["", "turn 1 p50", "p99", `turn ${LAST_TURN} p50`, "p99"],
          rows: ways.map(([name, { first, last }]) => [
            name,
            ...spread(first).slice(0, 2),
            ...spread(last).slice(0, 2),
          ]),
          notes: [
            `a process forked for the run costs ${fork.toFixed(0)} ms (target: at most 80)`,
            `a fresh process that imports LangGraph: ${median(imports).toFixed(0)} ms, which the fork saves`,
          ],
        },
      ];
    } finally {
      await Promise.all([...Object.values(servers).map((server) => server.remove()), bare.stop()]);
    }
  },
};

/** First turns of new threads, and the last turns of one long thread. */
async function measure(take: (thread: string) => Promise<unknown>, server?: ServerProcess) {
  let made = 0;
  const open = async () => (server ? newThread(server) : `thread ${++made}`);
  for (let i = 0; i < WARM_UP; i++) await take(await open());
  const first: number[] = [];
  for (let i = 0; i < FIRST_TURNS; i++) {
    const thread = await open();
    first.push(await timed(() => take(thread)));
  }
  const long = await open();
  const last: number[] = [];
  for (let i = 1; i <= LAST_TURN + AROUND; i++) {
    const took = await timed(() => take(long));
    if (i >= LAST_TURN - AROUND) last.push(took);
  }
  return { first, last };
}

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
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: Interface;

  constructor(python: string) {
    this.#child = spawn(python, ["bare.py"], { cwd: project, stdio: ["pipe", "pipe", "inherit"] });
    this.#lines = createInterface(this.#child.stdout);
  }

  async turn(thread: string): Promise<void> {
    const answered = once(this.#lines, "line");
    this.#child.stdin.write(`${JSON.stringify({ thread, content })}\n`);
    await answered;
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, "exit");
    this.#child.stdin.end();
    await exited;
  }
}

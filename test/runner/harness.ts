/** Drives real agent processes over the real protocol, with threads kept in memory across processes. */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Framework } from "../../src/core/deployment.ts";
import type { Json } from "../../src/core/json.ts";
import {
  parseRunnerMessage,
  type RunnerMessage,
  type RunnerMessageOf,
  type RunStart,
  type ServerMessage,
} from "../../src/runner/protocol.ts";
import { MemoryLog } from "./memory_store.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const NODE_RUNNER = join(ROOT, "runners/node/main.ts");
const PYTHON_RUNNER = join(ROOT, "runners/python/main.py");
const DEADLINE_MS = 20_000;
/** Importing a framework takes seconds of processor time, on a machine that runs other tests beside. */
const LOAD_DEADLINE_MS = 90_000;

export const VERSIONS = ["1.7", "0.2"] as const;
export type Version = (typeof VERSIONS)[number];

const made: string[] = [];
const children = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
  for (const directory of made) rmSync(directory, { recursive: true, force: true });
});

/** A fresh copy of test/projects/NAME with the chosen LangGraph installed. */
export function project(name: string, version: Version = "1.7"): string {
  const directory = mkdtempSync(join(tmpdir(), `crewship-${name}-`));
  cpSync(join(ROOT, "test/projects", name), directory, { recursive: true });
  symlinkSync(nodeModules(version), join(directory, "node_modules"));
  made.push(directory);
  return directory;
}

export function nodeModules(version: Version): string {
  if (version === "1.7") return join(ROOT, "node_modules");
  const cache = join(ROOT, ".cache/langgraph-0.2");
  if (!existsSync(cache)) {
    const building = `${cache}.${process.pid}`;
    mkdirSync(building, { recursive: true });
    writeFileSync(
      join(building, "package.json"),
      JSON.stringify({
        private: true,
        dependencies: {
          "@langchain/core": "0.3.80",
          "@langchain/langgraph": "0.2.74",
          "@langchain/langgraph-checkpoint": "0.0.18",
          zod: "3.25.76",
        },
      }),
    );
    execFileSync("npm", ["install", "--no-audit", "--no-fund"], { cwd: building, stdio: "inherit" });
    if (existsSync(cache)) rmSync(building, { recursive: true });
    else renameSync(building, cache);
  }
  return join(cache, "node_modules");
}

/** What starts an agent process: Python's under an interpreter, else Node's. */
export function runnerCommand(python: string | undefined): [command: string, args: string[]] {
  return python ? [python, [PYTHON_RUNNER]] : [process.execPath, [NODE_RUNNER]];
}

export type RunResult = {
  done: RunnerMessageOf<"done">;
  events: { type: string; data: Json }[];
  messages: RunnerMessage[];
  output: Json;
};

type RunOptions = Partial<RunStart> & { thread?: string };
type Pending = RunResult & {
  log: MemoryLog;
  n: number;
  resolve: (result: RunResult) => void;
  reject: (e: Error) => void;
};

/** Threads, whatever processes work on them. */
export class Threads {
  readonly logs = new Map<string, MemoryLog>();

  log(thread: string): MemoryLog {
    const log = this.logs.get(thread) ?? new MemoryLog(this.logs.size + 1);
    this.logs.set(thread, log);
    return log;
  }
}

let runCount = 0;

export class Agent {
  readonly threads: Threads;
  readonly child: ChildProcess;
  stderr = "";
  stdout = "";
  memory = 0;
  /** Called for each message before it takes effect; true means it never arrived. */
  intercept: ((message: RunnerMessage) => boolean) | undefined;
  /** While set, acknowledgements are kept back. */
  holdAcks = false;
  readonly heldAcks: ServerMessage[] = [];
  reads = 0;
  readonly exited: Promise<void>;
  readonly #pipe: Socket;
  readonly #runs = new Map<string, Pending>();
  readonly #waiting: {
    matches: (message: RunnerMessage) => boolean;
    resolve: (message: RunnerMessage) => void;
  }[] = [];

  private constructor(directory: string, threads: Threads, env: Record<string, string>, python?: string) {
    this.threads = threads;
    this.child = spawn(...runnerCommand(python), {
      cwd: directory,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
      stdio: ["ignore", "pipe", "pipe", "pipe"],
    });
    this.child.stdout!.on("data", (text) => {
      this.stdout += text;
    });
    this.child.stderr!.on("data", (text) => {
      this.stderr += text;
    });
    this.#pipe = this.child.stdio[3] as Socket;
    this.#pipe.on("error", () => {});
    // A killed process resets the pipe; its exit is what counts.
    const lines = createInterface({ input: this.#pipe }).on("error", () => {});
    lines.on("line", (line) => this.#receive(parseRunnerMessage(line)));
    children.add(this.child);
    // A test that failed before it stopped its agent must not hang; whoever waits holds the loop with a deadline.
    this.child.unref();
    for (const stream of this.child.stdio) (stream as Socket | null)?.unref();
    this.exited = new Promise((done) => this.child.once("exit", () => done()));
    this.child.once("exit", (code, signal) => {
      children.delete(this.child);
      for (const run of this.#runs.values())
        run.reject(new Error(`exited ${code} ${signal}: ${this.stderr}`));
    });
  }

  /** Starts a process without waiting for its agent to load. */
  static start(
    directory: string,
    threads = new Threads(),
    env: Record<string, string> = {},
    python?: string,
  ): Agent {
    return new Agent(directory, threads, env, python);
  }

  static async load(
    directory: string,
    entrypoint: string,
    { framework = "langgraph-js", threads = new Threads(), python, env = {}, ...limits }: LoadOptions = {},
  ): Promise<Agent> {
    const agent = new Agent(directory, threads, env, python);
    const loaded = await agent.loadReply(directory, entrypoint, framework, limits);
    if (loaded.type !== "loaded") await agent.kill();
    assert.equal(loaded.type, "loaded", JSON.stringify(loaded));
    return agent;
  }

  async loadReply(
    directory: string,
    entrypoint: string,
    framework: Framework = "langgraph-js",
    limits: LoadLimits = {},
  ): Promise<RunnerMessage> {
    await this.message((message) => message.type === "ready");
    this.send({
      type: "load",
      framework,
      entrypoint,
      directory,
      chat: { input_key: null, output_key: null },
      max_unacknowledged_bytes: 8 * 1024 * 1024,
      max_warm_bytes: 64 * 1024 * 1024,
      max_memory_mb: 1024,
      ...limits,
    });
    return this.message(({ type }) => type === "loaded" || type === "load_failed", LOAD_DEADLINE_MS);
  }

  send(message: ServerMessage): void {
    this.#pipe.write(`${JSON.stringify(message)}\n`);
  }

  message(matches: (message: RunnerMessage) => boolean, deadlineMs = DEADLINE_MS): Promise<RunnerMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<RunnerMessage>();
    const timer = setTimeout(() => reject(new Error(`no such message: ${this.stderr}`)), deadlineMs);
    this.#waiting.push({
      matches,
      resolve: (message) => {
        clearTimeout(timer);
        resolve(message);
      },
    });
    return promise;
  }

  run(options: RunOptions = {}): Promise<RunResult> {
    return this.begin(options).result;
  }

  begin({ thread = "t", ...given }: RunOptions): { run_id: string; result: Promise<RunResult> } {
    const start = this.#start(thread, given);
    this.send({ type: "run", ...start });
    return { run_id: start.run_id, result: this.#track(start, thread) };
  }

  update({
    thread = "t",
    values = null,
    as_node = null,
    ...given
  }: RunOptions & { values?: Json; as_node?: string | null }) {
    const start = this.#start(thread, given);
    this.send({ type: "update", values, as_node, ...start });
    return this.#track(start, thread);
  }

  releaseAcks(): void {
    this.holdAcks = false;
    for (const ack of this.heldAcks.splice(0)) this.send(ack);
  }

  async stop(): Promise<void> {
    this.#pipe.destroy();
    await this.#exit();
  }

  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.#exit();
  }

  async #exit(): Promise<void> {
    const timer = setTimeout(() => this.child.kill("SIGKILL"), DEADLINE_MS);
    await this.exited;
    clearTimeout(timer);
  }

  #start(thread: string, given: Partial<RunStart>): RunStart {
    const log = this.threads.log(thread);
    const { head } = log;
    return {
      run_id: `run_${++runCount}`,
      thread_id: thread,
      log_id: log.id,
      next_item: log.items.length,
      head: head ? { checkpoint_id: head.checkpoint_id, position: head.position } : null,
      checkpoint_id: null,
      attempt: 1,
      initial_values: null,
      input: {},
      command: null,
      config: null,
      metadata: {},
      interrupt_before: null,
      interrupt_after: null,
      stream_tokens: true,
      stream_events: false,
      artifacts: null,
      deployment_id: "dep_1",
      version_id: "ver_1",
      ...given,
    };
  }

  #track(start: RunStart, thread: string): Promise<RunResult> {
    const { promise, resolve, reject } = Promise.withResolvers<RunResult>();
    const timer = setTimeout(() => reject(new Error(`no done: ${this.stderr}`)), DEADLINE_MS);
    promise.then(
      () => clearTimeout(timer),
      () => clearTimeout(timer),
    );
    const log = this.threads.log(thread);
    const empty = { done: null as unknown as RunResult["done"], events: [], messages: [], output: null };
    this.#runs.set(start.run_id, { ...empty, log, n: 0, resolve, reject });
    return promise;
  }

  #receive(message: RunnerMessage): void {
    if (this.intercept?.(message)) return;
    if (message.type === "alive") this.memory = message.memory_mb;
    if ("run_id" in message) this.#apply(message, this.#runs.get(message.run_id));
    for (const waiter of this.#waiting.filter(({ matches }) => matches(message))) {
      this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
      waiter.resolve(message);
    }
  }

  #apply(message: RunnerMessage & { run_id: string }, run: Pending | undefined): void {
    assert.ok(run, `${message.type} of a run that is over`);
    const { run_id } = message;
    run.messages.push(message);
    if (message.type === "event") {
      run.log.addItems(message.items);
      run.events.push(...message.events);
    }
    if (message.type === "checkpoint" || message.type === "writes") {
      assert.equal(message.n, ++run.n);
      if (message.type === "checkpoint") run.log.addCheckpoint(run_id, message);
      else run.log.addWrites(run_id, message);
      const ack: ServerMessage = { type: "ack", run_id, n: message.n };
      if (this.holdAcks) this.heldAcks.push(ack);
      else this.send(ack);
    }
    if (message.type === "read") {
      this.reads++;
      this.send({ type: "reply", run_id, request_id: message.request_id, ...run.log.read(message) });
    }
    if (message.type === "done") {
      run.log.addItems(message.items);
      run.done = message;
      run.output = message.output === undefined ? null : run.log.show(message.output);
      this.#runs.delete(run_id);
      run.resolve(run);
    }
  }
}

type LoadLimits = {
  max_unacknowledged_bytes?: number;
  max_warm_bytes?: number;
  chat?: { input_key: string | null; output_key: string | null };
};

export type LoadOptions = LoadLimits & {
  framework?: Framework;
  threads?: Threads;
  /** The interpreter of a Python agent. */
  python?: string | undefined;
  env?: Record<string, string>;
};

export function human(content: string, id?: string): Json {
  return { role: "user", content, ...(id && { id }) };
}

/** The contents of messages as the API shows them. */
export function contents(messages: Json | undefined): unknown[] {
  return (messages as { content: unknown }[]).map(({ content }) => content);
}

/** An engine over a real database and real agent processes that follow a script; no HTTP. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Framework } from "../../src/core/deployment.ts";
import type { NumberedEvent } from "../../src/core/event.ts";
import type { Json, JsonObject } from "../../src/core/json.ts";
import { Problem, type ProblemCode } from "../../src/core/problem.ts";
import type { AcceptedRun, Run, RunRequest } from "../../src/core/run.ts";
import { storeSettings } from "../../src/core/store_settings.ts";
import type { Thread } from "../../src/core/thread.ts";
import { accept } from "../../src/engine/accept.ts";
import { agentVersion } from "../../src/engine/agent_version.ts";
import { createThread, type ThreadOrder } from "../../src/engine/create_thread.ts";
import { Hints } from "../../src/engine/hints.ts";
import { Metrics } from "../../src/engine/metrics.ts";
import type { Node } from "../../src/engine/node.ts";
import { RunMemory } from "../../src/engine/run_memory.ts";
import { tailRun, tailThread } from "../../src/engine/tail.ts";
import { Worker } from "../../src/engine/worker.ts";
import type { ProcessLimits } from "../../src/runner/limits.ts";
import { runnerSettings } from "../../src/runner/settings.ts";
import { Supervisor } from "../../src/runner/supervisor.ts";
import type { Database } from "../../src/store/database.ts";
import type { Attempt } from "../../src/store/idempotency.ts";
import { migrate } from "../../src/store/migrate.ts";
import { findRun, showRuns } from "../../src/store/runs.ts";
import { findThread, showThread } from "../../src/store/threads.ts";
import { putDevDeployment } from "../../src/store/versions.ts";
import { freshDatabaseUrl, openDatabase } from "../fixtures/database.ts";

const DEADLINE_MS = 20_000;
/** How long a node that closes lets its runs go on. */
export const DRAIN_MS = 3_000;
const disk = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
const scriptedRunner = fileURLToPath(new URL("../fixtures/scripted_runner.mjs", import.meta.url));
const modules = fileURLToPath(new URL("../../node_modules", import.meta.url));
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

export type Options = {
  framework?: Framework;
  entrypoint?: string;
  runner?: JsonObject;
  concurrency?: number;
  limits?: Partial<ProcessLimits>;
  /** PostgreSQL's address, for tests of several nodes; else the database under test. */
  databaseUrl?: string;
  /** A graph's source, run by the real Node runner in a project of its own. */
  graph?: string;
};

/** One executing node. Several may share a database, as on PostgreSQL. */
export type Executing = { node: Node; worker: Worker; supervisor: Supervisor };

export class Engine {
  database!: Database;
  readonly folder: string;
  readonly #options: Options;
  readonly #nodes: Executing[] = [];
  #files = 0;

  constructor(folder: string, options: Options) {
    this.folder = folder;
    this.#options = options;
  }

  async open(): Promise<void> {
    const { framework = "function", entrypoint = "ok", runner = {}, graph } = this.#options;
    if (graph !== undefined) {
      symlinkSync(modules, join(this.folder, "node_modules"));
      writeFileSync(join(this.folder, "package.json"), '{"type":"module"}');
      writeFileSync(join(this.folder, "graph.ts"), graph);
    }
    this.database = await openDatabase(
      this.#options.databaseUrl ?? (await freshDatabaseUrl()),
      join(this.folder, "data"),
    );
    await migrate(this.database);
    const settings = { ...runnerSettings(framework, {}), ...runner };
    await this.database.transaction((tx) =>
      putDevDeployment(
        tx,
        {
          name: "agent",
          framework,
          entrypoint,
          runner: settings as unknown as JsonObject,
          chat: { input_key: null, output_key: null },
          machine: "here",
          directory: this.folder,
          python: null,
          store: storeSettings({}),
        },
        { deployment_id: "dep_1", version_id: "ver_1" },
      ),
    );
    this.startNode();
  }

  /** `database`: a connection of the node's own, closed with it. */
  startNode(options: { machine?: string; database?: Database; concurrency?: number } = {}): Executing {
    const { limits = { cancelGraceMs: 300 }, graph } = this.#options;
    const { machine = "here", database = this.database } = options;
    const concurrency = options.concurrency ?? this.#options.concurrency ?? 10;
    const supervisor = new Supervisor({
      logger: quiet,
      limits,
      ...(graph === undefined ? { runnerPath: scriptedRunner } : {}),
    });
    const node: Node = {
      node_id: `node_${this.#nodes.length + 1}`,
      machine,
      database,
      supervisor,
      hints: new Hints(database),
      logger: quiet,
      metrics: new Metrics(),
      watch: { began() {}, ended() {}, printed() {} },
      lost: new RunMemory(),
      unsure: new RunMemory(),
      artifacts: join(this.folder, "artifacts"),
      retentionDays: 30,
      webhookAllowPrivate: true,
      prepare: async (version, environment, signal) => ({
        version: { ...agentVersion(version), directory: version.directory!, python: null },
        environment,
        env: { PATH: process.env.PATH ?? "" },
        secrets: [],
        signal,
      }),
    };
    const worker = new Worker(node, concurrency);
    worker.begin();
    const executing = { node, worker, supervisor };
    this.#nodes.push(executing);
    return executing;
  }

  get first(): Executing {
    return this.#nodes[0]!;
  }
  get node(): Node {
    return this.first.node;
  }
  get worker(): Worker {
    return this.first.worker;
  }

  async close(): Promise<void> {
    for (const { node, worker, supervisor } of this.#nodes.toReversed()) {
      await supervisor.close();
      await worker.close(DRAIN_MS);
      node.hints.close();
      if (node.database !== this.database) await node.database.close();
    }
    await this.database.close();
    rmSync(this.folder, { recursive: true });
  }

  async thread(order: Partial<ThreadOrder> = {}): Promise<Thread> {
    return (await createThread(this.node, { deployment_id: "dep_1", ...order }, undefined)).thread;
  }

  async accept(
    thread: Pick<Thread, "thread_id"> | null,
    input: Json,
    request: RunRequest = {},
    options: { attempt?: Attempt; on?: Executing } = {},
  ): Promise<AcceptedRun> {
    const { node, worker } = options.on ?? this.first;
    const row = thread === null ? null : ((await findThread(this.database, thread.thread_id)) ?? null);
    if (thread) assert.ok(row, "the thread is there");
    return accept(node, worker, {
      thread: row,
      deployment_id: "dep_1",
      request: { ...request, input },
      attempt: options.attempt,
    });
  }

  /** Accepts a run that follows the steps, and waits for its end. */
  async run(thread: Thread | null, ...script: Json[]): Promise<Run> {
    return this.over(await this.accept(thread, { script }));
  }

  async over(run: { run_id: string }): Promise<Run> {
    await this.events(run);
    return this.get(run);
  }

  async get({ run_id }: { run_id: string }): Promise<Run> {
    const row = await findRun(this.database, run_id);
    assert.ok(row, `${run_id} is there`);
    return (await showRuns(this.database, [row]))[0]!;
  }

  /** The run's events after `seq`, up to its last. */
  async events({ run_id }: { run_id: string }, seq = 0, on = this.first): Promise<NumberedEvent[]> {
    const row = await findRun(this.database, run_id);
    assert.ok(row, `${run_id} is there`);
    const events: NumberedEvent[] = [];
    for await (const page of tailRun(on.node, row, seq, deadline())) events.push(...page);
    return events;
  }

  /** Waits for an event of the run for which `wanted` holds. */
  async event(
    { run_id }: { run_id: string },
    wanted: (event: NumberedEvent) => boolean,
    on = this.first,
  ): Promise<NumberedEvent> {
    const row = await findRun(this.database, run_id);
    const leaving = new AbortController();
    const signal = AbortSignal.any([leaving.signal, deadline()]);
    for await (const page of tailRun(on.node, row!, 0, signal)) {
      const found = page.find(wanted);
      if (found) {
        leaving.abort();
        return found;
      }
    }
    throw new Error("the run ended, or the time, without the event");
  }

  /** The first `count` events of the thread after a place. */
  async threadEvents(
    thread: Thread,
    count: number,
    from = { run_number: 0, seq: 0 },
  ): Promise<NumberedEvent[]> {
    const { log_id } = (await findThread(this.database, thread.thread_id))!;
    const leaving = new AbortController();
    const events: NumberedEvent[] = [];
    const signal = AbortSignal.any([leaving.signal, deadline()]);
    for await (const page of tailThread(this.node, log_id, from, signal, async () => false)) {
      events.push(...page);
      if (events.length >= count) break;
    }
    leaving.abort();
    return events.slice(0, count);
  }

  async show(thread: Thread): Promise<Thread> {
    const row = await findThread(this.database, thread.thread_id);
    assert.ok(row, "the thread is there");
    return showThread(this.database, row);
  }

  /** A file that does not exist yet, for a script's gate, and how to make it. */
  gate(): { path: string; open: () => void } {
    const path = join(this.folder, `gate-${++this.#files}`);
    return { path, open: () => writeFileSync(path, "") };
  }
}

export async function withEngine(options: Options, body: (engine: Engine) => Promise<void>): Promise<void> {
  const engine = new Engine(mkdtempSync(join(disk, "crewship-engine-")), options);
  try {
    await engine.open();
    await body(engine);
  } finally {
    await engine.close();
  }
}

const deadline = () => AbortSignal.timeout(DEADLINE_MS);

export function hasData(key: string): (event: NumberedEvent) => boolean {
  return ({ data }) => data === key || (typeof data === "object" && data !== null && key in data);
}

/** The promise is rejected with this problem; returns it. */
export async function refused(promise: Promise<unknown>, code: ProblemCode): Promise<Problem> {
  const error = await promise.then(
    () => assert.fail(`it was not refused with ${code}`),
    (error: unknown) => error,
  );
  assert.ok(error instanceof Problem, String(error));
  assert.equal(error.code, code, error.message);
  return error;
}

export const types = (events: NumberedEvent[]): string[] => events.map(({ type }) => type);

/** The events are numbered from 1 without a gap, and the one that ends the run is the last and the only one. */
export function assertWhole(events: NumberedEvent[], ending: string): void {
  assert.deepEqual(
    events.map(({ seq }) => seq),
    events.map((_, i) => i + 1),
  );
  const endings = types(events).filter((type) =>
    ["run.completed", "run.failed", "run.canceled", "run.interrupted"].includes(type),
  );
  assert.deepEqual(endings, [ending]);
  assert.equal(events.at(-1)?.type, ending);
}

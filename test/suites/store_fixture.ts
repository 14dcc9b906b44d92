/** A database with two deployments in it, and the few steps every test of the store begins with. */
import assert from "node:assert/strict";
import { hash, randomBytes } from "node:crypto";
import { escapeTags } from "../../src/core/encoding.ts";
import { runId } from "../../src/core/ids.ts";
import { ItemLedger } from "../../src/core/items.ts";
import type { Json, JsonObject } from "../../src/core/json.ts";
import type { ThreadStatus } from "../../src/core/moves.ts";
import type { RunRequest } from "../../src/core/run.ts";
import { storeSettings } from "../../src/core/store_settings.ts";
import { agentVersion } from "../../src/engine/agent_version.ts";
import { Hints } from "../../src/engine/hints.ts";
import { Metrics } from "../../src/engine/metrics.ts";
import type { Node } from "../../src/engine/node.ts";
import { newLog } from "../../src/engine/node.ts";
import { RunMemory } from "../../src/engine/run_memory.ts";
import { runnerSettings } from "../../src/runner/settings.ts";
import { Supervisor } from "../../src/runner/supervisor.ts";
import { appendEntries } from "../../src/store/append.ts";
import type { NewCheckpoint } from "../../src/store/checkpoints.ts";
import type { Database, Queryable } from "../../src/store/database.ts";
import type { Writer } from "../../src/store/events.ts";
import { readItems } from "../../src/store/items.ts";
import { openView, readLog, takeRunNumber } from "../../src/store/logs.ts";
import { migrate } from "../../src/store/migrate.ts";
import { claimRun } from "../../src/store/queue.ts";
import { createRun, type MovedRun } from "../../src/store/runs.ts";
import { raw, sql } from "../../src/store/sql.ts";
import { createThread, findThread, occupyThread, type ThreadRow } from "../../src/store/threads.ts";
import { putDevDeployment } from "../../src/store/versions.ts";
import { itemize } from "./encoded_values.ts";

/** How a suite gets a database: a fresh one each time, which can be closed and opened again on the same data. */
export type Open = () => Promise<{
  database: Database;
  reopen(): Promise<Database>;
  close(): Promise<void>;
}>;

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const digest = (text: string) => hash("sha256", text, "base64url");

/** Runs a test on a fresh, migrated database with the deployments dep_1 and dep_2. */
export async function withStore(open: Open, body: (store: Store) => Promise<void>): Promise<void> {
  const opened = await open();
  const store = new Store(opened.database, opened.reopen);
  try {
    await migrate(opened.database);
    await store.addDeployments();
    await body(store);
  } finally {
    store.node.hints.close();
    await opened.close();
  }
}

export type MadeRun = { log_id: number; run_id: string };
export type HeldRun = MadeRun & Writer & { run: MovedRun };

export class Store {
  database: Database;
  /** A node over this database: the engine's own ways to copy, prune and delete need nothing else of it. */
  readonly node: Node;
  readonly reopen: () => Promise<Database>;
  #threads = 0;
  #checkpoints = 0;

  constructor(database: Database, reopen: () => Promise<Database>) {
    this.database = database;
    this.reopen = async () => {
      this.database = await reopen();
      return this.database;
    };
    this.node = {
      node_id: "node_1",
      machine: "here",
      database,
      supervisor: new Supervisor({ logger: quiet }),
      hints: new Hints(database),
      logger: quiet,
      metrics: new Metrics(),
      watch: { began() {}, ended() {}, printed() {} },
      lost: new RunMemory(),
      unsure: new RunMemory(),
      artifacts: "no-artifacts",
      retentionDays: null,
      webhookAllowPrivate: false,
      prepare: async (version, environment, signal) => ({
        version: { ...agentVersion(version), directory: version.directory!, python: null },
        environment,
        env: {},
        secrets: [],
        signal,
      }),
    };
  }

  async addDeployments(): Promise<void> {
    for (const n of [1, 2]) {
      await this.database.transaction((tx) =>
        putDevDeployment(
          tx,
          {
            name: `agent ${n}`,
            framework: "langgraph-js",
            entrypoint: "./graph.ts:graph",
            runner: runnerSettings("langgraph-js", {}) as unknown as JsonObject,
            chat: { input_key: null, output_key: null },
            machine: "here",
            directory: `/agents/${n}`,
            python: null,
            store: storeSettings({}),
          },
          { deployment_id: `dep_${n}`, version_id: `ver_${n}` },
        ),
      );
    }
  }

  async thread(
    options: {
      thread_id?: string;
      deployment_id?: string | null;
      metadata?: JsonObject;
      values?: JsonObject;
      status?: ThreadStatus;
      ttl_minutes?: number;
    } = {},
  ): Promise<ThreadRow> {
    const { values, ttl_minutes } = options;
    return this.database.transaction(async (tx) => {
      const row = await createThread(tx, {
        thread_id: options.thread_id ?? `thr_${++this.#threads}`,
        log_id: await newLog(tx),
        deployment_id: options.deployment_id === undefined ? "dep_1" : options.deployment_id,
        status: options.status ?? "idle",
        metadata: options.metadata ?? {},
        initial_values: values === undefined ? null : escapeTags(values),
        copied_from: null,
        ttl: ttl_minutes === undefined ? null : { minutes: ttl_minutes, strategy: "delete" },
      });
      assert.ok(row);
      return row;
    });
  }

  async threadStatus(thread: ThreadRow): Promise<ThreadStatus | undefined> {
    return (await findThread(this.database, thread.thread_id))?.status;
  }

  /** A pending run, in a busy thread or alone. */
  pending(thread: ThreadRow | null, request: RunRequest = {}): Promise<MadeRun> {
    return this.database.transaction(async (tx) => {
      const log_id = thread?.log_id ?? (await newLog(tx));
      if (thread) await occupyThread(tx, log_id);
      const run_id = runId(Date.now(), log_id, randomBytes(8));
      await createRun(tx, {
        log_id,
        run_id,
        thread_id: thread?.thread_id ?? null,
        deployment_id: thread?.deployment_id ?? "dep_1",
        version_id: thread?.deployment_id === "dep_2" ? "ver_2" : "ver_1",
        environment: "production",
        request,
        langgraph: null,
      });
      return { log_id, run_id };
    });
  }

  async claim(run: MadeRun, node_id = "node_1"): Promise<HeldRun> {
    const claimed = await this.database.transaction((tx) => claimRun(tx, run, node_id, async () => []));
    assert.ok(claimed, "the run was not to be had");
    return { ...run, ...claimed, run_number: claimed.run.run_number!, batch: 0 };
  }

  async running(thread: ThreadRow | null, request: RunRequest = {}): Promise<HeldRun> {
    return this.claim(await this.pending(thread, request));
  }

  newId(): string {
    return `cp_${String(++this.#checkpoints).padStart(6, "0")}`;
  }

  /** Commits a checkpoint on top of `parent` (the head unless said) whose changed channels are given as a client's JSON. */
  async put(
    log_id: number,
    channels: JsonObject,
    options: Partial<NewCheckpoint> & { run_id?: string | null; tx?: Queryable } = {},
  ): Promise<string> {
    const { tx, run_id = null, ...fields } = options;
    if (!tx) return this.database.transaction((own) => this.put(log_id, channels, { ...options, tx: own }));
    const view = await openView(tx, log_id);
    const { next_item } = await readLog(tx, log_id);
    const ledger = new ItemLedger(log_id, next_item, digest);
    const encoded = Object.fromEntries(
      Object.entries(channels).map(([name, value]) => [name, itemize(escapeTags(value), ledger)]),
    );
    const checkpoint = { ...plain, checkpoint_id: this.newId(), ...fields, channels: encoded };
    const run_number = await this.numberOf(tx, log_id, run_id);
    await appendEntries(tx, view, [{ type: "checkpoint", items: ledger.takeNew(), ...checkpoint }], {
      run_number,
    });
    return checkpoint.checkpoint_id;
  }

  /** A run's number in a log. One that is not there has been, and is over. */
  async numberOf(tx: Queryable, log_id: number, run_id: string | null): Promise<number | null> {
    if (run_id === null) return null;
    const [run] = await tx.query<{ run_number: number }>(
      sql`select run_number from runs where log_id = ${log_id} and run_id = ${run_id}`,
    );
    if (run) return run.run_number;
    const run_number = await takeRunNumber(tx, log_id);
    await tx.query(sql`
      insert into runs (log_id, run_id, deployment_id, version_id, environment, status, run_number, attempt,
        lost_processes, lost_nodes, metadata, created_at)
      values (${log_id}, ${run_id}, 'dep_1', 'ver_1', 'production', 'succeeded', ${run_number}, 1, 0, 0, '{}',
        ${tx.dialect.now})`);
    return run_number;
  }

  /** How many rows every table holds. */
  async rows(): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const table of tables) {
      const [row] = await this.database.query<{ n: number }>(sql`select count(*) as n from ${raw(table)}`);
      counts[table] = Number(row!.n);
    }
    return counts;
  }

  /** Everything that stands in the tables a run's move touches, to see that nothing changed. */
  async everything(): Promise<string> {
    const parts: Json[] = [];
    for (const table of tables) {
      parts.push(await this.database.query<JsonObject>(sql`select * from ${raw(table)} order by 1, 2`));
    }
    return JSON.stringify(parts, null, 1);
  }
}

export const plain: Omit<NewCheckpoint, "checkpoint_id"> = {
  namespace: "",
  parent_checkpoint_id: null,
  step: 0,
  source: "loop",
  channels: {},
  removed: [],
  state: {},
  metadata: {},
  shown: null,
};

export const tables = [
  "logs",
  "threads",
  "thread_tags",
  "checkpoints",
  "channel_values",
  "pending_writes",
  "items",
  "drops",
  "runs",
  "run_requests",
  "leases",
  "event_batches",
] as const;

/** A ledger for a run that starts from what the given encoded values refer to, as a cold agent process has it. */
export async function coldLedger(q: Queryable, log_id: number, values: Json[]): Promise<ItemLedger> {
  const { next_item } = await readLog(q, log_id);
  const ledger = new ItemLedger(log_id, next_item, digest);
  for (const { log, number, body } of (await readItems(q, values)).values()) {
    ledger.remember({ log, number }, body);
  }
  return ledger;
}

/** The transaction's own queries, counted: how often it asked, and how many rows came back. */
export function counted(q: Queryable): { q: Queryable; queries: () => number; rows: () => number } {
  let queries = 0;
  let rows = 0;
  return {
    q: {
      dialect: q.dialect,
      query: async (statement) => {
        queries++;
        const found = await q.query(statement);
        rows += found.length;
        return found as never;
      },
    },
    queries: () => queries,
    rows: () => rows,
  };
}

/** A database whose every statement is counted, also those of its transactions. */
export function countedDatabase(database: Database): {
  database: Database;
  queries: () => number;
  rows: () => number;
} {
  const totals = { queries: 0, rows: 0 };
  const count = async <R>(q: Queryable, statement: Parameters<Queryable["query"]>[0]): Promise<R[]> => {
    totals.queries++;
    const found = await q.query<R>(statement);
    totals.rows += found.length;
    return found;
  };
  return {
    database: {
      dialect: database.dialect,
      query: (statement) => count(database, statement),
      transaction: (body) =>
        database.transaction((tx) =>
          body({
            dialect: tx.dialect,
            query: (s) => count(tx, s),
            hint: (topic) => tx.hint(topic),
            onCommit: (begin) => tx.onCommit(begin),
          }),
        ),
      listen: (listener) => database.listen(listener),
      exclusively: (body) => database.exclusively(body),
      close: () => database.close(),
    },
    queries: () => totals.queries,
    rows: () => totals.rows,
  };
}

/** The composition root: builds everything, starts it, and stops it in reverse. */
import { randomBytes } from "node:crypto";
import { EventEmitter } from "node:events";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import type { Config } from "./config.ts";
import { prefixedId } from "./core/ids.ts";
import { isOver } from "./core/moves.ts";
import type { NodeState } from "./core/operations.ts";
import type { RunError } from "./core/run.ts";
import { AgentVariables } from "./deploy/agent_variables.ts";
import { Builds } from "./deploy/builds.ts";
import { Installations } from "./deploy/installations.ts";
import { type Manifest, readManifest } from "./deploy/manifest.ts";
import { Secrets } from "./deploy/secrets.ts";
import { agentVersion } from "./engine/agent_version.ts";
import { Changes } from "./engine/changes.ts";
import { deliver } from "./engine/deliver.ts";
import { Hints } from "./engine/hints.ts";
import { Metrics } from "./engine/metrics.ts";
import type { Logger, Node, Watch } from "./engine/node.ts";
import { reportNodes } from "./engine/report_node.ts";
import { RunMemory } from "./engine/run_memory.ts";
import { runSchedules } from "./engine/run_schedules.ts";
import { recoverRuns, sweep } from "./engine/sweep.ts";
import { Worker } from "./engine/worker.ts";
import { type App, makeHttp } from "./http/app.ts";
import { adminKey, consoleAddress, writeLocalServer } from "./local_access.ts";
import { LoadError } from "./runner/errors.ts";
import { Supervisor } from "./runner/supervisor.ts";
import type { Database } from "./store/database.ts";
import { listDeployments } from "./store/deployments.ts";
import { migrate } from "./store/migrate.ts";
import { createNode, deleteNode } from "./store/nodes.ts";
import { PostgresDatabase } from "./store/postgres.ts";
import { findRun } from "./store/runs.ts";
import { SqliteDatabase } from "./store/sqlite.ts";
import { describeVersion, putDevDeployment, type VersionRow } from "./store/versions.ts";
import { VERSION } from "./version.ts";

/** Something a person watching the server wants to read. */
export type Activity = {
  at: string;
  kind:
    | "run_started"
    | "run_over"
    | "agent_output"
    | "agent_preparing"
    | "agent_loaded"
    | "agent_load_failed";
  deployment?: string;
  run_id?: string;
  thread_id?: string | null;
  /** A run's; of a preparation: waiting, started, output, done. */
  status?: string;
  duration_ms?: number;
  text?: string;
};

export type RunningServer = {
  url: string;
  /** This start of this node, as leases and the table of nodes name it. */
  node_id: string;
  /** A full key, for the CLI on this machine. */
  apiKey: string;
  deployments: { deployment_id: string; name: string; framework: string }[];
  /** The console's address, which signs the first browser that opens it within ten minutes in with the full key. */
  consoleAddress(): Promise<string>;
  /** Loads the folder of `dev` again: running runs finish on the old source. Resolves with what is wrong, or null. */
  reload(): Promise<string | null>;
  /** What says which packages the folder of `dev` needs has changed: an installation under way begins anew. */
  prepareAgain(): void;
  onActivity(listener: (activity: Activity) => void): () => void;
  /** Lets runs finish for a moment, gives back the others, and stops. */
  close(): Promise<void>;
};

/** How long open requests may take to end when the server closes. */
const CLOSE_GRACE_MS = 3_000;
/** How long the agent of a dev folder may take to load when the server starts or reloads. */
const DEV_LOAD_MS = 60_000;
/** How long a build may take: its packages, then the agent's own loading. */
const BUILD_LOAD_MS = 30 * 60_000;

export async function startServer(config: Config, options: { dev: Manifest | null }): Promise<RunningServer> {
  const logger = pino({ level: config.logLevel }, pino.destination({ dest: 2, sync: true }));
  const database = await openDatabase(config, logger);
  try {
    return await startOn(database, logger, config, options);
  } catch (error) {
    // Its connections would keep the process alive.
    await database.close();
    throw error;
  }
}

async function startOn(
  database: Database,
  logger: Logger,
  config: Config,
  options: { dev: Manifest | null },
): Promise<RunningServer> {
  const activities = new EventEmitter<{ activity: [Activity] }>();
  const tell = (activity: Omit<Activity, "at">) =>
    activities.emit("activity", { at: new Date().toISOString(), ...activity });
  await migrate(database);
  const supervisor = new Supervisor({
    logger,
    onOutput: (line, stream, version_id) => {
      logger.info({ version_id, stream }, line);
      builds.note(version_id, line);
      tell({ kind: "agent_output", text: line });
    },
  });
  const installations = new Installations({
    database,
    cacheFolder: config.cache,
    environment: config.environment,
    onProgress: ({ version_id, deployment_id }, progress) => {
      logger[progress.status === "output" ? "debug" : "info"]({ version_id }, progress.text);
      builds.note(version_id, progress.text);
      const name = deployments.find((served) => served.deployment_id === deployment_id)?.name;
      tell({ kind: "agent_preparing", ...(name === undefined ? {} : { deployment: name }), ...progress });
    },
  });
  const secrets = new Secrets({
    given: config.secretKey,
    path: database.dialect.shared ? null : join(config.data, "secret.key"),
  });
  const variables = new AgentVariables({
    database,
    secrets,
    caller: config.environment,
    folder: options.dev?.directory ?? null,
  });
  const metrics = new Metrics();
  const node: Node = {
    node_id: prefixedId("node", randomBytes(12)),
    machine: config.machine,
    artifacts: join(config.data, "artifacts"),
    retentionDays: config.retentionDays,
    webhookAllowPrivate: config.webhookAllowPrivate,
    database,
    supervisor,
    hints: new Hints(database),
    logger,
    lost: new RunMemory(),
    unsure: new RunMemory(),
    metrics,
    watch: watchRuns(database, tell, logger, metrics),
    prepare: async (version, environment, signal) => ({
      version: { ...agentVersion(version), ...(await installations.of(version, signal)) },
      environment,
      ...(await variables.of(version, environment)),
      signal,
    }),
  };
  const builds = new Builds({
    node_id: node.node_id,
    database,
    load: async (version, signal) => {
      const limited = AbortSignal.any([signal, AbortSignal.timeout(BUILD_LOAD_MS)]);
      return supervisor.load(await node.prepare(version, version.environment ?? "production", limited));
    },
    wait: (topic, signal) => node.hints.wait(topic, signal).over,
    logger,
  });
  const uploads = join(config.data, "uploads");
  // What a start before this one left. With a shared database the folder may be another node's too.
  if (!database.dialect.shared) rmSync(uploads, { recursive: true, force: true });
  await database.transaction((tx) => createNode(tx, node));
  // An embedded database is ours alone: whoever holds a lease in it is gone.
  const recovered = database.dialect.shared ? 0 : await recoverRuns(node, true);
  if (recovered > 0) logger.info({ recovered }, "took back the runs of the server before this one");
  let version = options.dev && (await deployFolder(database, options.dev, config.machine));
  const deployments = await served(database, version?.deployment_id);
  const concurrency = config.role === "api" ? 0 : config.concurrency;
  const worker = new Worker(node, concurrency);
  const nodeState = (): NodeState => ({
    version: VERSION,
    role: config.role,
    pid: process.pid,
    memory_mb: Math.round(process.memoryUsage.rss() / 104857.6) / 10,
    concurrency,
    processes: supervisor.processes(),
  });
  const closing = new AbortController();
  const app: App = {
    node,
    worker,
    secrets,
    uploads,
    changes: new Changes(database, logger),
    nodeState,
    serverKey: config.apiKey,
    closing: closing.signal,
    logger,
  };
  const http = await makeHttp(app, { origins: config.cors, healthOnly: config.role === "worker" });
  const url = await http.listen({ host: config.host, port: config.port });
  const apiKey = await adminKey(database, config);
  const local = url.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]");
  writeLocalServer(config, { url: local, api_key: apiKey });
  worker.begin();
  const sweeping = sweep(node, worker, closing.signal);
  const delivering = deliver(node, closing.signal);
  const scheduling = runSchedules(node, worker, closing.signal);
  const reporting = reportNodes(node, nodeState, closing.signal);
  const building = config.role === "api" ? undefined : builds.run(closing.signal);

  async function load(): Promise<string | null> {
    if (!version) return null;
    const name = options.dev!.name;
    try {
      const prepared = await node.prepare(version, "production", closing.signal);
      const { version_id } = version;
      const structure = await supervisor.load({ ...prepared, signal: AbortSignal.timeout(DEV_LOAD_MS) });
      await database
        .transaction((tx) => describeVersion(tx, version_id, structure))
        .catch((error: unknown) =>
          logger.warn({ error: String(error) }, "could not keep what an agent is made of"),
        );
      tell({ kind: "agent_loaded", deployment: name });
      return null;
    } catch (error) {
      if (closing.signal.aborted) return null;
      const text = error instanceof LoadError ? error.text : String(error);
      tell({ kind: "agent_load_failed", deployment: name, text });
      return text;
    }
  }

  return {
    url: local,
    node_id: node.node_id,
    apiKey,
    deployments,
    consoleAddress: () => consoleAddress(database, local, apiKey),
    async reload() {
      if (!options.dev || !version) return load();
      version = await deployFolder(
        database,
        readManifest(options.dev.directory, options.dev.name),
        config.machine,
      );
      variables.forget();
      installations.forget(version.version_id);
      supervisor.reload(version.version_id);
      return load();
    },
    prepareAgain() {
      if (version) installations.forget(version.version_id);
    },
    onActivity(listener) {
      activities.on("activity", listener);
      return () => activities.off("activity", listener);
    },
    async close() {
      closing.abort();
      // A client that is still sending its request would hold this up for as long as it likes.
      const impatient = setTimeout(() => http.server.closeAllConnections(), CLOSE_GRACE_MS);
      await http.close();
      clearTimeout(impatient);
      // Before the installations: a run that waits for one is given back, and does not fail with it.
      await worker.close(config.drainMs);
      await building;
      await installations.close();
      await sweeping;
      await delivering;
      await scheduling;
      await reporting;
      await supervisor.close();
      // One that cannot say that it leaves is forgotten after a day.
      await database.transaction((tx) => deleteNode(tx, node.node_id)).catch(() => undefined);
      node.hints.close();
      await database.close();
    },
  };
}

/** Runs as activities. The end is read from the store: whatever this node believes, the row is what happened. */
function watchRuns(
  database: Database,
  tell: (activity: Omit<Activity, "at">) => void,
  logger: Logger,
  metrics: Metrics,
): Watch {
  return {
    printed: ({ run }, text) => tell({ kind: "agent_output", run_id: run.run_id, text }),
    began: ({ run }) => tell({ kind: "run_started", run_id: run.run_id, thread_id: run.thread_id }),
    ended: ({ run }) => {
      const look = async () => {
        const row = await findRun(database, run.run_id);
        if (!row || !isOver(row.status)) return;
        metrics.runOver(row);
        const duration_ms = Date.parse(row.completed_at ?? "") - Date.parse(row.started_at ?? "");
        const error = row.error === null ? undefined : (JSON.parse(row.error) as RunError).message;
        tell({
          kind: "run_over",
          run_id: row.run_id,
          thread_id: row.thread_id,
          status: row.status,
          duration_ms,
          ...(error === undefined ? {} : { text: error }),
        });
      };
      look().catch((error: unknown) =>
        logger.debug({ error: String(error) }, "could not tell of a run's end"),
      );
    },
  };
}

async function openDatabase(config: Config, logger: Logger): Promise<Database> {
  const { databaseUrl, databaseListenUrl, databasePool, databaseTimeoutMs, durability } = config;
  if (databaseUrl === null) return new SqliteDatabase(config.data, durability);
  return PostgresDatabase.open({
    url: databaseUrl,
    listenUrl: databaseListenUrl,
    pool: databasePool,
    statementTimeoutMs: databaseTimeoutMs,
    flushed: durability === "full",
    warn: (details, message) => logger.warn(details, message),
  });
}

/** What the server serves; the deployment of the dev folder comes first. */
async function served(database: Database, dev: string | undefined): Promise<RunningServer["deployments"]> {
  const all = await listDeployments(database, {});
  return all
    .sort((a, b) => Number(b.deployment_id === dev) - Number(a.deployment_id === dev))
    .map(({ deployment_id, name, framework }) => ({ deployment_id, name, framework }));
}

/** A folder as the single version of its own deployment. */
async function deployFolder(database: Database, manifest: Manifest, machine: string): Promise<VersionRow> {
  const folder = {
    name: manifest.name,
    framework: manifest.framework,
    entrypoint: manifest.entrypoint,
    runner: manifest.runner,
    chat: manifest.chat,
    store: manifest.store,
    machine,
    directory: manifest.directory,
    python: manifest.python,
  };
  const ids = {
    deployment_id: prefixedId("dep", randomBytes(12)),
    version_id: prefixedId("ver", randomBytes(12)),
  };
  let version: VersionRow | undefined;
  // Two nodes that begin to serve the same folder make one deployment.
  await database.exclusively(async () => {
    version = await database.transaction((tx) => putDevDeployment(tx, folder, ids));
  });
  return version!;
}

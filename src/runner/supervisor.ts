/**
 * Hosts the agent processes of this node, by version and environment, and hands out seats in them. Does not decide
 * which run comes next and stores nothing: when a process is lost, the run's iterator says so and the engine decides.
 */
import { availableParallelism } from "node:os";
import { isDeepStrictEqual } from "node:util";
import type { Json } from "../core/json.ts";
import type { AgentProcessState } from "../core/operations.ts";
import { Problem } from "../core/problem.ts";
import type { Structure } from "../core/structure.ts";
import type { Child } from "./child.ts";
import { spawnRunner } from "./command.ts";
import { Forks } from "./forks.ts";
import { PROCESS_LIMITS, type ProcessLimits } from "./limits.ts";
import { type Mask, maskOf } from "./mask.ts";
import type { OnOutput } from "./output.ts";
import { type AgentVersion, type Hosted, Pool } from "./pool.ts";
import { AgentProcess } from "./process.ts";
import type { EmbedRequest, RunStart } from "./protocol.ts";
import type { AgentRun } from "./run.ts";
import { unlessAborted } from "./unless_aborted.ts";

export type Logger = Record<"info" | "warn" | "error", (details: object, message: string) => void>;

export type SupervisorOptions = {
  logger: Logger;
  /** What agent processes print outside any run. Default: the logger. */
  onOutput?: (line: string, stream: "stdout" | "stderr", version_id: string) => void;
  /** How many processes a version may have where it does not say. Default: this machine's cores. */
  cores?: number;
  nodePath?: string;
  runnerPath?: string;
  limits?: Partial<ProcessLimits>;
};

export type LoadRequest = {
  version: AgentVersion;
  environment: string;
  /** The whole environment of the process, from agentEnvironment. Processes with another one are replaced. */
  env: Record<string, string>;
  /** Values of the environment that nobody is shown. */
  secrets: readonly string[];
  signal: AbortSignal;
};
export type AcquireRequest = LoadRequest & {
  log_id: number;
  /** The run's last attempt lost its process: nobody is seated beside it, so that it can take nobody down again. */
  alone: boolean;
};

/** A seat in a process, for one run or update after another until it is released. */
export class Slot {
  readonly #pool: Pool;
  readonly #hosted: Hosted;
  readonly #runs: AgentRun[] = [];
  #released = false;

  constructor(pool: Pool, hosted: Hosted) {
    this.#pool = pool;
    this.#hosted = hosted;
  }

  get pid(): number | undefined {
    return this.#hosted.process.pid;
  }

  run(start: RunStart, signal?: AbortSignal): AgentRun {
    return this.#track(this.#hosted.process.run(start, signal));
  }

  update(start: RunStart, values: Json, asNode: string | null, signal?: AbortSignal): AgentRun {
    return this.#track(this.#hosted.process.update(start, values, asNode, signal));
  }

  /** As AgentProcess.embed. */
  embed(request: EmbedRequest, signal: AbortSignal): Promise<[path: string, vector: string][]> {
    return this.#hosted.process.embed(request, signal);
  }

  /** Gives the seat back: a run still open in it is canceled, and the seat is free once that is over. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    for (const run of this.#runs) run.abandon();
    void Promise.all(this.#runs.map((run) => run.ended)).then(() => this.#pool.leave(this.#hosted));
  }

  #track(run: AgentRun): AgentRun {
    this.#runs.push(run);
    void run.ended.then(() => {
      if (run.finished) this.#hosted.proven = true;
    });
    return run;
  }
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #pools = new Map<string, Pool>();
  #closed = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /**
   * A seat in a process that has loaded the version; starts one, or waits for a free seat until the signal aborts.
   * Throws a LoadError when the agent cannot be loaded, at once while it is left alone after the last failure.
   */
  acquire(request: AcquireRequest): Promise<Slot> {
    return this.#inPool(request, async (pool) => {
      const hosted = pool.seat(request.log_id, request.alone);
      if (!hosted) {
        await unlessAborted(pool.changed, request.signal);
        return undefined;
      }
      try {
        await unlessAborted(hosted.loading, request.signal);
        if (!hosted.draining) return new Slot(pool, hosted);
        pool.leave(hosted);
        return undefined;
      } catch (error) {
        pool.leave(hosted);
        if (hosted.superseded) return undefined;
        throw error;
      }
    });
  }

  /**
   * Starts a process of the version now, unless one is there, and asks what its agent is made of; null: nobody says.
   * Throws a LoadError.
   */
  load(request: LoadRequest): Promise<Structure | null> {
    return this.#inPool(request, async (pool) => {
      const hosted = pool.present() ?? pool.start();
      try {
        await unlessAborted(hosted.loading, request.signal);
        return await unlessAborted(hosted.process.describe(), request.signal);
      } catch (error) {
        if (hosted.superseded) return undefined;
        throw error;
      }
    });
  }

  /** The version's files or variables have changed: its processes drain, and the next acquire starts a new one. */
  reload(versionId: string): void {
    for (const pool of this.#pools.values()) {
      if (pool.version.version_id === versionId) pool.drain();
    }
  }

  processes(): AgentProcessState[] {
    return [...this.#pools.values()].flatMap((pool) =>
      pool.hosted.map((hosted) => ({
        pid: hosted.process.pid ?? null,
        version_id: pool.version.version_id,
        environment: pool.environment,
        state: hosted.draining ? "draining" : hosted.loaded ? "ready" : "loading",
        seats: hosted.seats,
        run_ids: hosted.process.runIds,
        memory_mb: hosted.process.memoryMb,
        started_at: hosted.startedAt,
      })),
    );
  }

  /** Stops every process and waits for their ends. Open runs are lost; later acquires are refused. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#pools.values()].map((pool) => pool.stop()));
  }

  /** Tries until an attempt has an answer; one that was overtaken by a reload or found no seat has none. */
  async #inPool<T>(request: LoadRequest, attempt: (pool: Pool) => Promise<T | undefined>): Promise<T> {
    const pool = this.#pool(request);
    pool.callers++;
    try {
      while (true) {
        request.signal.throwIfAborted();
        if (this.#closed)
          throw new Problem("unavailable", { message: "The server is stopping. Try again shortly." });
        const answer = await attempt(pool);
        if (answer !== undefined) return answer;
      }
    } finally {
      pool.callers--;
    }
  }

  #pool({ version, environment, env, secrets }: LoadRequest): Pool {
    const key = JSON.stringify([version.version_id, environment]);
    const known = this.#pools.get(key);
    if (known) {
      known.version = version;
      if (!isDeepStrictEqual([known.env, known.secrets], [env, secrets])) {
        known.env = env;
        known.secrets = secrets;
        known.drain();
      }
      return known;
    }
    for (const [name, pool] of this.#pools) if (pool.forgettable) this.#pools.delete(name);
    const cores = this.#options.cores ?? availableParallelism();
    const about = { version_id: version.version_id, environment };
    const forks = new Forks((details, message) =>
      this.#options.logger.warn({ ...about, ...details }, message),
    );
    const pool = new Pool(version, environment, env, secrets, cores, forks, (pool) => this.#start(pool));
    this.#pools.set(key, pool);
    return pool;
  }

  #start(pool: Pool): AgentProcess {
    const { version, environment } = pool;
    const { logger, limits } = this.#options;
    const about = { version_id: version.version_id, environment };
    const mask = maskOf(pool.secrets);
    const child = new AgentProcess({
      launch: () => this.#launch(pool),
      framework: version.framework,
      entrypoint: version.entrypoint,
      directory: version.directory,
      chat: version.chat,
      store: version.store,
      memoryMb: version.runner.memory_mb,
      mask,
      onOutput: this.#outputOf(pool, mask, () => child.pid),
      onHung: (silentMs) =>
        logger.warn(
          { ...about, pid: child.pid, silent_ms: silentMs },
          "An agent process does not respond; its code blocks its loop",
        ),
      onHeard: () => pool.wake(),
      ...(limits === undefined ? {} : { limits }),
    });
    void child.ended.then((loss) => {
      const details = { ...about, pid: child.pid, exit_code: loss.exitCode, signal: loss.signal };
      if (loss.reason === "was stopped") logger.info(details, "An agent process was stopped");
      else logger.warn(details, loss.message);
    });
    return child;
  }

  #launch(pool: Pool): Promise<Child> {
    const { version, env } = pool;
    const { nodePath, runnerPath, limits } = this.#options;
    const { memory_mb: memoryMb, isolation, idle_timeout_s } = version.runner;
    const { python, directory, framework } = version;
    const runner = { python, directory, memoryMb, env, nodePath, runnerPath };
    if (python === null || isolation !== "run") return spawnRunner(runner);
    return pool.forks.launch({
      runner,
      framework,
      idleTimeoutMs: idle_timeout_s * 1000,
      onOutput: this.#outputOf(pool, maskOf(pool.secrets), () => undefined),
      limits: { ...PROCESS_LIMITS, ...limits },
    });
  }

  /** `mask`: of the process that prints, which may have other secrets than those that come after it. */
  #outputOf(
    { version: { version_id }, environment }: Pool,
    mask: Mask | undefined,
    pid: () => number | undefined,
  ): OnOutput {
    const { logger, onOutput } = this.#options;
    return (text, stream) => {
      const line = mask?.text(text) ?? text;
      if (onOutput) onOutput(line, stream, version_id);
      else logger.info({ version_id, environment, pid: pid(), stream }, line);
    };
  }
}

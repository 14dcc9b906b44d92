/**
 * The agent processes of one version in one environment: which of them takes the next run, when another starts, when
 * one stops, and how long a broken agent is left alone. Never waits itself; supervisor.ts does.
 */
import type { Framework } from "../core/deployment.ts";
import type { StoreSettings } from "../core/store_settings.ts";
import { type AgentLost, LoadError } from "./errors.ts";
import type { Forks } from "./forks.ts";
import type { AgentProcess } from "./process.ts";
import type { ChatKeys } from "./protocol.ts";
import type { RunnerSettings } from "./settings.ts";

export const BACKOFF_FIRST_MS = 200;
export const BACKOFF_MOST_MS = 10_000;
/** A process that goes by itself within this time of loading, no run ended, counts as one that could not load. */
export const EARLY_DEATH_MS = 2_000;
/** Threads whose process is remembered; the one used longest ago is forgotten first. */
export const MAX_REMEMBERED_THREADS = 10_000;

/** What an agent process needs to know of a version. */
export type AgentVersion = {
  version_id: string;
  framework: Framework;
  entrypoint: string;
  /** The project's folder, absolute. */
  directory: string;
  /** The interpreter of the version's virtual environment, absolute; null for an agent that runs in Node. */
  python: string | null;
  chat: ChatKeys;
  store: StoreSettings;
  runner: RunnerSettings;
};

/** One process and the seats taken in it. */
export type Hosted = {
  serial: number;
  process: AgentProcess;
  loading: Promise<void>;
  loaded: boolean;
  loadedAt: number;
  startedAt: string;
  /** Runs in it or about to be. */
  seats: number;
  /** Nobody is seated beside its one run, which has lost a process before or has one of its own by the settings. */
  alone: boolean;
  /** Takes no new runs and stops after its last. */
  draining: boolean;
  /** We stopped it while it loaded, which says nothing about the agent. */
  superseded: boolean;
  /** A run of it came to an end of its own, so the agent works. */
  proven: boolean;
  idle: NodeJS.Timeout | undefined;
};

export class Pool {
  version: AgentVersion;
  env: Record<string, string>;
  /** Values of `env` that nobody is shown. */
  secrets: readonly string[];
  readonly environment: string;
  readonly hosted: Hosted[] = [];
  /** Makes the processes of a Python version that has one for each run. */
  readonly forks: Forks;
  /** Callers in the middle of an acquire or load. */
  callers = 0;
  readonly #start: (pool: Pool) => AgentProcess;
  readonly #cores: number;
  readonly #homes = new Map<number, number>();
  #changed = Promise.withResolvers<void>();
  #serial = 0;
  #failures = 0;
  #retryAt = 0;
  #lastError: LoadError | undefined;

  constructor(
    version: AgentVersion,
    environment: string,
    env: Record<string, string>,
    secrets: readonly string[],
    cores: number,
    forks: Forks,
    start: (pool: Pool) => AgentProcess,
  ) {
    this.version = version;
    this.environment = environment;
    this.env = env;
    this.secrets = secrets;
    this.#cores = cores;
    this.forks = forks;
    this.#start = start;
  }

  /** Resolves when a seat may have become free or a process may be started. */
  get changed(): Promise<void> {
    return this.#changed.promise;
  }

  /** Whoever waits for a seat looks again. */
  wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  /** True when nothing here is worth keeping: no process, and no back-off that another start could lengthen. */
  get forgettable(): boolean {
    return (
      this.hosted.length === 0 &&
      this.callers === 0 &&
      this.forks.isEmpty &&
      performance.now() > this.#retryAt + BACKOFF_MOST_MS
    );
  }

  /**
   * Takes a seat: in the process that holds the thread's state, else in the emptiest, else in a new one. One taken
   * alone has no other beside it. Null when there is none. Throws the last LoadError while a broken agent is left
   * alone and no process of it lives.
   */
  seat(logId: number, alone: boolean): Hosted | null {
    const { concurrency, isolation } = this.version.runner;
    const seats = alone || isolation === "run" ? 1 : concurrency;
    const open = this.#open();
    const free = open.filter((hosted) => hosted.seats < seats && !hosted.alone && !hosted.process.silent);
    const home = this.#homes.get(logId);
    let chosen = free.find((hosted) => hosted.serial === home) ?? emptiest(free);
    if (!chosen) {
      // For a lone run one more, or a stream of others would keep it waiting for a process to be empty.
      if (open.length >= this.#most + (alone ? 1 : 0)) return null;
      if (performance.now() < this.#retryAt) {
        if (open.length > 0) return null;
        throw this.#lastError!;
      }
      chosen = this.start();
    }
    chosen.seats++;
    chosen.alone = alone || isolation === "run";
    clearTimeout(chosen.idle);
    this.#remember(logId, chosen.serial);
    return chosen;
  }

  /** Gives a seat back. */
  leave(hosted: Hosted): void {
    hosted.seats--;
    const isOneTooMany = hosted.alone && this.#open().length > this.#most;
    if (!hosted.draining && (isOneTooMany || this.version.runner.isolation === "run")) this.#retire(hosted);
    hosted.alone = false;
    if (hosted.seats === 0) {
      if (hosted.draining) void hosted.process.stop();
      else if (hosted.loaded) this.#idle(hosted);
    }
    this.wake();
  }

  /** A process that is loaded or loading and takes runs. */
  present(): Hosted | undefined {
    return this.#open()[0];
  }

  start(): Hosted {
    const process = this.#start(this);
    const hosted: Hosted = {
      serial: ++this.#serial,
      process,
      loading: process.start(),
      loaded: false,
      loadedAt: 0,
      startedAt: new Date().toISOString(),
      seats: 0,
      alone: false,
      draining: false,
      superseded: false,
      proven: false,
      idle: undefined,
    };
    this.hosted.push(hosted);
    hosted.loading.then(
      () => {
        hosted.loaded = true;
        hosted.loadedAt = performance.now();
        if (hosted.seats === 0) this.#idle(hosted);
      },
      (error: LoadError | AgentLost) => {
        if (!hosted.superseded && error instanceof LoadError) this.#backOff(error);
        hosted.draining = true;
        this.wake();
      },
    );
    void process.ended.then((loss) => this.#remove(hosted, loss));
    return hosted;
  }

  /** The present processes finish their runs, take no new ones and stop. The agent gets a new chance at once. */
  drain(): void {
    this.#failures = 0;
    this.#retryAt = 0;
    this.forks.renew();
    for (const hosted of this.hosted) {
      this.#retire(hosted);
      if (hosted.seats === 0 || hosted.superseded) void hosted.process.stop();
    }
    this.wake();
  }

  /** Stops all processes with whatever they run. Resolves when they are gone. */
  async stop(): Promise<void> {
    for (const hosted of this.hosted) this.#retire(hosted);
    this.wake();
    await Promise.all(this.hosted.map((hosted) => hosted.process.stop()));
    await this.forks.stop();
  }

  #retire(hosted: Hosted): void {
    hosted.draining = true;
    if (!hosted.loaded) hosted.superseded = true;
  }

  get #most(): number {
    return this.version.runner.processes ?? this.#cores;
  }

  #open(): Hosted[] {
    return this.hosted.filter((hosted) => !hosted.draining && !hosted.process.wasEndedByUs);
  }

  #idle(hosted: Hosted): void {
    clearTimeout(hosted.idle);
    hosted.idle = setTimeout(() => {
      hosted.draining = true;
      void hosted.process.stop();
    }, this.version.runner.idle_timeout_s * 1000).unref();
  }

  #remember(logId: number, serial: number): void {
    this.#homes.delete(logId);
    this.#homes.set(logId, serial);
    if (this.#homes.size > MAX_REMEMBERED_THREADS) this.#homes.delete(this.#homes.keys().next().value!);
  }

  #remove(hosted: Hosted, loss: AgentLost): void {
    clearTimeout(hosted.idle);
    this.hosted.splice(this.hosted.indexOf(hosted), 1);
    if (hosted.loaded) {
      const early = performance.now() - hosted.loadedAt < EARLY_DEATH_MS && !hosted.proven;
      if (!early) this.#failures = 0;
      // A lone run is known to end its process: that says nothing about the agent's loading, and others may go on.
      else if (!hosted.alone && !hosted.process.wasEndedByUs && !loss.wasEndedFromOutside)
        this.#backOff(earlyDeath(loss));
    }
    this.wake();
  }

  #backOff(error: LoadError): void {
    const pauseMs = Math.min(BACKOFF_MOST_MS, BACKOFF_FIRST_MS * 2 ** this.#failures);
    this.#lastError = error;
    this.#retryAt = performance.now() + pauseMs;
    this.#failures++;
    // Who waits beside a busy process may start another then. A timer may be early by a fraction of a millisecond.
    setTimeout(() => this.wake(), pauseMs + 1).unref();
  }
}

/** The one with the fewest runs; of equals one that is loaded. */
function emptiest(free: Hosted[]): Hosted | undefined {
  const load = (hosted: Hosted) => hosted.seats + (hosted.loaded ? 0 : 0.5);
  return free.toSorted((a, b) => load(a) - load(b))[0];
}

function earlyDeath(loss: AgentLost): LoadError {
  return new LoadError({
    code: "load_failed",
    message: `The agent process ${loss.reason} right after its start.`,
    ...(loss.stderr === "" ? {} : { traceback: loss.stderr }),
  });
}

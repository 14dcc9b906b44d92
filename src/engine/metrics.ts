/**
 * What a node counts and times, for `/metrics`. Each metric is made here, with its meaning; docs/metrics.md tells the same,
 * and a test compares the two. What the database or the supervisor knows is asked when somebody looks.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { Counter, Gauge, Histogram, type MetricObjectWithValues, Registry } from "prom-client";
import type { RunStatus } from "../core/moves.ts";
import type { AgentProcessState } from "../core/operations.ts";
import type { Queryable } from "../store/database.ts";
import { liveRuns } from "../store/leases.ts";

const NANOSECONDS = 1e9;
const MB = 1024 * 1024;
const LOOP_RESOLUTION_MS = 20;
const FAST_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const SLOW_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];

/** What a look asks of the node. */
type Sources = { database: Queryable; supervisor: { processes(): AgentProcessState[] } };
type OverRun = {
  status: RunStatus;
  created_at: string;
  started_at: string | null;
  completed_at: string | null;
};

export class Metrics {
  readonly #registry = new Registry();
  readonly #loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });

  readonly #live = this.#gauge("crewship_runs", "Runs that are not over, by status, of all nodes.", [
    "status",
  ]);
  readonly #over = this.#counter(
    "crewship_runs_over_total",
    "Runs that this node executed to their end, by status.",
    ["status"],
  );
  readonly #toStart = this.#histogram(
    "crewship_run_start_seconds",
    "From a run's creation to its start; waiting for its thread or its time included.",
    SLOW_S,
  );
  readonly #duration = this.#histogram(
    "crewship_run_seconds",
    "From a run's start to its end, by status.",
    SLOW_S,
    ["status"],
  );
  readonly #events = this.#counter("crewship_events_total", "Events of runs that this node stored.");
  readonly #commits = this.#histogram(
    "crewship_commit_seconds",
    "Commits of what agents said, until the database has them for good.",
    FAST_S,
  );
  readonly #processes = this.#gauge("crewship_agent_processes", "Agent processes of this node, by state.", [
    "state",
  ]);
  readonly #agentMemory = this.#gauge(
    "crewship_agent_memory_bytes",
    "Resident memory of this node's agent processes together, as they last said.",
  );
  readonly #streams = this.#gauge("crewship_open_streams", "Event streams that this node has open.");
  readonly #requests = this.#histogram(
    "crewship_http_request_seconds",
    "Answers of this node, by method, route and status; a stream's time is that to its end.",
    FAST_S,
    ["method", "route", "status"],
  );
  readonly #delay = this.#gauge(
    "crewship_event_loop_delay_seconds",
    "How late this node's event loop ran its timers since the last look, by quantile; 1 is the worst.",
    ["quantile"],
  );
  readonly #memory = this.#gauge(
    "crewship_memory_bytes",
    "Resident memory of this node, without its agents.",
  );

  constructor() {
    this.#loop.enable();
  }

  runOver({ status, created_at, started_at, completed_at }: OverRun): void {
    this.#over.inc({ status });
    if (started_at === null || completed_at === null) return;
    this.#toStart.observe(Math.max(0, secondsBetween(created_at, started_at)));
    this.#duration.observe({ status }, Math.max(0, secondsBetween(started_at, completed_at)));
  }

  eventsStored(count: number): void {
    this.#events.inc(count);
  }

  committed(seconds: number): void {
    this.#commits.observe(seconds);
  }

  /** Returns how to say that it is closed. */
  streamOpened(): () => void {
    this.#streams.inc();
    return () => this.#streams.dec();
  }

  /** `route` as the table has it: an address would make a series of its own for each thread. */
  answered(method: string, route: string, status: number, seconds: number): void {
    this.#requests.observe({ method, route, status }, seconds);
  }

  async text(sources: Sources): Promise<string> {
    await this.#look(sources);
    return this.#registry.metrics();
  }

  async json(sources: Sources): Promise<MetricObjectWithValues<never>[]> {
    await this.#look(sources);
    return this.#registry.getMetricsAsJSON() as Promise<MetricObjectWithValues<never>[]>;
  }

  async #look({ database, supervisor }: Sources): Promise<void> {
    const { pending, running } = await liveRuns(database);
    this.#live.set({ status: "pending" }, pending);
    this.#live.set({ status: "running" }, running);
    const processes = supervisor.processes();
    for (const state of ["loading", "ready", "draining"] as const)
      this.#processes.set({ state }, processes.filter((process) => process.state === state).length);
    this.#agentMemory.set(MB * processes.reduce((sum, { memory_mb }) => sum + memory_mb, 0));
    for (const quantile of [0.5, 0.99, 1])
      this.#delay.set({ quantile }, this.#loop.count === 0 ? 0 : this.#lateness(quantile));
    this.#loop.reset();
    this.#memory.set(process.memoryUsage.rss());
  }

  /** A timer on time is recorded with the resolution, not with nothing. */
  #lateness(quantile: number): number {
    const recorded = this.#loop.percentile(quantile * 100) / NANOSECONDS;
    return Math.max(0, recorded - LOOP_RESOLUTION_MS / 1000);
  }

  #counter(name: string, help: string, labelNames: string[] = []): Counter {
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
  }

  #gauge(name: string, help: string, labelNames: string[] = []): Gauge {
    return new Gauge({ name, help, labelNames, registers: [this.#registry] });
  }

  #histogram(name: string, help: string, buckets: number[], labelNames: string[] = []): Histogram {
    return new Histogram({ name, help, buckets, labelNames, registers: [this.#registry] });
  }
}

function secondsBetween(from: string, to: string): number {
  return (Date.parse(to) - Date.parse(from)) / 1000;
}

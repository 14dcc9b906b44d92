/**
 * What threads and runs should be, in the simplest words: every checkpoint is a label, every copy is a copy, a queue is
 * a list. Knows nothing of logs, leases or processes.
 */
import { MAX_LOST_NODES } from "../../src/core/lease.ts";
import type { RunStatus, ThreadStatus } from "../../src/core/moves.ts";
import type { MultitaskStrategy } from "../../src/core/run.ts";

/** What a run does once it may go on: it answers, asks, or fails. */
export type Way = "answer" | "ask" | "fail";

/** A state is named by the one value it holds. `asks`: the question that waits there. */
export type Point = { label: string; parent: string | null; run: string | null; asks: string | null };

export type ModelRun = {
  label: string;
  way: Way;
  status: RunStatus;
  /** The checkpoint it was to start from, null: the head it finds. */
  from: Point | null;
  resumes: boolean;
  /** It may begin only in an hour, which never comes. */
  later: boolean;
  attempt: number;
  lostNodes: number;
};

export type Order = {
  label: string;
  way: Way;
  strategy: MultitaskStrategy;
  from: Point | null;
  resumes: boolean;
  later: boolean;
};

export class ModelThread {
  status: ThreadStatus = "idle";
  points: Point[] = [];
  head: Point | null = null;
  runs: ModelRun[] = [];

  get running(): ModelRun | undefined {
    return this.runs.find(({ status }) => status === "running");
  }

  get live(): ModelRun[] {
    return this.runs.filter(({ status }) => status === "pending" || status === "running");
  }

  /** The error the order is refused with, or the run, which may have begun. */
  order(order: Order): string | ModelRun {
    const trial = this.#clone();
    if (trial.live.length > 0) {
      if (order.strategy === "reject") return "thread_busy";
      if (order.strategy !== "enqueue") {
        for (const run of trial.live) trial.cancel(run, order.strategy === "rollback");
      }
    }
    if (order.from && !trial.points.some(({ label }) => label === order.from!.label)) return "not_found";
    if (trial.live.length === 0 && order.resumes && !trial.#asks(order.from)) return "interrupt_not_waiting";
    for (const run of order.strategy === "interrupt" || order.strategy === "rollback" ? this.live : []) {
      this.cancel(run, order.strategy === "rollback");
    }
    const { label, way, from, resumes, later } = order;
    const run: ModelRun = {
      label,
      way,
      from,
      resumes,
      later,
      status: "pending",
      attempt: 0,
      lostNodes: 0,
    };
    this.runs.push(run);
    this.status = "busy";
    this.next();
    return run;
  }

  /** Begins the run whose turn it is. One that finds nothing to answer, or its checkpoint gone, fails at once. */
  next(): void {
    while (!this.running) {
      const run = this.runs.find(({ status, later }) => status === "pending" && !later);
      if (!run) return;
      run.status = "running";
      run.attempt++;
      const gone = run.from !== null && !this.points.some(({ label }) => label === run.from!.label);
      if (gone || (run.resumes && !this.#asks(run.from))) this.#over(run, "failed");
      else {
        this.#put({
          label: `${run.label}.1`,
          parent: (run.from ?? this.head)?.label ?? null,
          run: run.label,
          asks: null,
        });
        return;
      }
    }
  }

  /** What holds the running run is taken away. */
  finish(run: ModelRun): void {
    if (run.way === "fail") this.#over(run, "failed");
    else {
      const asks = run.way === "ask" ? run.label : null;
      this.#put({ label: `${run.label}.2`, parent: `${run.label}.1`, run: run.label, asks });
      this.#over(run, asks ? "interrupted" : "succeeded");
    }
    this.next();
  }

  cancel(run: ModelRun, rollback: boolean): void {
    if (rollback) {
      this.points = this.points.filter((point) => point.run !== run.label);
      this.head = this.points.at(-1) ?? null;
    }
    this.#over(run, "canceled");
  }

  /** The node that executes is gone: the run is taken up by another, once too often it is given up. */
  lose(): void {
    const run = this.running;
    if (!run) return;
    run.lostNodes++;
    if (run.lostNodes < MAX_LOST_NODES) run.attempt++;
    else this.#over(run, "failed");
    this.next();
  }

  /** Returns the refusal, if any. */
  update(label: string, from: Point | null): string | undefined {
    if (this.status === "busy") return "thread_busy";
    this.#put({ label, parent: (from ?? this.head)?.label ?? null, run: null, asks: null });
    this.status = "idle";
    return undefined;
  }

  /** Keeps the newest point, and those of the newest runs, so many; a change by hand counts as one. */
  prune(last: number): boolean {
    if (this.status === "busy") return false;
    const runs = [...new Set(this.points.map((point) => point.run ?? point))].reverse().slice(0, last);
    this.points = this.points.filter((point) => point === this.head || runs.includes(point.run ?? point));
    return true;
  }

  copy(upTo: Point | null): ModelThread {
    const copy = new ModelThread();
    const end = upTo ? this.points.indexOf(upTo) + 1 : this.points.length;
    copy.points = this.points.slice(0, end);
    copy.head = copy.points.at(-1) ?? null;
    copy.status = copy.head?.asks ? "interrupted" : "idle";
    return copy;
  }

  #asks(from: Point | null): boolean {
    return Boolean((from ?? this.head)?.asks);
  }

  #put(point: Point): void {
    this.points.push(point);
    this.head = point;
  }

  #over(run: ModelRun, status: "succeeded" | "failed" | "interrupted" | "canceled"): void {
    run.status = status;
    const resting = { succeeded: "idle", failed: "error", interrupted: "interrupted" } as const;
    if (this.live.length > 0) this.status = "busy";
    else if (status === "canceled") this.status = this.head?.asks ? "interrupted" : "idle";
    else this.status = resting[status];
  }

  #clone(): ModelThread {
    const clone = new ModelThread();
    clone.points = [...this.points];
    clone.head = this.head;
    clone.runs = this.runs.map((run) => ({ ...run }));
    return clone;
  }
}

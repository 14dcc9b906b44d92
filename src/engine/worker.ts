/**
 * A node's executing side: how many runs it holds, which pending ones it claims, the leases it renews. Everything it
 * knows in memory can be lost: leases and the runs' rows are the truth.
 */
import { type Lease, RENEW_MS } from "../core/lease.ts";
import { renewLeases } from "../store/leases.ts";
import { changeLog, lockFreeLog } from "../store/logs.ts";
import { claimableRuns, nextDueMs } from "../store/queue.ts";
import { agentVersion } from "./agent_version.ts";
import { begin, type Execution } from "./begin.ts";
import { end, failure } from "./commit.ts";
import { execute } from "./execute.ts";
import { giveBack } from "./give_back.ts";
import { SLOW_TIMER_MS, type Wait } from "./hints.ts";
import { canceledRun, type Node, PENDING_TOPIC } from "./node.ts";
import { logFailure } from "./outage.ts";

/** How soon a renewal that failed is tried again. */
const RENEW_AGAIN_MS = 500;

type Held = { execution: Execution; stop: AbortController; over: Promise<void>; timeout: NodeJS.Timeout };

export class Worker {
  readonly #node: Node;
  readonly #concurrency: number;
  readonly #held = new Map<string, Held>();
  #reserved = 0;
  readonly #stopping = new AbortController();
  #loops: Promise<void>[] = [];
  #wait: Wait | undefined;
  #deafen = () => {};
  /** A run was not taken for want of a place, or because its thread had not settled: look again when a run ends. */
  #someoneWaits = false;

  constructor(node: Node, concurrency: number) {
    this.#node = node;
    this.#concurrency = concurrency;
  }

  /** Begins to claim pending runs and to renew leases. */
  begin(): void {
    this.#deafen = this.#node.database.listen((topic) => {
      const run_id = canceledRun(topic);
      if (run_id !== undefined) this.#stop(run_id);
    });
    this.#loops = [this.#claimLoop(), this.#renewLoop()];
  }

  /** Takes one of the node's places for a run about to be claimed; give it back with start or release. */
  reserve(): boolean {
    if (this.#stopping.signal.aborted) return false;
    if (this.#held.size + this.#reserved >= this.#concurrency) {
      this.#someoneWaits = true;
      return false;
    }
    this.#reserved++;
    return true;
  }

  /** `claimed`: the claim's commit failed, and may stand nevertheless. */
  release(claimed?: Execution): void {
    this.#reserved--;
    if (claimed) this.#node.unsure.add(claimed.lease.run_id);
  }

  /** An ended run of this log still has its framework's call or its process under way here. */
  isSettling(log_id: number): boolean {
    const settling = [...this.#held.values()].some((held) => held.execution.lease.log_id === log_id);
    if (settling) this.#someoneWaits = true;
    return settling;
  }

  /** The attempt this lease stands for is under way here. */
  holds({ run_id, attempt }: Lease): boolean {
    return this.#held.get(run_id)?.execution.lease.attempt === attempt;
  }

  /** Executes a claimed run in a reserved place. */
  start(execution: Execution): void {
    this.#reserved--;
    const { run_id } = execution.lease;
    const stop = new AbortController();
    const over = execute(this.#node, execution, stop.signal).finally(() => {
      clearTimeout(held.timeout);
      this.#held.delete(run_id);
      this.#node.watch.ended(execution);
      if (this.#someoneWaits) this.#wait?.end();
      this.#someoneWaits = false;
    });
    const held: Held = { execution, stop, over, timeout: this.#timeout(execution) };
    this.#held.set(run_id, held);
    this.#node.watch.began(execution);
  }

  /** The run is over in the database: its agent is told to stop, and nothing it says is stored. */
  #stop(run_id: string): void {
    this.#held.get(run_id)?.stop.abort();
  }

  /** Claims nothing more, lets runs finish for so long, then gives back what is left. */
  async close(drainMs: number): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#loops);
    const drained = new AbortController();
    const all = Promise.all([...this.#held.values()].map((held) => held.over)).then(() => drained.abort());
    await Promise.race([all, after(drainMs, drained.signal)]);
    const left = [...this.#held.values()];
    const reason = "The server was stopped while the run was under way.";
    const givenBack = left.map(async ({ execution, stop }) => {
      await changeLog(this.#node.database, execution.lease.log_id, (tx) =>
        giveBack(tx, execution.lease, reason, "drain", execution),
      )
        // A full disk must not keep the server from stopping; the lease runs out by itself.
        .catch((error: unknown) =>
          this.#node.logger.error({ error: String(error) }, "could not give a run back"),
        );
      stop.abort();
    });
    await Promise.all(givenBack);
    await Promise.all(left.map((held) => held.over));
    this.#deafen();
  }

  #timeout(execution: Execution): NodeJS.Timeout {
    const { run_id } = execution.lease;
    const settings = agentVersion(execution.version).runner;
    const limit_s = Math.min(execution.run.timeout_s ?? Number.POSITIVE_INFINITY, settings.run_timeout_s);
    // Both times are the database's: this node's clock may be wrong.
    const usedMs = Date.parse(execution.run.moved_at) - Date.parse(execution.run.started_at!);
    const leftMs = Math.max(0, limit_s * 1000 - usedMs);
    const expire = async () => {
      const message = `The run took longer than ${limit_s} s. Raise [runner] run_timeout_s or the request's timeout_s.`;
      await changeLog(this.#node.database, execution.lease.log_id, (tx) =>
        end(tx, execution, "fail", failure({ code: "run_timeout", message })),
      ).catch((error: unknown) =>
        this.#node.logger.warn({ run_id, error: String(error) }, "could not time a run out"),
      );
      this.#stop(run_id);
    };
    return setTimeout(() => void expire(), Math.min(leftMs, 2 ** 31 - 1));
  }

  async #claimLoop(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      this.#wait = this.#node.hints.wait(PENDING_TOPIC, signal);
      let dueMs: number | undefined;
      try {
        await this.#claimSome();
        dueMs = await nextDueMs(this.#node.database);
      } catch (error) {
        logFailure(this.#node.logger, error, "could not look for pending runs");
      }
      const due =
        dueMs === undefined ? undefined : setTimeout(this.#wait.end, Math.min(dueMs, SLOW_TIMER_MS));
      await this.#wait.over;
      clearTimeout(due);
    }
  }

  async #claimSome(): Promise<void> {
    const free = this.#concurrency - this.#held.size - this.#reserved;
    if (free <= 0) {
      this.#someoneWaits = true;
      return;
    }
    const { database, machine } = this.#node;
    for (const target of await claimableRuns(database, machine, free)) {
      if (this.isSettling(target.log_id) || !this.reserve()) continue;
      let claimed: Execution | undefined;
      try {
        await database.transaction(async (tx) => {
          claimed = (await lockFreeLog(tx, target.log_id))
            ? await begin(tx, this.#node, { ...target, version: target.version_id })
            : undefined;
        });
      } catch (error) {
        this.release(claimed);
        throw error;
      }
      if (claimed) this.start(claimed);
      else this.release();
    }
  }

  async #renewLoop(): Promise<void> {
    const { signal } = this.#stopping;
    let pauseMs = RENEW_MS;
    while (!signal.aborted) {
      await after(pauseMs, signal);
      const leases = [...this.#held.values()].map((held) => held.execution.lease);
      if (leases.length === 0) continue;
      try {
        const kept = await this.#node.database.transaction((tx) =>
          renewLeases(tx, this.#node.node_id, leases),
        );
        for (const { run_id, attempt } of leases) if (!kept.has(`${run_id} ${attempt}`)) this.#stop(run_id);
        pauseMs = RENEW_MS;
      } catch (error) {
        pauseMs = RENEW_AGAIN_MS;
        logFailure(this.#node.logger, error, "could not renew leases");
      }
    }
  }
}

/** Resolves after `ms`, or sooner when the signal aborts. */
export function after(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    if (signal?.aborted) finish();
    else signal?.addEventListener("abort", finish, { once: true });
  });
}

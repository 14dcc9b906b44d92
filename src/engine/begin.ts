/** A node begins to execute a run: the claim, the lease and the run's first event are one fact. */
import type { Lease } from "../core/lease.ts";
import type { Transaction } from "../store/database.ts";
import { getVersion, type VersionRow } from "../store/deployments.ts";
import { appendEvents } from "../store/events.ts";
import { claimRun } from "../store/queue.ts";
import type { MovedRun } from "../store/runs.ts";
import { readHead } from "../store/threads.ts";
import { logTopic, type Node } from "./node.ts";

/** A run this node holds. */
export type Execution = {
  lease: Lease;
  run: MovedRun;
  run_number: number;
  version: VersionRow;
  /** This attempt has committed a checkpoint. */
  progressed: boolean;
  /** This attempt has been given to an agent process: its code may have done something. */
  seated: boolean;
};

/** Claims a pending run; undefined when somebody else has it or its thread is taken. */
export async function begin(
  tx: Transaction,
  node: Node,
  target: { log_id: number; run_id: string; version_id: string },
): Promise<Execution | undefined> {
  const claimed = await claimRun(tx, target, node.node_id);
  if (!claimed) return undefined;
  const version = (await getVersion(tx, target.version_id))!;
  const { lease, run } = claimed;
  const run_number = run.run_number!;
  if (run.attempt === 1) {
    const data = {
      entrypoint: version.entrypoint,
      version_number: version.number,
      started_at: run.started_at,
    };
    await appendEvents(tx, lease, run_number, [{ type: "run.started", data }]);
  } else {
    const { head } = await readHead(tx, lease.log_id);
    const data = { attempt: run.attempt, checkpoint_id: head?.checkpoint_id ?? null };
    await appendEvents(tx, lease, run_number, [{ type: "run.restarted", data }]);
  }
  tx.hint(logTopic(lease.log_id));
  return { lease, run, run_number, version, progressed: false, seated: false };
}

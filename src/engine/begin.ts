/** A node begins to execute a run: the claim, the lease and the run's first event are one fact. */
import type { Transaction } from "../store/database.ts";
import { appendEvents, type Writer } from "../store/events.ts";
import { claimRun } from "../store/queue.ts";
import type { MovedRun } from "../store/runs.ts";
import { readHead } from "../store/threads.ts";
import { getVersion, type VersionRow } from "../store/versions.ts";
import { logTopic, type Node } from "./node.ts";

/** A run this node holds. */
export type Execution = Writer & {
  run: MovedRun;
  /** When this attempt was claimed, by the database's clock. */
  claimed_at: string;
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
  const writer = { lease, run_number: run.run_number!, batch: 0 };
  if (run.attempt === 1) {
    const data = {
      entrypoint: version.entrypoint,
      version_number: version.number,
      started_at: run.started_at,
    };
    await appendEvents(tx, writer, [{ type: "run.started", data }]);
  } else {
    const { head } = await readHead(tx, lease.log_id);
    const data = { attempt: run.attempt, checkpoint_id: head?.checkpoint_id ?? null };
    await appendEvents(tx, writer, [{ type: "run.restarted", data }]);
  }
  tx.hint(logTopic(lease.log_id));
  return { ...writer, run, claimed_at: claimed.at, version, progressed: false, seated: false };
}

/** A node begins to execute a run: the claim, the lease and the run's first event are one fact. */

import type { Event } from "../core/event.ts";
import { type CheckpointRow, readHead } from "../store/checkpoints.ts";
import type { Transaction } from "../store/database.ts";
import type { Writer } from "../store/events.ts";
import type { RunInput } from "../store/inputs.ts";
import { claimRun } from "../store/queue.ts";
import type { MovedRun } from "../store/runs.ts";
import { getVersion, type VersionRow } from "../store/versions.ts";
import { logTopic, type Node } from "./node.ts";

/** A run this node holds. */
export type Execution = Writer & {
  run: MovedRun;
  version: VersionRow;
  /** What it was given, once that has been read: its checkpoints need not repeat it. */
  input?: RunInput;
  /** Its subgraphs' checkpoints are events as well. */
  tells_subgraphs: boolean;
  /** This attempt has committed a checkpoint. */
  progressed: boolean;
  /** This attempt has been given to an agent process: its code may have done something. */
  seated: boolean;
};

/** Claims a pending run of a version, or of the one with that id; undefined when somebody else has it or its thread is taken. */
export async function begin(
  tx: Transaction,
  node: Node,
  target: { log_id: number; run_id: string; version: VersionRow | string },
): Promise<Execution | undefined> {
  const version =
    typeof target.version === "string" ? (await getVersion(tx, target.version))! : target.version;
  const claimed = await claimRun(tx, target, node.node_id, async (run) => [
    run.attempt === 1 ? started(run, version) : restarted(run, (await readHead(tx, run.log_id)).head),
  ]);
  if (!claimed) return undefined;
  const { lease, run } = claimed;
  tx.hint(logTopic(lease.log_id));
  return {
    lease,
    run_number: run.run_number!,
    batch: 0,
    run,
    version,
    tells_subgraphs: false,
    progressed: false,
    seated: false,
  };
}

function started({ started_at }: MovedRun, { entrypoint, number }: VersionRow): Event {
  return { type: "run.started", data: { entrypoint, version_number: number, started_at } };
}

function restarted({ attempt }: MovedRun, head: CheckpointRow | undefined): Event {
  return { type: "run.restarted", data: { attempt, checkpoint_id: head?.checkpoint_id ?? null } };
}

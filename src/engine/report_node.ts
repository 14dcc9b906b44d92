/** A node of several says every few seconds that it lives and what it does, for whoever asks another one. */
import type { NodeState } from "../core/operations.ts";
import { reportNode } from "../store/nodes.ts";
import type { Node } from "./node.ts";
import { logFailure } from "./outage.ts";
import { after } from "./worker.ts";

const REPORT_MS = 5_000;
/** What is said at most: a row that is written this often stays small. */
const MAX_PROCESSES = 200;
const MAX_RUNS_OF_PROCESS = 50;

/** Reports until the signal aborts. The one node of an embedded database answers for itself, and writes nothing. */
export async function reportNodes(node: Node, state: () => NodeState, signal: AbortSignal): Promise<void> {
  if (!node.database.dialect.shared) return;
  while (!signal.aborted) {
    try {
      await node.database.transaction((tx) => reportNode(tx, node.node_id, bounded(state())));
    } catch (error) {
      logFailure(node.logger, error, "could not report what this node does");
    }
    await after(REPORT_MS, signal);
  }
}

function bounded({ processes, ...state }: NodeState): NodeState {
  const some = processes.slice(0, MAX_PROCESSES).map(({ run_ids, ...process }) => ({
    ...process,
    run_ids: run_ids.slice(0, MAX_RUNS_OF_PROCESS),
  }));
  return { ...state, processes: some };
}

/** A checkpoint a client named must be one of its thread; anything else is the same 404. */
import { Problem } from "../core/problem.ts";
import { type CheckpointRow, findCheckpoint } from "../store/checkpoints.ts";
import type { Queryable } from "../store/database.ts";
import { openView, type View } from "../store/logs.ts";

export async function findCheckpointOf(
  q: Queryable,
  log_id: number,
  checkpoint_id: string,
): Promise<{ view: View; row: CheckpointRow }> {
  const view = await openView(q, log_id);
  const row = await findCheckpoint(q, view, "", checkpoint_id);
  if (!row) throw new Problem("not_found", { what: "checkpoint", id: checkpoint_id });
  return { view, row };
}

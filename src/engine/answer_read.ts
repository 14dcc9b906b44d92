/** What an agent process reads of its thread: checkpoints in the form the runner revives them from. */
import type { Json } from "../core/json.ts";
import type { RunnerMessageOf, StoredCheckpoint } from "../runner/protocol.ts";
import type { AgentRun } from "../runner/run.ts";
import {
  type CheckpointRow,
  channelValues,
  findCheckpoint,
  listCheckpointsById,
} from "../store/checkpoints.ts";
import type { Queryable } from "../store/database.ts";
import { readItems } from "../store/items.ts";
import type { View } from "../store/logs.ts";
import { pendingWrites } from "../store/writes.ts";

/** Answers a `read`: the named checkpoints with their values, and every item they refer to. */
export async function answerRead(
  q: Queryable,
  view: View,
  run: AgentRun,
  read: RunnerMessageOf<"read">,
): Promise<void> {
  const rows =
    read.kind === "list"
      ? await listCheckpointsById(q, view, read)
      : [await findCheckpoint(q, view, read.namespace ?? "", read.checkpoint_id)].filter(
          (row) => row !== undefined,
        );
  const { checkpoints, items } = await storedCheckpoints(q, view, rows);
  run.reply(read.request_id, checkpoints, items);
}

/** Checkpoints in the form the runner revives them from, and the items they refer to. */
async function storedCheckpoints(
  database: Queryable,
  view: View,
  rows: CheckpointRow[],
): Promise<{ checkpoints: StoredCheckpoint[]; items: [number, number, Json][] }> {
  const valueAt = await channelValues(database, view, rows);
  const checkpoints: StoredCheckpoint[] = [];
  for (const row of rows) {
    const channels = Object.entries(row.channels).map(([name, position]) => [name, valueAt(position, name)]);
    checkpoints.push({
      namespace: row.namespace,
      checkpoint_id: row.checkpoint_id,
      parent_checkpoint_id: row.parent_checkpoint_id,
      run_id: row.run_id,
      position: row.position,
      channels: Object.fromEntries(channels) as Record<string, Json>,
      state: row.state,
      metadata: row.metadata,
      next: row.shown?.next ?? null,
      writes: await pendingWrites(database, view, row.namespace, row.checkpoint_id),
    });
  }
  const referring = checkpoints.flatMap(({ channels, state, metadata, writes }) => [
    ...Object.values(channels),
    state,
    metadata,
    ...writes.map((write) => write.value),
  ]);
  const items = [...(await readItems(database, referring)).values()];
  return { checkpoints, items: items.map(({ log, number, body }) => [log, number, body]) };
}

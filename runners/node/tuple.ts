/** A checkpoint with live values as the saver keeps it for the latest of each namespace. */
import type { Checkpoint, CheckpointTuple, PendingWrite, RunnableConfig } from "./framework.ts";

export type LiveWrite = { task_id: string; task_path: string; idx: number; channel: string; value: unknown };

export type LiveTuple = {
  namespace: string;
  checkpoint: Checkpoint;
  metadata: Record<string, unknown>;
  parentId: string | null;
  writes: LiveWrite[];
};

/** LangGraph changes the checkpoints it is given, so every tuple gets its own copy of all but the values. */
export function copyCheckpoint(checkpoint: Checkpoint): Checkpoint {
  const seen: Checkpoint["versions_seen"] = {};
  for (const [node, versions] of Object.entries(checkpoint.versions_seen ?? {})) seen[node] = { ...versions };
  return {
    ...checkpoint,
    channel_values: { ...checkpoint.channel_values },
    channel_versions: { ...checkpoint.channel_versions },
    versions_seen: seen,
    ...(checkpoint.pending_sends && { pending_sends: [...checkpoint.pending_sends] }),
  };
}

export function tupleConfig(threadId: string, namespace: string, checkpointId: string): RunnableConfig {
  return { configurable: { thread_id: threadId, checkpoint_ns: namespace, checkpoint_id: checkpointId } };
}

export function toTuple(live: LiveTuple, threadId: string, config?: RunnableConfig): CheckpointTuple {
  const { namespace, checkpoint, metadata, parentId, writes } = live;
  return {
    config: config ?? tupleConfig(threadId, namespace, checkpoint.id),
    checkpoint: copyCheckpoint(checkpoint),
    metadata: { ...metadata },
    pendingWrites: writes.map(({ task_id, channel, value }): PendingWrite => [task_id, channel, value]),
    ...(parentId !== null && { parentConfig: tupleConfig(threadId, namespace, parentId) }),
  };
}

/** Adds writes as a saver must: for the framework's special channels the newest counts, for others the first. */
export function addWrites(writes: LiveWrite[], added: LiveWrite[]): void {
  for (const write of added) {
    const at = writes.findIndex((known) => known.task_id === write.task_id && known.idx === write.idx);
    if (at < 0) writes.push(write);
    else if (write.idx < 0) writes[at] = write;
  }
  writes.sort(
    (a, b) =>
      compareCodePoints(a.task_path, b.task_path) || compareCodePoints(a.task_id, b.task_id) || a.idx - b.idx,
  );
}

/** Text by code point, as LangGraph (and Python) order it: JavaScript's own `<` compares UTF-16 units. */
function compareCodePoints(a: string, b: string): number {
  if (a === b) return 0;
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

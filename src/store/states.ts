/** States as people see them: a checkpoint with its values in place, its next nodes and open questions. */
import type { Checkpoint, ThreadState } from "../core/checkpoint.ts";
import { type ItemLookup, show } from "../core/encoding.ts";
import { isObject, type Json, type JsonObject, setOwn } from "../core/json.ts";
import { type CheckpointRow, channelValues, findCheckpoint, selectCheckpoints } from "./checkpoints.ts";
import type { Queryable } from "./database.ts";
import { itemLookup } from "./items.ts";
import type { View } from "./logs.ts";
import { newestBranch, questionsIn, withoutTaskId } from "./questions.ts";
import { pendingWrites } from "./writes.ts";

const ERROR_CHANNEL = "__error__";

/** Channels a framework keeps for itself, when it did not report which ones are visible. */
const isInternal = (channel: string) => channel.startsWith("__") || channel.startsWith("branch:");

/** Checkpoints as the API shows them, values in place. One read for all of them. */
export async function showCheckpoints(
  q: Queryable,
  view: View,
  thread_id: string,
  rows: readonly CheckpointRow[],
): Promise<Checkpoint[]> {
  const visible = rows.map((row) => ({ ...row, channels: visibleChannels(row) }));
  const valueAt = await channelValues(q, view, visible);
  const encoded = visible.map((row) => {
    const values: JsonObject = {};
    for (const [channel, position] of Object.entries(row.channels))
      setOwn(values, channel, valueAt(position, channel));
    for (const [key, value] of Object.entries(row.shown?.values ?? {})) setOwn(values, key, value);
    return values;
  });
  const lookup = await itemLookup(q, [
    ...encoded.flatMap((values) => Object.values(values)),
    ...rows.map((row) => row.shown?.tasks ?? []),
  ]);
  return rows.map((row, i) => ({
    checkpoint_id: row.checkpoint_id,
    thread_id,
    parent_checkpoint_id: row.parent_checkpoint_id,
    run_id: row.run_id,
    step: row.step,
    source: row.source,
    values: shownValues(encoded[i]!, lookup),
    next: row.shown?.next ?? [],
    tasks: (row.shown?.tasks ?? []).map((task) => show(task, lookup)),
    metadata: show(row.metadata, lookup) as JsonObject,
    created_at: row.created_at,
  }));
}

/** Channel by channel: the object of all channels is no encoded value, a channel may have the reserved key's name. */
function shownValues(encoded: JsonObject, lookup: ItemLookup): JsonObject {
  const values: JsonObject = {};
  for (const [channel, value] of Object.entries(encoded)) setOwn(values, channel, show(value, lookup));
  return values;
}

/** Subgraphs in subgraphs are shown so deep. */
export const MAX_SUBGRAPH_DEPTH = 20;

/**
 * One checkpoint with the questions that wait at it; its tasks carry their questions and errors. `depth`: so many levels of
 * subgraphs, each state with its task.
 */
export async function showState(
  q: Queryable,
  view: View,
  thread_id: string,
  row: CheckpointRow,
  depth = 0,
): Promise<ThreadState> {
  const [checkpoint] = await showCheckpoints(q, view, thread_id, [row]);
  const branch = await newestBranch(q, view, row.checkpoint_id);
  const writes = await pendingWrites(q, branch, row.namespace, row.checkpoint_id);
  const interrupts = await questionsIn(q, writes, row.shown?.tasks ?? []);
  const errors = writes.filter((write) => write.channel === ERROR_CHANNEL);
  const lookup = await itemLookup(
    q,
    errors.map((write) => write.value),
  );
  const tasks: Json[] = [];
  for (const task of checkpoint!.tasks) {
    if (!isObject(task)) {
      tasks.push(task);
      continue;
    }
    const subgraph = depth > 0 ? await findSubgraph(q, branch, row, task) : undefined;
    const error = errors.find((write) => write.task_id === task.id);
    const asked = interrupts.filter((interrupt) => interrupt.task_id === task.id).map(withoutTaskId);
    tasks.push({
      ...task,
      ...(asked.length > 0 ? { interrupts: asked } : {}),
      ...(error ? { error: show(error.value, lookup) } : {}),
      ...(subgraph && {
        state: {
          ...(await showState(q, branch, thread_id, subgraph, depth - 1)),
          namespace: subgraph.namespace,
        } as unknown as Json,
      }),
    });
  }
  return { ...checkpoint!, tasks, interrupts: interrupts.map(withoutTaskId) };
}

/** How far back a subgraph's checkpoint is looked for that stands under its parent's. */
const SUBGRAPH_LOOK = 100;

/**
 * The newest checkpoint of the subgraph that a task runs. LangGraph names its namespace by the task, "node:task_id" below
 * the parent's, or by the node alone when the subgraph remembers from call to call; there the one counts that stands under
 * this checkpoint.
 */
async function findSubgraph(
  q: Queryable,
  view: View,
  { namespace, checkpoint_id }: CheckpointRow,
  { id, name }: JsonObject,
): Promise<CheckpointRow | undefined> {
  const prefix = namespace === "" ? "" : `${namespace}|`;
  const own = await findCheckpoint(q, view, `${prefix}${name}:${id}`);
  if (own) return own;
  const node = `${prefix}${name}`.replace(/:[^|]*/g, "");
  const shared = await selectCheckpoints(q, view, { namespace: node, limit: SUBGRAPH_LOOK });
  return shared.find(({ metadata }) => {
    const { parents } = metadata as { parents?: JsonObject };
    return parents?.[namespace] === checkpoint_id;
  });
}

function visibleChannels(row: CheckpointRow): Record<string, number> {
  const keys = row.shown?.keys ?? Object.keys(row.channels).filter((channel) => !isInternal(channel));
  const visible: Record<string, number> = {};
  for (const key of keys) {
    const position = Object.hasOwn(row.channels, key) ? row.channels[key] : undefined;
    if (position !== undefined && !Object.hasOwn(row.shown?.values ?? {}, key))
      setOwn(visible, key, position);
  }
  return visible;
}

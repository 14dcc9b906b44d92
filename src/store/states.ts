/** States as people see them: a checkpoint with its values in place, its next nodes and open questions. */
import type { Checkpoint, ThreadState } from "../core/checkpoint.ts";
import { type ItemLookup, show } from "../core/encoding.ts";
import { isObject, type Json, type JsonObject, setOwn } from "../core/json.ts";
import type { Interrupt } from "../core/thread.ts";
import { type CheckpointRow, channelValues, checkpointAt } from "./checkpoints.ts";
import type { Queryable } from "./database.ts";
import { itemLookup } from "./items.ts";
import { openView, readLog, type View } from "./logs.ts";
import { sql } from "./sql.ts";
import { type PendingWrite, pendingWrites } from "./writes.ts";

const INTERRUPT_CHANNEL = "__interrupt__";
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
    metadata: show(JSON.parse(row.metadata) as Json, lookup) as JsonObject,
    created_at: row.created_at,
  }));
}

/** Channel by channel: the object of all channels is no encoded value, a channel may have the reserved key's name. */
function shownValues(encoded: JsonObject, lookup: ItemLookup): JsonObject {
  const values: JsonObject = {};
  for (const [channel, value] of Object.entries(encoded)) setOwn(values, channel, show(value, lookup));
  return values;
}

/** One checkpoint with the questions that wait at it; its tasks carry their questions and errors. */
export async function showState(
  q: Queryable,
  view: View,
  thread_id: string,
  row: CheckpointRow,
): Promise<ThreadState> {
  const [checkpoint] = await showCheckpoints(q, view, thread_id, [row]);
  const writes = await pendingWrites(q, view, row.namespace, row.checkpoint_id);
  const interrupts = await questionsIn(q, writes, row.shown?.tasks ?? []);
  const errors = writes.filter((write) => write.channel === ERROR_CHANNEL);
  const lookup = await itemLookup(
    q,
    errors.map((write) => write.value),
  );
  const tasks = checkpoint!.tasks.map((task) => {
    if (!isObject(task)) return task;
    const error = errors.find((write) => write.task_id === task.id);
    const asked = interrupts.filter((interrupt) => interrupt.task_id === task.id).map(withoutTaskId);
    return {
      ...task,
      ...(asked.length > 0 ? { interrupts: asked } : {}),
      ...(error ? { error: show(error.value, lookup) } : {}),
    };
  });
  return { ...checkpoint!, tasks, interrupts: interrupts.map(withoutTaskId) };
}

/** What was asked at a checkpoint, whether or not it was answered since. */
export async function askedQuestions(q: Queryable, view: View, row: CheckpointRow): Promise<Interrupt[]> {
  const writes = await pendingWrites(q, view, row.namespace, row.checkpoint_id);
  return (await questionsIn(q, writes, row.shown?.tasks ?? [], "asked")).map(withoutTaskId);
}

/** The open questions of a log's head. */
export async function openQuestions(q: Queryable, log_id: number): Promise<Interrupt[]> {
  const view = await openView(q, log_id);
  const { head_position } = await readLog(q, log_id);
  const head = head_position === null ? undefined : await checkpointAt(q, view, head_position);
  if (!head) return [];
  const writes = await pendingWrites(q, view, "", head.checkpoint_id);
  return (await questionsIn(q, writes, head.shown?.tasks ?? [])).map(withoutTaskId);
}

/** A log's head waits for a person: a question is open there, or its run stopped there at a breakpoint. */
export async function headWaits(q: Queryable, log_id: number): Promise<boolean> {
  if ((await openQuestions(q, log_id)).length > 0) return true;
  const view = await openView(q, log_id);
  const { head_position } = await readLog(q, log_id);
  const head = head_position === null ? undefined : await checkpointAt(q, view, head_position);
  if (!head?.run_id || !head.shown?.next.length) return false;
  const stopped = await q.query(sql`
    select 1 from runs where run_id = ${head.run_id} and status = 'interrupted'`);
  return stopped.length > 0;
}

type AskedBy = Interrupt & { task_id: string };

/** A question is open until its task has written something else. Its id is the framework's, else its task's. */
async function questionsIn(
  q: Queryable,
  writes: readonly PendingWrite[],
  tasks: readonly Json[],
  which: "open" | "asked" = "open",
): Promise<AskedBy[]> {
  const answered = new Set(
    which === "asked" ? [] : writes.filter((write) => write.idx >= 0).map((write) => write.task_id),
  );
  const open = writes.filter((write) => write.channel === INTERRUPT_CHANNEL && !answered.has(write.task_id));
  if (open.length === 0) return [];
  const lookup: ItemLookup = await itemLookup(
    q,
    open.map((write) => write.value),
  );
  return open.flatMap((write) => {
    const value = show(write.value, lookup);
    const name = tasks.find((task) => isObject(task) && task.id === write.task_id);
    const task = isObject(name) && typeof name.name === "string" ? name.name : undefined;
    return (Array.isArray(value) ? value : [value]).filter(isObject).map((question) => ({
      id: String(question.id ?? question.interrupt_id ?? write.task_id),
      value: question.value ?? null,
      ...(task === undefined ? {} : { task }),
      task_id: write.task_id,
    }));
  });
}

function withoutTaskId({ task_id: _, ...interrupt }: AskedBy): Interrupt {
  return interrupt;
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

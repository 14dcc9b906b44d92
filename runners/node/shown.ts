/** What a person sees of a checkpoint, from what LangGraph says of it: visible channels, what comes next, tasks. */
import type { Json } from "../../src/core/json.ts";
import { encode } from "./encode.ts";
import { messageOf } from "./errors.ts";
import type { Interrupt, TaskState } from "./framework.ts";
import type { Shown } from "./store.ts";
import type { LiveTuple } from "./tuple.ts";

export type CheckpointReport = { values: unknown; next: string[]; tasks: TaskState[] };

/**
 * `held` is the checkpoint being described: values that are the very ones it stores are not repeated. `single` names
 * the channel when the graph's state is one value instead of an object.
 */
export function toShown(
  report: CheckpointReport,
  held: LiveTuple | undefined,
  single: string | undefined,
  encodeValue: (value: unknown, where: string) => Json,
): Shown {
  const values = visibleValues(report.values, single);
  const stored = held?.checkpoint.channel_values ?? {};
  const differing: Record<string, Json> = {};
  const keys = Object.keys(values).filter((key) => {
    if (Object.hasOwn(stored, key) && Object.is(stored[key], values[key])) return true;
    try {
      differing[key] = encodeValue(values[key], `the channel "${key}"`);
      return true;
    } catch {
      // A channel that is never stored may hold anything; it is simply not shown.
      return false;
    }
  });
  return {
    keys,
    ...(Object.keys(differing).length > 0 && { values: differing }),
    next: report.next.map(String),
    tasks: report.tasks.map(shownTask),
  };
}

export function visibleValues(values: unknown, single: string | undefined): Record<string, unknown> {
  if (single !== undefined) return values === undefined || isInternal(single) ? {} : { [single]: values };
  const visible: Record<string, unknown> = {};
  for (const [key, value] of Object.entries((values ?? {}) as Record<string, unknown>)) {
    if (!isInternal(key) && value !== undefined) visible[key] = value;
  }
  return visible;
}

/** Channels of LangGraph's own. `__root__` and `__end__` hold the state of graphs whose state is one value. */
export function isInternal(channel: string): boolean {
  if (channel === "__root__" || channel === "__end__") return false;
  return channel.startsWith("__") || channel.startsWith("branch:");
}

function interruptsOf(task: TaskState): Interrupt[] {
  return (task.interrupts ?? []).flat().filter((entry) => typeof entry === "object" && entry !== null);
}

function shownTask(task: TaskState): Json {
  const interrupts = interruptsOf(task).map((entry) => safely(entry));
  return {
    id: task.id,
    name: String(task.name),
    ...(interrupts.length > 0 && { interrupts }),
    ...(task.error != null && { error: messageOf(task.error) }),
  };
}

/** A value for people to look at: one that has no JSON form becomes its text. */
export function safely(value: unknown): Json {
  try {
    return encode(value, "an event");
  } catch {
    return String(value);
  }
}

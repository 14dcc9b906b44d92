/**
 * What a thread's stream tells of its newest run while it goes on: text as it grows, tools, nodes. Pure. What has been
 * committed stands in the state; this is only what is not there yet.
 */
import { contentText } from "../../../src/client/chat_messages.ts";
import type { StreamEvent } from "../../../src/client/events.ts";
import { isObject, type Json, type JsonObject } from "../../../src/core/json.ts";
import { isLastEvent } from "../../../src/core/moves.ts";

export type LiveMessage = { id: string; node: string | null; text: string };
export type LiveTool = { number: number; tool: string; input: Json; output?: Json; error?: Json };

export type LiveRun = {
  /** The order in which the thread's runs began. */
  run_number: string;
  messages: LiveMessage[];
  tools: LiveTool[];
  /** Nodes and tasks that are under way. */
  tasks: string[];
  tokens: number;
  over: boolean;
};

export function beginRun(run_number: string): LiveRun {
  return { run_number, messages: [], tools: [], tasks: [], tokens: 0, over: false };
}

export function applyEvent(run: LiveRun | null, event: StreamEvent): LiveRun {
  const run_number = event.id.split("-")[0]!;
  const current = run?.run_number === run_number ? run : beginRun(run_number);
  const data: JsonObject = isObject(event.data) ? event.data : {};
  if (isLastEvent(event.type)) return { ...current, tasks: [], over: true };
  switch (event.type) {
    // What came after the last checkpoint comes again, and what is before it stands in the state.
    case "run.restarted":
      return beginRun(run_number);
    case "task.started":
      return { ...current, tasks: [...current.tasks, String(data.task)] };
    case "task.completed":
      return { ...current, tasks: withoutOne(current.tasks, String(data.task)) };
    case "message.delta":
      return withDelta(current, data);
    case "tool.called":
      return {
        ...current,
        tools: [
          ...current.tools,
          { number: current.tools.length, tool: String(data.tool), input: data.input ?? null },
        ],
      };
    case "tool.result":
      return settle(current, String(data.tool), { output: data.output ?? null });
    case "tool.error":
      return settle(current, String(data.tool), { error: data.error ?? null });
    default:
      return current;
  }
}

function withDelta(run: LiveRun, data: JsonObject): LiveRun {
  const id = String(data.message_id ?? "");
  const text = contentText(data.content);
  const last = run.messages.at(-1);
  const tokens = run.tokens + 1;
  if (last?.id === id)
    return { ...run, tokens, messages: [...run.messages.slice(0, -1), { ...last, text: last.text + text }] };
  const earlier = run.messages.find((message) => message.id === id);
  if (earlier)
    return {
      ...run,
      tokens,
      messages: run.messages.map((each) => (each === earlier ? { ...each, text: each.text + text } : each)),
    };
  const node = typeof data.node === "string" ? data.node : null;
  return { ...run, tokens, messages: [...run.messages, { id, node, text }] };
}

/** Answers come without the number of their call: the oldest open call of the tool gets it. */
function settle(run: LiveRun, tool: string, answer: { output: Json } | { error: Json }): LiveRun {
  const open = run.tools.find((each) => each.tool === tool && !isSettled(each));
  if (!open) return run;
  return { ...run, tools: run.tools.map((each) => (each === open ? { ...each, ...answer } : each)) };
}

export function isSettled(tool: LiveTool): boolean {
  return tool.output !== undefined || tool.error !== undefined;
}

function withoutOne(list: string[], item: string): string[] {
  const at = list.indexOf(item);
  return at === -1 ? list : list.toSpliced(at, 1);
}

/** A thread's events in the form of LangGraph's newest protocol: one numbered event each, by channel and namespace. */
import type { NumberedEvent } from "../../core/event.ts";
import { isObject, type Json, type JsonObject } from "../../core/json.ts";
import type { RunRow } from "../../store/runs.ts";
import type { App } from "../app.ts";
import { AgentTree } from "./agent_tree.ts";
import { type Frame, Frames } from "./frames.ts";
import { ProtocolMessages } from "./protocol_messages.ts";

/** In the order in which the events of one moment are told. */
export const channels = [
  "checkpoints",
  "tasks",
  "messages",
  "tools",
  "custom",
  "updates",
  "values",
  "input",
  "lifecycle",
] as const;

export type Subscription = {
  channels: readonly string[];
  namespaces: readonly (readonly string[])[] | undefined;
  depth: number | undefined;
};

/** The events of one run, without their place. */
export type ProtocolEvent = {
  method: string;
  channel: string;
  namespace: string[];
  node?: string;
  data: Json;
};

const modes: Record<string, string> = {
  values: "values",
  updates: "updates",
  messages: "messages-tuple",
  tools: "tools",
  checkpoints: "checkpoints",
  tasks: "tasks",
  custom: "custom",
};

const stages: Record<string, string> = {
  "run.started": "started",
  "run.restarted": "running",
  "run.completed": "completed",
  "run.failed": "failed",
  "run.interrupted": "interrupted",
  "run.canceled": "interrupted",
};

export class ProtocolEvents {
  readonly #frames: Frames;
  readonly #messages = new ProtocolMessages();
  readonly #tree = new AgentTree({ namespace: [], status: "running", graph_name: "" });
  readonly #calls = new Map<string, string[]>();
  #called = 0;

  constructor(app: App, run: RunRow, subscriptions: readonly Subscription[], about: JsonObject) {
    const named = subscriptions.flatMap((one) => one.channels);
    const wanted = named.flatMap((channel) => modes[channel.split(":")[0]!] ?? []);
    this.#frames = new Frames(app, run, { modes: new Set(wanted), subgraphs: true, about });
  }

  async of(event: NumberedEvent): Promise<ProtocolEvent[]> {
    const fields = isObject(event.data) ? event.data : {};
    const events = (await this.#frames.of(event)).flatMap((frame) => this.#translate(frame));
    // A task's end, or the run's, ends the messages it streamed.
    if (event.type === "task.completed" || event.type in stages) events.unshift(...this.#messages.finish());
    if (event.type === "run.interrupted" && Array.isArray(fields.interrupts)) {
      for (const asked of fields.interrupts) {
        if (!isObject(asked)) continue;
        const data = { interrupt_id: asked.id ?? null, payload: asked.value ?? null };
        events.push({ method: "input.requested", channel: "input", namespace: [], data });
      }
    }
    for (const { namespace, status, graph_name } of this.#tree.take(event)) {
      const data = { event: status === "running" ? "started" : status, graph_name };
      events.push({ method: "lifecycle", channel: "lifecycle", namespace, data });
    }
    const stage = stages[event.type];
    if (stage !== undefined) {
      const data = { event: stage, ...(event.type === "run.failed" && { error: fields.error ?? null }) };
      events.push({ method: "lifecycle", channel: "lifecycle", namespace: [], data });
    }
    return events;
  }

  #translate({ event, data }: Frame): ProtocolEvent[] {
    const [mode, ...namespace] = event.split("|");
    const plain = (channel: string, what: Json): ProtocolEvent[] => [
      { method: channel, channel, namespace, data: what },
    ];
    switch (mode) {
      case "messages":
        return Array.isArray(data) ? this.#messages.of(data[0] ?? null, data[1] ?? null, namespace) : [];
      case "updates":
        return updatesOf(data).map(([node, values]) => ({
          method: "updates",
          channel: "updates",
          namespace,
          node,
          data: { node, values },
        }));
      case "checkpoints":
        return plain("checkpoints", lightCheckpoint(data));
      case "custom": {
        const name = isObject(data) && typeof data.name === "string" ? data.name : undefined;
        const channel = name === undefined ? "custom" : `custom:${name}`;
        return [{ method: "custom", channel, namespace, data: { ...(name && { name }), payload: data } }];
      }
      case "tools":
        return plain("tools", this.#toolOf(isObject(data) ? data : {}));
      case "values":
      case "tasks":
        return plain(mode, data);
      default:
        return [];
    }
  }

  /** A tool's answer belongs to the first of its open calls. */
  #toolOf({ event, name, input, output, error }: JsonObject): Json {
    const tool_name = String(name);
    const open = this.#calls.get(tool_name) ?? [];
    if (event === "on_tool_start") {
      const tool_call_id = `tool_${++this.#called}`;
      this.#calls.set(tool_name, [...open, tool_call_id]);
      return { event: "tool-started", tool_call_id, tool_name, input: input ?? null };
    }
    const tool_call_id = open.shift() ?? `tool_${this.#called}`;
    return event === "on_tool_error"
      ? { event: "tool-error", tool_call_id, message: error ?? null }
      : { event: "tool-finished", tool_call_id, output: output ?? null };
  }
}

function updatesOf(data: Json): [string, Json][] {
  return isObject(data) ? Object.entries(data).filter(([node]) => node !== "__interrupt__") : [];
}

function lightCheckpoint(data: Json): Json {
  if (!isObject(data)) return null;
  const idOf = (config: Json | undefined) =>
    isObject(config) && isObject(config.configurable) ? (config.configurable.checkpoint_id ?? null) : null;
  const { source, step } = isObject(data.metadata) ? data.metadata : {};
  return {
    id: idOf(data.config),
    parent_id: idOf(data.parent_config),
    step: step ?? null,
    source: source ?? null,
  };
}

/** Whether a subscription asked for an event. A name without a task's id stands for all its tasks. */
export function isWanted({ channel, namespace }: ProtocolEvent, wanted: Subscription): boolean {
  const { channels: named, namespaces, depth } = wanted;
  if (!named.includes(channel) && !(channel.startsWith("custom:") && named.includes("custom"))) return false;
  if (!namespaces || namespaces.length === 0) return true;
  return namespaces.some(
    (prefix) =>
      prefix.length <= namespace.length &&
      prefix.every((part, i) => part === namespace[i] || part === namespace[i]!.split(":")[0]) &&
      (depth === undefined || namespace.length - prefix.length <= depth),
  );
}

/** A run's events as spans of time: the run, its nodes or tasks, agents, tools, and each message's tokens. Pure. */
import { contentText } from "../../../src/client/chat_messages.ts";
import type { StreamEvent } from "../../../src/client/events.ts";
import { isObject, type Json, type JsonObject } from "../../../src/core/json.ts";
import { isLastEvent } from "../../../src/core/moves.ts";

export type SpanKind = "task" | "agent" | "tool" | "message";
export type Span = {
  key: string;
  kind: SpanKind;
  name: string;
  /** How deep it stands below the run. */
  depth: number;
  start_ms: number;
  /** null: it goes on. */
  end_ms: number | null;
  failed: boolean;
  tokens: number;
  input: Json | undefined;
  output: Json | undefined;
  /** A tool may be told of before the node that calls it: no node is under way then, and it stands below the next. */
  early: boolean;
};
export type Log = { key: string; at_ms: number; level: string; message: string };

export type Story = {
  start_ms: number;
  /** Of the newest event. */
  newest_ms: number;
  spans: Span[];
  logs: Log[];
  tokens: number;
  restarts: number;
  gone: number;
  over: boolean;
};

const LEVELS: Record<SpanKind, number> = { task: 0, agent: 1, tool: 2, message: 2 };

export function tell(events: readonly StreamEvent[]): Story {
  const at = (event: StreamEvent) => Date.parse(event.at ?? "");
  const start_ms = events[0] ? at(events[0]) : 0;
  const story: Story = {
    start_ms,
    newest_ms: start_ms,
    spans: [],
    logs: [],
    tokens: 0,
    restarts: 0,
    gone: 0,
    over: false,
  };
  const messages = new Map<string, Span>();
  for (const event of events) {
    const now = at(event);
    story.newest_ms = Math.max(story.newest_ms, now);
    story.gone += event.events_gone ?? 0;
    const data: JsonObject = isObject(event.data) ? event.data : {};
    const [group, what] = event.type.split(".") as [string, string | undefined];
    if (group === "task" || group === "agent") {
      const name = String(data[group] ?? group);
      const where = typeof data.namespace === "string" ? data.namespace.split("|").length : 0;
      if (what === "started") open(story, group, event.id, name, now, where);
      else close(story, group, name, now, what === "error" ? { failed: true, output: data.error } : {});
    } else if (group === "tool") {
      const name = String(data.tool ?? "tool");
      if (what === "called") open(story, "tool", event.id, name, now, 0).input = data.input;
      else
        close(
          story,
          "tool",
          name,
          now,
          what === "error" ? { failed: true, output: data.error } : { output: data.output },
        );
    } else if (event.type === "message.delta") {
      const id = String(data.message_id ?? "");
      let span = messages.get(id);
      if (!span) {
        span = open(
          story,
          "message",
          event.id,
          typeof data.node === "string" ? `${data.node}: answer` : "answer",
          now,
          0,
        );
        span.output = "";
        messages.set(id, span);
      }
      span.tokens += 1;
      story.tokens += 1;
      span.output += contentText(data.content);
      span.end_ms = now;
    } else if (event.type === "log") {
      story.logs.push({
        key: event.id,
        at_ms: now,
        level: String(data.level ?? "info"),
        message: String(data.message ?? ""),
      });
    } else if (event.type === "run.restarted") {
      // The attempt that was lost said no ends.
      for (const span of story.spans) span.end_ms ??= now;
      messages.clear();
      story.restarts += 1;
    } else if (isLastEvent(event.type)) {
      const failed = event.type === "run.failed";
      for (const span of story.spans) {
        if (span.end_ms !== null) continue;
        span.end_ms = now;
        span.failed ||= failed;
      }
      story.over = true;
    }
  }
  return story;
}

function open(
  story: Story,
  kind: SpanKind,
  key: string,
  name: string,
  start_ms: number,
  where: number,
): Span {
  const span: Span = {
    key,
    kind,
    name,
    depth: LEVELS[kind] + where,
    start_ms,
    end_ms: null,
    failed: false,
    tokens: 0,
    input: undefined,
    output: undefined,
    early: kind === "tool" && story.spans.every((each) => each.kind !== "task" || each.end_ms !== null),
  };
  let place = story.spans.length;
  while (kind === "task" && story.spans[place - 1]?.early) story.spans[--place]!.early = false;
  story.spans.splice(place, 0, span);
  return span;
}

function close(
  story: Story,
  kind: SpanKind,
  name: string,
  end_ms: number,
  more: { failed?: boolean; output?: Json | undefined },
): void {
  const span = story.spans.find((each) => each.kind === kind && each.name === name && each.end_ms === null);
  if (!span) return;
  span.end_ms = end_ms;
  span.failed = more.failed ?? false;
  if (more.output !== undefined) span.output = more.output;
}

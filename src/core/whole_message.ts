/**
 * A `message.delta` that tells a whole message (a node made it, no model streamed it) refers to the message in the log, as
 * `langgraph.whole`. Its text is read from there: stored again it would be 480 of the bytes of a turn with two messages of 400.
 */
import { rangeOf } from "./encoding.ts";
import type { Event } from "./event.ts";
import { isObject, type Json } from "./json.ts";

/** The event as it is stored. */
export function withoutText(event: Event): Event {
  const whole = wholeOf(event);
  if (!isObject(event.data) || whole === undefined || !rangeOf(whole)) return event;
  const { content: _, ...data } = event.data;
  return { ...event, data };
}

/** The event again, whose items are in their places. */
export function withText(event: Event): Event {
  const whole = wholeOf(event);
  if (!isObject(event.data) || !isObject(whole) || Object.hasOwn(event.data, "content")) return event;
  const { message_id = null, ...rest } = event.data;
  return { ...event, data: { message_id, content: textOf(whole.content), ...rest } };
}

/** The text of a message's content, whose other parts are left out. */
export function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content
    .map((block: { type?: unknown; text?: unknown } | string) => {
      if (typeof block === "string") return block;
      return typeof block?.text === "string" && String(block.type).startsWith("text") ? block.text : "";
    })
    .join("");
}

function wholeOf({ type, langgraph }: Event): Json | undefined {
  if (type !== "message.delta" || !isObject(langgraph ?? null)) return undefined;
  const { whole } = langgraph as { whole?: Json };
  return Array.isArray(whole) ? whole[0] : undefined;
}

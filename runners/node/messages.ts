/** LangChain messages as their class's name and the fields their constructors take. */
import type { Message, MessageClass } from "./framework.ts";

const FIELDS = [
  "content",
  "id",
  "name",
  "additional_kwargs",
  "response_metadata",
  "tool_calls",
  "invalid_tool_calls",
  "tool_call_chunks",
  "usage_metadata",
  "tool_call_id",
  "status",
  "artifact",
  "metadata",
  "role",
] as const;

const CLASS_OF_TYPE: Record<string, string> = {
  human: "HumanMessage",
  ai: "AIMessage",
  system: "SystemMessage",
  tool: "ToolMessage",
  function: "FunctionMessage",
  generic: "ChatMessage",
  remove: "RemoveMessage",
};

/** Known by its shape, not its class: a message may come from a second copy of LangChain. */
export function isMessage(value: object): value is Message {
  return (
    "lc_kwargs" in value && "content" in value && typeof (value as Partial<Message>)._getType === "function"
  );
}

/**
 * What a reducer makes of something else, so that it never stands in a state itself: a message that still lacks its id,
 * plain data that becomes a message, a RemoveMessage.
 */
export function isForReducer(value: object): boolean {
  if (isMessage(value)) return !value.id || value._getType() === "remove";
  if (Array.isArray(value)) return value.length === 2 && typeof value[0] === "string";
  const { content, role, type } = value as Record<string, unknown>;
  return content !== undefined && (role !== undefined || type !== undefined);
}

/** A subclass of the user's own goes by the name of the LangChain class it extends. */
export function messageName(message: Message): string {
  const base = CLASS_OF_TYPE[message._getType()] ?? "ChatMessage";
  return message.constructor.lc_name?.().endsWith("Chunk") ? `${base}Chunk` : base;
}

export function messageFields(message: Message): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const name of FIELDS) {
    const value = (message as unknown as Record<string, unknown>)[name];
    if (name === "content" || !isEmpty(value)) fields[name] = value;
  }
  return fields;
}

/** Rebuilds a message with the project's own class; without LangChain installed it stays the object of its fields. */
export function reviveMessage(
  name: string,
  fields: Record<string, unknown>,
  classes: Record<string, MessageClass>,
): unknown {
  const Class = classes[name];
  if (!Class) return fields;
  if (name === "AIMessage") {
    // Left out, they would be parsed from additional_kwargs again.
    fields.tool_calls ??= [];
    fields.invalid_tool_calls ??= [];
  }
  return new Class(fields);
}

export function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

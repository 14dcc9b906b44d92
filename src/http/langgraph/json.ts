/** Values in the form LangGraph's clients expect: messages without our `role`, paths into values. */
import { isObject, type Json, type JsonObject, setOwn } from "../../core/json.ts";

const roles: Record<string, string> = {
  human: "user",
  ai: "assistant",
  system: "system",
  tool: "tool",
  function: "function",
  generic: "user",
  remove: "remove",
};

/** /v1 shows a message with type and role; a client that makes a message of both takes one of them for a field of its own. */
export function withoutRoles(value: Json): Json {
  if (Array.isArray(value)) return value.map(withoutRoles);
  if (!isObject(value)) return value;
  const isMessage =
    typeof value.type === "string" &&
    "content" in value &&
    value.role === roles[value.type] &&
    value.role !== undefined;
  const shown: JsonObject = {};
  for (const [key, child] of Object.entries(value)) {
    if (!(isMessage && key === "role")) setOwn(shown, key, withoutRoles(child));
  }
  return shown;
}

/** The value at a path such as `values.messages[-1].content`; null where there is none. */
export function valueAt(root: JsonObject, path: string): Json {
  let value: Json = root;
  for (const [, name, index] of path.matchAll(/([^.[\]]+)|\[(-?\d+)\]/g)) {
    if (index !== undefined) value = Array.isArray(value) ? (value.at(Number(index)) ?? null) : null;
    else value = isObject(value) && Object.hasOwn(value, name!) ? (value[name!] ?? null) : null;
  }
  return value;
}

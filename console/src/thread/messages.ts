/** The conversation in a state: its messages, each tool call with its answer. Pure. */
import { contentText } from "../../../src/client/chat_messages.ts";
import { isObject, type Json, type JsonObject } from "../../../src/core/json.ts";

export type ToolUse = { id: string; name: string; input: Json; output?: Json; failed?: boolean };
export type Picture = { url: string; description: string };
export type ShownMessage = {
  key: string;
  /** Its own id in the state, by which what is streamed is known again. */
  id: string | null;
  who: "user" | "agent" | "system" | "tool";
  name: string | null;
  text: string;
  pictures: Picture[];
  /** Parts that are neither words nor pictures. */
  others: Json[];
  tools: ToolUse[];
};

/** The messages of a state that has a list of them, else null. */
export function messagesIn(values: JsonObject | null | undefined): JsonObject[] | null {
  const messages = values?.messages;
  if (!Array.isArray(messages)) return null;
  const objects = messages.filter(isObject);
  return objects.length === messages.length ? objects : null;
}

export function showMessages(messages: JsonObject[]): ShownMessage[] {
  const shown: ShownMessage[] = [];
  const calls = new Map<string, ToolUse>();
  for (const [i, message] of messages.entries()) {
    const who = whoSays(message);
    const answered = typeof message.tool_call_id === "string" ? calls.get(message.tool_call_id) : undefined;
    if (who === "tool" && answered) {
      answered.output = message.content ?? null;
      answered.failed = message.status === "error";
      continue;
    }
    const tools = toolUses(message);
    for (const tool of tools) calls.set(tool.id, tool);
    const parts = Array.isArray(message.content) ? message.content : [];
    shown.push({
      key: `${i}`,
      id: typeof message.id === "string" ? message.id : null,
      who,
      name: typeof message.name === "string" ? message.name : null,
      text: isObject(message.content)
        ? JSON.stringify(message.content, null, 2)
        : contentText(message.content),
      pictures: parts.flatMap(pictureIn),
      others: parts.filter((part) => isObject(part) && !isKnown(part)),
      tools,
    });
  }
  return shown;
}

function whoSays(message: JsonObject): ShownMessage["who"] {
  switch (message.role ?? message.type) {
    case "user":
    case "human":
      return "user";
    case "system":
    case "developer":
      return "system";
    case "tool":
    case "function":
      return "tool";
    default:
      return "agent";
  }
}

function toolUses({ tool_calls }: JsonObject): ToolUse[] {
  if (!Array.isArray(tool_calls)) return [];
  return tool_calls.filter(isObject).map((call, i) => {
    const inner = isObject(call.function) ? call.function : call;
    return {
      id: typeof call.id === "string" ? call.id : String(i),
      name: typeof inner.name === "string" ? inner.name : "tool",
      input: parsed(inner.args ?? inner.arguments ?? null),
    };
  });
}

function parsed(input: Json): Json {
  if (typeof input !== "string") return input;
  try {
    return JSON.parse(input) as Json;
  } catch {
    return input;
  }
}

const isKnown = (part: JsonObject) =>
  typeof part.text === "string" ||
  pictureIn(part).length > 0 ||
  part.type === "tool_use" ||
  part.type === "tool_call";

/** A picture as OpenAI, Anthropic and LangChain write it. */
function pictureIn(part: Json): Picture[] {
  if (!isObject(part)) return [];
  const address = isObject(part.image_url)
    ? part.image_url.url
    : (part.image_url ?? (part.type === "image" ? part.url : undefined));
  const source = isObject(part.source) ? part.source : part;
  const data = source.data ?? part.base64;
  const type = source.media_type ?? source.mime_type ?? part.mime_type;
  const url =
    typeof address === "string"
      ? address
      : part.type === "image" && typeof data === "string"
        ? `data:${typeof type === "string" ? type : "image/png"};base64,${data}`
        : "";
  const description = typeof part.alt === "string" ? part.alt : "Picture in the message";
  return /^(https?:|data:image\/)/.test(url) ? [{ url, description }] : [];
}

/** How a line of chat becomes a run's input, and a run's result an answer. Pure. */
import type { Deployment } from "../core/deployment.ts";
import { isObject, type Json, type JsonObject } from "../core/json.ts";

type Talks = Pick<Deployment, "framework" | "chat">;

/** A message for graphs with `messages`; else the text under the deployment's own key. */
export function chatInput({ framework, chat }: Talks, text: string): JsonObject {
  const key = chat.input_key;
  if (key === "messages" || (key === null && framework.startsWith("langgraph"))) {
    return { messages: [{ role: "user", content: text }] };
  }
  return { [key ?? "message"]: text };
}

/** What answers a question of the agent: JSON where it is some (true, {"approved": false}), else the text itself. */
export function resumeValue(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

/** The words in a result: the deployment's output key, a crew's raw answer, the last message, else all of it. */
export function answerIn({ framework, chat }: Talks, result: Json): string {
  if (typeof result === "string") return result;
  if (!isObject(result)) return JSON.stringify(result);
  const chosen = result[chat.output_key ?? "output"];
  if (typeof chosen === "string") return chosen;
  if (framework === "crewai" && typeof result.raw === "string") return result.raw;
  const last = Array.isArray(result.messages) ? result.messages.at(-1) : undefined;
  const text = isObject(last) ? contentText(last.content) : "";
  return text || JSON.stringify(result, null, 2);
}

/** The words of a message, whose content is text or a list of parts. */
export function contentText(content: Json | undefined): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content.map((part) => (isObject(part) && typeof part.text === "string" ? part.text : "")).join("");
}

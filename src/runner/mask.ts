/** Hides an agent's secrets in what it says to people: its events, its errors, what it prints. Its state is its own. */
import type { Json, JsonObject } from "../core/json.ts";
import type { Structure } from "../core/structure.ts";
import type { AgentError, RunnerMessageOf } from "./protocol.ts";
import type { RunMessage } from "./run.ts";

/** Shorter values, such as `1` or `eu`, stand everywhere by chance. */
export const LEAST_SECRET_CHARACTERS = 4;
/** Of a value of several lines, such as a key in PEM, each is hidden where it stands alone. */
const LEAST_LINE_CHARACTERS = 8;
const HIDDEN = "***";

type RunEvent = RunnerMessageOf<"event">["events"][number];

export type Mask = {
  text(text: string): string;
  error(error: AgentError): AgentError;
  structure(structure: Structure): Structure;
  /** The message without secrets, where it is for people: what a run stores of its state stays as it is. */
  message(message: RunMessage): RunMessage;
};

/** Undefined: there is nothing to hide. */
export function maskOf(secrets: readonly string[]): Mask | undefined {
  const parts = new Set(secrets.filter((value) => value.length >= LEAST_SECRET_CHARACTERS));
  for (const value of secrets) {
    const lines = value.split(/\r?\n/);
    if (lines.length > 1) for (const line of lines) if (line.length >= LEAST_LINE_CHARACTERS) parts.add(line);
  }
  if (parts.size === 0) return undefined;
  // The longest first: one that begins with another is hidden whole.
  const longest = [...parts].sort((a, b) => b.length - a.length);
  const pattern = new RegExp(longest.map((part) => RegExp.escape(part)).join("|"), "g");
  const text = (shown: string) => shown.replace(pattern, HIDDEN);
  const json = (value: Json): Json => {
    if (typeof value === "string") return text(value);
    if (Array.isArray(value)) return value.map(json);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [text(key), json(inner)]));
  };
  const event = ({ type, data, langgraph }: RunEvent): RunEvent => {
    const hidden = { type, data: json(data) };
    if (langgraph === undefined) return hidden;
    // A whole message is read from the state, where nothing is hidden: one with a secret is told by its hidden text.
    const isWhole = JSON.stringify(data) === JSON.stringify(hidden.data);
    const { whole: _, ...rest } = langgraph as JsonObject;
    return { ...hidden, langgraph: json(isWhole ? langgraph : rest) };
  };
  const error = (told: AgentError) => json(told) as AgentError;
  return {
    text,
    error,
    structure: (structure) => json(structure) as Structure,
    message: (message) => {
      if (message.type === "event") return { ...message, events: message.events.map(event) };
      if (message.type === "done" && message.error) return { ...message, error: error(message.error) };
      return message;
    },
  };
}

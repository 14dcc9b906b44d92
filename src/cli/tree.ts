/**
 * A run's events as a tree for people, growing as they come. Pure: takes events, gives back the text to write.
 * Leaves out what says nothing to a reader (a task that ended, a state that was saved); `--json` has all of it.
 */
import { contentText } from "../client/chat_messages.ts";
import type { StreamEvent } from "../client/events.ts";
import { isObject, type Json, type JsonObject } from "../core/json.ts";
import {
  clean,
  clockTime,
  type Format,
  inline,
  oneLine,
  type Paint,
  plain,
  seconds,
  shorten,
} from "./output.ts";

const DEFAULT_WIDTH = 100;
const BAR = "│  ";
const TIME_WIDTH = "├─ [10:30:05] ".length;

export type TreeOptions = {
  run_id: string;
  paint?: Paint;
  /** Where lines are cut and messages wrapped. None: messages keep their lines, other lines are cut at 100. */
  width?: number | undefined;
  /** When an event came; none for a run of the past, whose events carry no times. */
  now?: (() => Date) | undefined;
};

export class EventTree {
  readonly #run: string;
  readonly #paint: Paint;
  readonly #width: number | undefined;
  readonly #now: (() => Date) | undefined;
  /** The message that is being written, and how far its line has got. */
  #message: { id: string; column: number } | null = null;
  #streamed = false;

  constructor({ run_id, paint = plain, width, now }: TreeOptions) {
    this.#run = run_id;
    this.#paint = paint;
    this.#width = width;
    this.#now = now;
  }

  /** The text to write for this event. A message's text stays open, without a newline, until something follows it. */
  add({ type, data, events_gone }: StreamEvent): string {
    const fields = isObject(data) ? data : {};
    if (type === "message.delta") return this.#delta(fields);
    const gone = events_gone ? this.#branch("…", `${events_gone} earlier events are no longer kept`) : "";
    const text = gone + this.#lines(type, fields, data);
    return text === "" ? "" : this.end() + text;
  }

  /** Closes an open message. */
  end(): string {
    if (this.#message === null) return "";
    this.#message = null;
    return "\n";
  }

  #lines(type: string, fields: JsonObject, data: Json): string {
    const agent = typeof fields.agent === "string" ? fields.agent : "";
    switch (type) {
      case "run.started":
        return `${this.#paint("cyan", "▶")} Run started: ${this.#paint("bold", this.#run)}\n`;
      case "run.restarted":
        return this.#branch("Run restarted", `attempt ${inline(fields.attempt)}`, "yellow");
      case "task.started":
        return this.#branch("Task", oneLine(`${inline(fields.task)}${agent && ` (${agent})`}`));
      case "agent.started":
        return this.#branch("Agent", agent);
      case "agent.error":
        return this.#branch("Agent failed", `${agent} ${errorText(fields.error)}`, "red");
      case "tool.called":
        return this.#branch("Tool", `${inline(fields.tool)}(${argumentsText(fields.input)})`);
      case "tool.result":
        return this.#below(`↳ ${inline(fields.output)}`, "dim");
      case "tool.error":
        return this.#below(`✗ ${errorText(fields.error)}`, "red");
      case "log":
        return this.#log(fields);
      case "artifact":
        return this.#branch("File", `${inline(fields.name)}${sizeText(fields.size)}`);
      case "custom":
        return this.#branch("Custom", inline(data));
      case "run.completed":
        return this.#completed(fields);
      case "run.failed":
        return `${this.#paint("red", "❌ Run failed:")} ${clean(errorText(fields.error))}\n${this.#traceback(fields.traceback)}`;
      case "run.canceled":
        return `${this.#paint("yellow", "⏹ Run canceled")}\n`;
      case "run.interrupted":
        return this.#interrupted(fields.interrupts);
      case "task.completed":
      case "agent.completed":
      case "state.updated":
        return "";
      default:
        return this.#branch(type, inline(data));
    }
  }

  #delta(fields: JsonObject): string {
    const id = inline(fields.message_id);
    let text = "";
    if (this.#message?.id !== id) {
      text = this.end() + this.#branch("Message", "", "green") + BAR;
      this.#message = { id, column: BAR.length };
      this.#streamed = true;
    }
    return text + this.#wrapped(clean(contentText(fields.content)), this.#message);
  }

  /** Continues the open message, each of its lines behind the bar. */
  #wrapped(content: string, message: { column: number }): string {
    let text = "";
    for (const word of content.split(/(?<=\s)|(?=\n)/)) {
      const breaks = this.#width !== undefined && message.column + word.trimEnd().length > this.#width;
      if (word === "\n" || (breaks && message.column > BAR.length)) {
        text += `\n${BAR}`;
        message.column = BAR.length;
        if (word === "\n") continue;
      }
      text += word;
      message.column += word.length;
    }
    return text;
  }

  #completed({ duration_ms, result }: JsonObject): string {
    const took = typeof duration_ms === "number" ? ` in ${seconds(duration_ms)}s` : "";
    const line = `${this.#paint("green", `✅ Run completed${took}`)}\n`;
    // Whoever saw the answer grow need not see it again.
    if (this.#streamed || result === null || result === undefined) return line;
    return `${line}${typeof result === "string" ? clean(result) : clean(JSON.stringify(result, null, 2))}\n`;
  }

  #interrupted(interrupts: Json | undefined): string {
    const questions = Array.isArray(interrupts) ? interrupts : [];
    const lines = questions.map((one) => `   ${inline(isObject(one) ? one.value : one)}\n`);
    return `${this.#paint("yellow", "⏸ Run stopped to ask:")}\n${lines.join("")}`;
  }

  #log({ level, message }: JsonObject): string {
    const format: Format =
      level === "error" ? "red" : level === "warn" || level === "warning" ? "yellow" : "dim";
    const [first = "", ...rest] = clean(inlineLines(message)).trimEnd().split("\n");
    return this.#branch("Log", first, format) + rest.map((line) => this.#below(line, format)).join("");
  }

  #traceback(text: Json | undefined): string {
    if (typeof text !== "string" || text === "") return "";
    const lines = clean(text).trimEnd().split("\n");
    return lines.map((line) => `${this.#paint("dim", `   ${line}`)}\n`).join("");
  }

  #branch(what: string, detail: string, format: Format = "cyan"): string {
    const time = this.#now ? `${this.#paint("dim", `[${clockTime(this.#now())}]`)} ` : "";
    const room = (this.#width ?? DEFAULT_WIDTH) - TIME_WIDTH - what.length - 2;
    const line =
      detail === ""
        ? this.#paint(format, what)
        : `${this.#paint(format, `${what}:`)} ${shorten(oneLine(detail), room)}`;
    return `├─ ${time}${line}\n`;
  }

  #below(text: string, format: Format): string {
    const room = (this.#width ?? DEFAULT_WIDTH) - BAR.length;
    return `${BAR}${this.#paint(format, shorten(text, room))}\n`;
  }
}

/** `"tea in winter"` for a single text, `city: "Oslo", days: 3` for more. */
function argumentsText(input: Json | undefined): string {
  if (input === undefined || input === null) return "";
  if (!isObject(input)) return JSON.stringify(input);
  const entries = Object.entries(input);
  if (entries.length === 1 && typeof entries[0]?.[1] === "string") return JSON.stringify(entries[0][1]);
  return entries.map(([key, value]) => `${key}: ${JSON.stringify(value)}`).join(", ");
}

/** A message's content: text, or the text parts of a list of parts. */
export function errorText(error: Json | undefined): string {
  return isObject(error) && typeof error.message === "string" ? error.message : inlineLines(error);
}

function inlineLines(value: Json | undefined): string {
  return typeof value === "string" ? value : JSON.stringify(value ?? null);
}

function sizeText(size: Json | undefined): string {
  return typeof size === "number"
    ? ` (${size < 1024 ? `${size} bytes` : `${(size / 1024).toFixed(1)} KB`})`
    : "";
}

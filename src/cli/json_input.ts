/** JSON that a person typed: parsed, or refused with the place where it stops being JSON. */
import type { Json, JsonObject } from "../core/json.ts";
import { isObject } from "../core/json.ts";
import { UsageError } from "./failure.ts";
import { shorten } from "./output.ts";

/** The server takes 10 MB a body; no need to read more than it will. */
const MAX_STDIN_BYTES = 10 * 1024 * 1024;
const MOST_CONTEXT_CHARACTERS = 60;

/** The value of `-i` and its like; `-` reads it from stdin. Throws a UsageError. */
export async function readJson(option: string, text: string): Promise<Json> {
  if (text !== "-") return parseJson(option, text);
  if (process.stdin.isTTY) throw new UsageError(`${option} - reads JSON from a pipe: echo '{}' | crewship …`);
  return parseJson(option, await readStdin(option));
}

/** All of standard input. `what` is what it is for. Throws a UsageError. */
export async function readStdin(what: string): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_STDIN_BYTES) throw new UsageError(`${what} takes at most 10 MB.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

export function parseJson(option: string, text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    const at = brokenAt(text);
    const before = text.slice(0, at).split("\n");
    const column = (before.at(-1)?.length ?? 0) + 1;
    const place = `line ${before.length}, column ${column}`;
    const found = at < text.length ? `it breaks at ${place}` : `it ends too early, at ${place}`;
    throw new UsageError(`${option} is not JSON: ${found}.\n${pointer(text, before.length, column)}`);
  }
}

export async function readJsonObject(option: string, text: string): Promise<JsonObject> {
  const value = await readJson(option, text);
  if (isObject(value)) return value;
  throw new UsageError(`${option} takes a JSON object, such as '{"topic": "tea"}'.`);
}

/** The line in question, with a mark below the place. */
function pointer(text: string, line: number, column: number): string {
  const from = Math.max(0, column - 1 - MOST_CONTEXT_CHARACTERS / 2);
  const shown = shorten((text.split("\n")[line - 1] ?? "").slice(from), MOST_CONTEXT_CHARACTERS);
  return `  ${shown}\n  ${" ".repeat(column - 1 - from)}^`;
}

const STRING = /"(?:[^"\\\p{Cc}]|[\u007f-\u009f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/uy;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null/y;

/**
 * Where a text that JSON.parse refused stops being JSON (RFC 8259). V8's own message names the position only for
 * some mistakes, and not for the most common one: a word without quotes.
 */
function brokenAt(text: string): number {
  let at = 0;
  const open: ("}" | "]")[] = [];
  const skip = () => {
    while (" \t\r\n".includes(text[at] ?? "x")) at += 1;
  };
  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found) at += found[0].length;
    return found !== null;
  };
  const key = (): boolean => {
    skip();
    if (!take(STRING)) return false;
    skip();
    if (text[at] !== ":") return false;
    at += 1;
    return true;
  };
  // Each turn reads one value, or opens one and leaves its first value to the next turn: no recursion to exhaust.
  for (;;) {
    skip();
    const bracket = text[at];
    if (bracket === "{" || bracket === "[") {
      at += 1;
      skip();
      open.push(bracket === "{" ? "}" : "]");
      if (text[at] !== open.at(-1)) {
        if (bracket === "{" && !key()) return at;
        continue;
      }
      open.pop();
      at += 1;
    } else if (!take(STRING) && !take(NUMBER) && !take(WORD)) return at;
    for (skip(); open.length > 0 && text[at] === open.at(-1); skip()) {
      open.pop();
      at += 1;
    }
    if (open.length === 0 || text[at] !== ",") return at;
    at += 1;
    if (open.at(-1) === "}" && !key()) return at;
  }
}

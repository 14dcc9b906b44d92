/** What is typed into the search of threads, as the search the server knows. Pure. */
import { isObject, type Json, type JsonObject } from "../../../src/core/json.ts";

export type ThreadQuery =
  | { ids: string[] }
  | { metadata: JsonObject }
  | { mistake: string }
  | Record<string, never>;

/** An id; `key: value` pairs of metadata with commas between; or metadata as JSON. */
export function parseThreadQuery(typed: string): ThreadQuery {
  const text = typed.trim();
  if (text === "") return {};
  if (text.startsWith("{")) return parseJson(text);
  if (!/[:=]/.test(text) || /^thr_/.test(text)) return { ids: [text] };
  const metadata: JsonObject = {};
  for (const pair of text.split(",")) {
    const [, key, value] = /^\s*([^:=]+?)\s*[:=]\s*(.*?)\s*$/.exec(pair) ?? [];
    if (key === undefined || value === undefined || value === "")
      return {
        mistake: `Write metadata as key: value, such as user: ada. “${pair.trim()}” is neither that nor an id.`,
      };
    metadata[key] = scalar(value);
  }
  return { metadata };
}

function parseJson(text: string): ThreadQuery {
  try {
    const metadata: unknown = JSON.parse(text);
    if (isObject(metadata)) return { metadata };
  } catch {
    // Answered below.
  }
  return { mistake: "This is not a whole JSON object yet." };
}

/** Numbers, true and false as such; text in quotes, or anything else, as text. */
function scalar(value: string): Json {
  if (/^(true|false|null|-?\d+(\.\d+)?|".*")$/.test(value)) {
    try {
      return JSON.parse(value) as Json;
    } catch {
      return value;
    }
  }
  return value;
}

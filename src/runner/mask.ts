/** Hides an agent's secrets in what it says to people: its events, its errors, what it prints. Its state is its own. */
import type { Json } from "../core/json.ts";

/** Shorter values, such as `1` or `eu`, stand everywhere by chance. */
export const LEAST_SECRET_CHARACTERS = 4;
/** Of a value of several lines, such as a key in PEM, each is hidden where it stands alone. */
const LEAST_LINE_CHARACTERS = 8;
const HIDDEN = "***";

export type Mask = { text(text: string): string; json(value: Json): Json };

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
  return { text, json };
}

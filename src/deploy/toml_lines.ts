/** Where a key stands in a TOML text, and which known key an unknown one was probably meant to be. */
import { distance } from "fastest-levenshtein";
import { parse } from "smol-toml";
import { isObject } from "../core/json.ts";

/** A slip of the fingers: at most this many edits, and fewer than half of the word. */
const MOST_EDITS = 3;

/**
 * The line, from 1, on which `path` first appears; null when it does not. The parser keeps no positions, so this asks
 * it for ever longer beginnings of the text: exact for every spelling TOML allows, and slow, which only an error in
 * a short file pays for. The text must be valid TOML.
 */
export function lineOf(text: string, path: string[]): number | null {
  const lines = text.split("\n");
  let begin = 1;
  for (let count = 1; count <= lines.length; count++) {
    if (lines[count - 1]!.trim() === "" && count < lines.length) continue;
    let table: unknown;
    try {
      table = parse(lines.slice(0, count).join("\n"));
    } catch {
      // In the middle of a value that goes over several lines.
      continue;
    }
    if (holds(table, path)) return firstWord(lines, begin);
    begin = count + 1;
  }
  return null;
}

/** The known word nearest to this one, when it is near enough to be a slip. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((candidate) => ({ candidate, edits: distance(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(
      ({ candidate, edits }) => edits <= MOST_EDITS && edits * 2 <= Math.max(word.length, candidate.length),
    )
    .sort((a, b) => a.edits - b.edits);
  return ranked[0]?.candidate;
}

function holds(table: unknown, path: string[]): boolean {
  let current = table;
  for (const key of path) {
    if (!isObject(current) || !Object.hasOwn(current, key)) return false;
    current = current[key];
  }
  return true;
}

/** The first of the lines from `begin` that is neither blank nor a comment. */
function firstWord(lines: string[], begin: number): number {
  let line = begin;
  while (line < lines.length && /^\s*(#|$)/.test(lines[line - 1]!)) line++;
  return line;
}

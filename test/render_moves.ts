/**
 * Draws the run's table of moves (src/core/moves.ts) as a Mermaid diagram between two markers in ARCHITECTURE.md; with
 * --check it only says whether the drawing is up to date (exit code 1 when it is not).
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { isOver, moveNames, moves, runStatuses } from "../src/core/moves.ts";

const BEGIN = "<!-- moves: made from src/core/moves.ts by `npm run generate` -->";
const END = "<!-- moves: end -->";
const path = fileURLToPath(new URL("../ARCHITECTURE.md", import.meta.url));

const arrows = moveNames.flatMap((name) => {
  const { from, to, thread, last_event } = moves[name];
  const label = [name, `thread ${thread}`, ...(last_event === null ? [] : [last_event])].join(" · ");
  return from.map((status) => `    ${status} --> ${to}: ${label}`);
});
const diagram = [
  "```mermaid",
  "stateDiagram-v2",
  "    [*] --> pending: create · thread busy",
  ...arrows,
  ...runStatuses.filter(isOver).map((status) => `    ${status} --> [*]`),
  "```",
].join("\n");

const text = readFileSync(path, "utf8");
const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
if (begin < 0 || end < begin) throw new Error(`ARCHITECTURE.md has lost its markers: ${BEGIN} … ${END}`);
const drawn = `${text.slice(0, begin)}${BEGIN}\n${diagram}\n${text.slice(end)}`;

if (!process.argv.includes("--check")) writeFileSync(path, drawn);
else if (drawn !== text) {
  console.error(
    "The diagram in ARCHITECTURE.md is not the table of moves. Run `npm run generate` and commit it.",
  );
  process.exitCode = 1;
}

/** Judges what was measured against the goals, and writes the summary and the whole table. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { type Figure, type Goal, goals } from "./goals.ts";
import { format, shown, type Table } from "./measure.ts";

export type Verdict = {
  case: string;
  what: string;
  measured: string;
  target: string;
  limit: string;
  /** Null: it was not measured. */
  met: boolean | null;
  verdict: string;
};

/** Below this heading of a document the last full table stands. */
const HEADING = "## The last full table";

/** Of one case: `limit` is what the machine can do at all, for figures that have no nearer limit. */
export function judge(name: keyof typeof goals, figures: Record<string, Figure>, limit: string): Verdict[] {
  return Object.entries<Goal>(goals[name]).map(([key, goal]) => {
    const figure = figures[key] ?? { why: "the case yields no such figure" };
    const target =
      "atMost" in goal ? `≤ ${quantity(goal.atMost, goal)}` : `≥ ${quantity(goal.atLeast, goal)}`;
    const row = { case: name, what: goal.what, target };
    if ("why" in figure)
      return { ...row, measured: "", limit: "", met: null, verdict: `not measured: ${figure.why}` };
    const met = "atMost" in goal ? figure.value <= goal.atMost : figure.value >= goal.atLeast;
    const beside = figure.beside === undefined ? "" : ` (${figure.beside})`;
    return {
      ...row,
      measured: quantity(figure.value, goal) + beside,
      limit: figure.limit ?? limit,
      met,
      verdict: met ? "met" : "missed",
    };
  });
}

const quantity = (value: number, { unit }: Goal) => `${shown(value)} ${unit}`.trim();

const columns = ["case", "what", "measured", "target", "limit", "verdict"] as const;

export function summarize(verdicts: readonly Verdict[]): Table {
  const count = (met: boolean | null) => verdicts.filter((one) => one.met === met).length;
  return {
    title: "summary",
    columns: [...columns],
    rows: verdicts.map((verdict) => columns.map((column) => verdict[column])),
    notes: [`${count(true)} met, ${count(false)} missed, ${count(null)} not measured`],
  };
}

/** The whole table as a document of its own, or in one that has the heading, in the place of what stood below it. */
export function writeMarkdown(
  file: string,
  {
    machine,
    command,
    verdicts,
    texts,
  }: { machine: string; command: string; verdicts: Verdict[]; texts: string[] },
): void {
  const [{ rows, notes }, line] = [
    summarize(verdicts),
    (cells: readonly unknown[]) => `| ${cells.join(" | ")} |`,
  ];
  const document = existsSync(file) ? readFileSync(file, "utf8") : "";
  const at = document.indexOf(HEADING);
  const above = at < 0 ? "" : document.slice(0, at);
  const table = [line(columns), line(columns.map(() => "---")), ...rows.map(line)];
  const parts = [
    HEADING,
    `${machine}\n\n\`${command}\``,
    table.join("\n"),
    `${notes.join(" ")}.`,
    `\`\`\`\n${texts.join("\n\n")}\n\`\`\``,
  ];
  writeFileSync(file, `${above}${parts.join("\n\n")}\n`);
}

export const summaryText = (verdicts: readonly Verdict[]) => format(summarize(verdicts));

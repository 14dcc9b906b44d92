/** Figures and how they are printed. */
import type { Figure, Goals } from "./goals.ts";

export type Table = {
  title: string;
  columns: string[];
  /** The first cell of a row is its name; numbers are printed with three significant digits. */
  rows: (string | number)[][];
  notes: string[];
};

/** Points of a curve: thread length in turns, and what was measured there. */
export type Curve = { name: string; points: [turn: number, value: number][] };

export type Surroundings = {
  /** Whether LangGraph.js's own server is to be measured beside ours. */
  peer: boolean;
  /** Says on stderr how far a long case has come. */
  say(text: string): void;
};

export type Outcome<Name extends keyof Goals> = {
  tables: Table[];
  /** One for each goal of the case. */
  figures: { [Goal in keyof Goals[Name]]: Figure };
  /** For the plot. */
  curves?: { time_ms: Curve[]; disk_kb: Curve[] };
};

/** One benchmark: prints nothing itself. What it starts is `lasting`. */
export type Case<Name extends keyof Goals = keyof Goals> = {
  name: Name;
  /** One line for --help. */
  about: string;
  run(surroundings: Surroundings): Promise<Outcome<Name>>;
};

/** The value below which `part` of the samples lie. */
export function percentile(samples: readonly number[], part: number): number {
  if (samples.length === 0) throw new Error("There is nothing to summarize.");
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)]!;
}

export const median = (samples: readonly number[]) => percentile(samples, 0.5);

/** [p50, p99, samples] */
export const spread = (samples: readonly number[]): number[] => [
  median(samples),
  percentile(samples, 0.99),
  samples.length,
];

/** [median, least, most, rounds] */
export const range = (rates: readonly number[]): number[] => [
  median(rates),
  percentile(rates, 0),
  percentile(rates, 1),
  rates.length,
];

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

export function format({ title, columns, rows, notes }: Table): string {
  const cells = [columns, ...rows.map((row) => row.map(shown))];
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)));
  // A column of words is read from the left.
  const words = columns.map((_, i) => rows.every((row) => typeof (row[i] ?? "") === "string"));
  const lines = cells.map((row) =>
    row
      .map((cell, i) => (words[i] ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join("  ")
      .trimEnd(),
  );
  const [head, ...body] = lines;
  const rule = "-".repeat(Math.max(...lines.map((line) => line.length)));
  return [title, "", head, rule, ...body, ...notes.map((note) => `  ${note}`)].join("\n");
}

export function shown(cell: string | number): string {
  if (typeof cell === "string") return cell;
  if (Number.isInteger(cell) || Math.abs(cell) >= 1000) return String(Math.round(cell));
  return cell.toPrecision(3);
}

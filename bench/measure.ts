/** Figures and how they are printed. */
export type Table = {
  title: string;
  columns: string[];
  /** The first cell of a row is its name; numbers are printed with three significant digits. */
  rows: (string | number)[][];
  notes: string[];
};

/** One benchmark: prints nothing itself. */
export type Case = { name: string; run(): Promise<Table[]> };

/** The value below which `part` of the samples lie. */
export function percentile(samples: readonly number[], part: number): number {
  if (samples.length === 0) throw new Error("There is nothing to summarize.");
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * part) - 1)]!;
}

export const median = (samples: readonly number[]) => percentile(samples, 0.5);

/** [p50, p99, samples] */
export const spread = (samples: readonly number[]): number[] => [
  median(samples),
  percentile(samples, 0.99),
  samples.length,
];

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

export function format({ title, columns, rows, notes }: Table): string {
  const cells = [columns, ...rows.map((row) => row.map(shown))];
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)));
  const lines = cells.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  "),
  );
  const [head, ...body] = lines;
  return [title, "", head, "-".repeat(head!.length), ...body, ...notes.map((note) => `  ${note}`)].join("\n");
}

export function shown(cell: string | number): string {
  if (typeof cell === "string") return cell;
  if (Number.isInteger(cell) || Math.abs(cell) >= 1000) return String(Math.round(cell));
  return cell.toPrecision(3);
}

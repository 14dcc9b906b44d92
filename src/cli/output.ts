/** What commands print: for people tables, colour and short forms; for machines JSON. Nothing here asks the server. */
import { styleText } from "node:util";
import { isObject, type Json, type JsonObject } from "../core/json.ts";

export type Format = Parameters<typeof styleText>[0];
/** Colours a text, or leaves it as it is. */
export type Paint = (format: Format, text: string) => string;

/** Colours only on a terminal, and as NO_COLOR and FORCE_COLOR say. */
export const paint: Paint = (format, text) => styleText(format, text, { stream: process.stdout });
export const paintError: Paint = (format, text) => styleText(format, text, { stream: process.stderr });
export const plain: Paint = (_format, text) => text;

export function print(line = ""): void {
  process.stdout.write(`${line}\n`);
}

/** For what is not the answer itself, so that a pipe gets the answer alone. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** One line of JSON. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

const LEAST_WIDTH = 40;

/** The terminal's width, or undefined where nobody needs lines to end: in a pipe, or a terminal that says 0. */
export function terminalWidth(): number | undefined {
  const { isTTY, columns } = process.stdout;
  return isTTY && columns > 0 ? Math.max(columns, LEAST_WIDTH) : undefined;
}

export type Column<Row> = {
  title: string;
  cell: (row: Row) => string;
  format?: (row: Row) => Format;
};

const GAP = "  ";

/** Columns as wide as their widest cell; the last one is cut where the terminal ends. No rows: only the titles. */
export function table<Row>(
  columns: Column<Row>[],
  rows: Row[],
  { width, paint: color = plain }: { width?: number | undefined; paint?: Paint } = {},
): string {
  const cells = rows.map((row) => columns.map(({ cell }) => oneLine(cell(row))));
  const widths = columns.map(({ title }, at) =>
    Math.max(title.length, ...cells.map((line) => line[at]?.length ?? 0)),
  );
  const before = widths.slice(0, -1).reduce((sum, columnWidth) => sum + columnWidth + GAP.length, 0);
  const room = width === undefined ? Number.POSITIVE_INFINITY : Math.max(10, width - before);
  const fit = (text: string, at: number) =>
    at === columns.length - 1 ? shorten(text, room) : text.padEnd(widths[at] ?? 0);
  const head = columns.map(({ title }, at) => color("dim", fit(title.toUpperCase(), at)));
  const body = rows.map((row, line) =>
    columns.map(({ format }, at) => {
      const text = fit(cells[line]?.[at] ?? "", at);
      return format ? color(format(row), text) : text;
    }),
  );
  return [head, ...body].map((line) => line.join(GAP).trimEnd()).join("\n");
}

/** A list to people: the table, or a sentence when there is nothing in it. */
export function printTable<Row>(columns: Column<Row>[], rows: Row[], none: string): void {
  print(rows.length === 0 ? none : table(columns, rows, { width: terminalWidth(), paint }));
}

/** Names and what they are, one a line, the names in one column. */
export function printFacts(facts: [name: string, value: string | null | undefined, format?: Format][]): void {
  const width = Math.max(...facts.map(([name]) => name.length));
  for (const [name, value, format] of facts) {
    if (value === null || value === undefined) continue;
    const text = clean(value);
    print(`${paint("dim", name.padEnd(width))}  ${format ? paint(format, text) : text}`);
  }
}

const statusFormats: Record<string, Format> = {
  idle: "green",
  succeeded: "green",
  delivered: "green",
  busy: "cyan",
  running: "cyan",
  pending: "cyan",
  interrupted: "yellow",
  error: "red",
  failed: "red",
  canceled: "dim",
};

export function statusFormat(status: string): Format {
  return statusFormats[status] ?? "reset";
}

/**
 * A text that only shows: without the control characters by which a model's or an agent's words could move the
 * cursor or change the terminal. Newlines and tabs stay.
 */
export function clean(text: string): string {
  return text.replace(/\r\n/g, "\n").replace(/(?![\n\t])\p{Cc}/gu, "");
}

export function oneLine(text: string): string {
  return clean(text).replace(/\s+/g, " ").trim();
}

export function shorten(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, Math.max(1, most - 1))}…`;
}

/** A value in one line: text as it is, anything else as JSON. */
export function inline(value: Json | undefined): string {
  return oneLine(typeof value === "string" ? value : JSON.stringify(value ?? null));
}

/** What a state holds, in one line: `messages: 4 items, topic: "tea"`. */
export function summary(values: JsonObject | null): string {
  if (values === null) return "–";
  const parts = Object.entries(values).map(([key, value]) => {
    if (Array.isArray(value)) return `${key}: ${value.length} ${value.length === 1 ? "item" : "items"}`;
    return `${key}: ${isObject(value) ? "{…}" : shorten(JSON.stringify(value), 40)}`;
  });
  return parts.join(", ") || "empty";
}

/** `10:30:05`, where the reader is. */
export function clockTime(at: Date): string {
  return at.toTimeString().slice(0, 8);
}

/** `2026-01-31 10:30:05`, where the reader is. */
export function dateTime(iso: string | null): string {
  if (iso === null) return "–";
  const at = new Date(iso);
  const day = [at.getFullYear(), at.getMonth() + 1, at.getDate()]
    .map((n) => String(n).padStart(2, "0"))
    .join("-");
  return `${day} ${clockTime(at)}`;
}

/** Bytes as people say them: `812 B`, `1.5 KB`. */
export function fileSize(bytes: number): string {
  const units = ["B", "KB", "MB"];
  let size = bytes;
  let unit = 0;
  for (; size >= 1000 && unit < units.length - 1; unit++) size /= 1000;
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`;
}

/** Milliseconds as seconds: `45.2`; below a tenth with as many digits as it takes: `0.04`. */
export function seconds(ms: number): string {
  return (ms / 1000).toFixed(ms < 100 ? 2 : 1);
}

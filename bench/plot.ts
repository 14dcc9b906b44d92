/**
 * Draws what long-thread measured, time and disk of a turn against the length of its thread:
 * `node bench/plot.ts [figures.json] [picture.svg]`.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Curve, Outcome } from "./measure.ts";

type Panel = { title: string; unit: string; curves: Curve[] };
type Axis = { least: number; most: number; at(value: number): number };

const WIDTH = 920;
const HEIGHT = 432;
/** Of the area between the axes, for each of the two panels. */
const AREA = { top: 120, bottom: 368, width: 352, lefts: [64, 520] };
/** Enough for a character of a name, whatever the font. */
const CHARACTER = 7.4;
const SWATCH = 28;
const DOT = 3.5;

const style = `
  :root { --ground: #ffffff; --ink: #1f2328; --faint: #59636e; --grid: #d8dee4;
    --c0: #0b62d6; --c1: #6e7781; --c2: #bc4c00; }
  @media (prefers-color-scheme: dark) {
    :root { --ground: #151b23; --ink: #e6edf3; --faint: #9aa4af; --grid: #30363d;
      --c0: #5aa9ff; --c1: #a5afba; --c2: #ff9a4d; }
  }
  text { font: 13px system-ui, -apple-system, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif; fill: var(--ink); }
  .title { font-size: 15px; font-weight: 600; }
  .faint { fill: var(--faint); font-size: 12px; }
  .grid { stroke: var(--grid); stroke-width: 1; }
  .curve { fill: none; stroke-width: 2.25; stroke-linejoin: round; }
${[0, 1, 2].map((i) => `  .s${i} { stroke: var(--c${i}); } .d${i} { fill: var(--c${i}); }`).join("\n")}
`;

/** Logarithmic, from the power of ten below the least value to the one above the most. */
function logarithmic(values: number[], from: number, to: number): Axis {
  const least = Math.floor(Math.log10(Math.min(...values)));
  const most = Math.max(least + 1, Math.ceil(Math.log10(Math.max(...values))));
  return {
    least,
    most,
    at: (value) => from + ((Math.log10(value) - least) / (most - least)) * (to - from),
  };
}

const powers = ({ least, most }: Axis) =>
  Array.from({ length: most - least + 1 }, (_, i) => 10 ** (least + i));
const number = (value: number) => value.toLocaleString("en", { maximumFractionDigits: 2 });
const escaped = (text: string) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
const round = (value: number) => Number(value.toFixed(1));

/** Colours follow the order of `names`, so that a curve has the same in both panels. */
function draw({ title, unit, curves }: Panel, left: number, names: string[]): string {
  const right = left + AREA.width;
  const points = curves.flatMap((curve) => curve.points);
  const x = logarithmic([1, ...points.map(([turn]) => turn)], left, right);
  const y = logarithmic(
    points.map(([, value]) => value),
    AREA.bottom,
    AREA.top,
  );
  const rows = powers(y).map((value) => {
    const at = round(y.at(value));
    return `<line class="grid" x1="${left}" x2="${right}" y1="${at}" y2="${at}"/>
<text class="faint" x="${left - 8}" y="${at + 4}" text-anchor="end">${number(value)}</text>`;
  });
  const columns = powers(x).map(
    (turn) =>
      `<text class="faint" x="${round(x.at(turn))}" y="${AREA.bottom + 20}" text-anchor="middle">${number(turn)}</text>`,
  );
  const lines = curves.map((curve) => {
    const i = names.indexOf(curve.name);
    const places = curve.points.map(([turn, value]) => [round(x.at(turn)), round(y.at(value))] as const);
    const dots = places.map(([cx, cy]) => `<circle class="d${i}" cx="${cx}" cy="${cy}" r="${DOT}"/>`);
    return `<polyline class="curve s${i}" points="${places.map((place) => place.join(",")).join(" ")}"/>${dots.join("")}`;
  });
  return `<text class="title" x="${left}" y="72">${escaped(title)}</text>
<text class="faint" x="${left}" y="92">${escaped(unit)}</text>
${rows.join("\n")}
${columns.join("\n")}
<text class="faint" x="${(left + right) / 2}" y="${AREA.bottom + 42}" text-anchor="middle">turns in the thread</text>
${lines.join("\n")}`;
}

/** In a row above the panels: curves may cross, and their names must not. */
function legend(names: string[]): string {
  let x = AREA.lefts[0]!;
  return names
    .map((name, i) => {
      const entry = `<line class="curve s${i}" x1="${x}" x2="${x + SWATCH}" y1="32" y2="32"/><circle class="d${i}" cx="${x + SWATCH / 2}" cy="32" r="${DOT}"/>
<text x="${x + SWATCH + 8}" y="36.5">${escaped(name)}</text>`;
      x = round(x + SWATCH + 8 + name.length * CHARACTER + SWATCH);
      return entry;
    })
    .join("\n");
}

const [
  figures = join(tmpdir(), "crewship-bench.json"),
  picture = fileURLToPath(new URL("../docs/images/turns.svg", import.meta.url)),
] = process.argv.slice(2);
const { results } = JSON.parse(readFileSync(figures, "utf8")) as {
  results: { "long-thread"?: Outcome<"long-thread"> };
};
const curves = results["long-thread"]?.curves;
if (!curves) {
  console.error(
    `${figures} holds no figures of long-thread. Make them by npm run bench -- long-thread --json ${figures}`,
  );
  process.exit(1);
}
const panels: Panel[] = [
  { title: "Time of a turn", unit: "milliseconds, logarithmic", curves: curves.time_ms },
  { title: "Disk that a turn adds", unit: "KB, logarithmic", curves: curves.disk_kb },
];
const names = curves.time_ms.map(({ name }) => name);
mkdirSync(dirname(picture), { recursive: true });
writeFileSync(
  picture,
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="Time and disk of a turn against the length of its thread: ${escaped(names.join(", "))}">
<style>${style}</style>
<rect width="${WIDTH}" height="${HEIGHT}" rx="8" fill="var(--ground)"/>
${legend(names)}
${panels.map((panel, i) => draw(panel, AREA.lefts[i]!, names)).join("\n")}
</svg>
`,
);
console.log(`written to ${picture}`);

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
const HEIGHT = 400;
/** Of the area between the axes, for each of the two panels. */
const AREA = { top: 84, bottom: 336, width: 352, lefts: [64, 520] };
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
  .name { font-weight: 600; paint-order: stroke; stroke: var(--ground); stroke-width: 4px; stroke-linejoin: round; }
${[0, 1, 2].map((i) => `  .s${i} { stroke: var(--c${i}); } .d${i} { fill: var(--c${i}); } .n${i} { fill: var(--c${i}); }`).join("\n")}
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
  // At the end of its curve, over all curves: ours below it, since those that grow cross it from below.
  const labels = curves.map((curve) => {
    const [turn, value] = curve.points.at(-1)!;
    const i = names.indexOf(curve.name);
    return `<text class="name n${i}" x="${round(x.at(turn))}" y="${round(y.at(value) + (i === 0 ? 22 : -12))}" text-anchor="end">${escaped(curve.name)}</text>`;
  });
  return `<text class="title" x="${left}" y="34">${escaped(title)}</text>
<text class="faint" x="${left}" y="54">${escaped(unit)}</text>
${rows.join("\n")}
${columns.join("\n")}
<text class="faint" x="${(left + right) / 2}" y="${AREA.bottom + 42}" text-anchor="middle">turns in the thread</text>
${lines.join("\n")}
${labels.join("\n")}`;
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
${panels.map((panel, i) => draw(panel, AREA.lefts[i]!, names)).join("\n")}
</svg>
`,
);
console.log(`written to ${picture}`);

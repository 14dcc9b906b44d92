/** The program that measures, without measuring: how it refuses, how it judges, and what it draws. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { judge, writeMarkdown } from "../bench/summary.ts";

const bench = (program: string, ...args: string[]) =>
  spawnSync(process.execPath, [fileURLToPath(new URL(`../bench/${program}`, import.meta.url)), ...args], {
    encoding: "utf8",
  });

test("a benchmark, a peer or a flag that does not exist is refused with exit code 2", () => {
  for (const wrong of [["nothing"], ["--peer", "nothing"], ["--nothing"]]) {
    const { status, stderr } = bench("main.ts", ...wrong);
    assert.equal(status, 2);
    assert.match(stderr, /nothing/);
  }
});

test("a goal is met up to its very figure, missed beyond it, and says why it was not measured", () => {
  const figures = { over_bare: { value: 4.01 }, peer: { why: "no peer" }, aegra: { value: 8 } };
  const [beyond, unknown, exact] = judge("turn", figures, "none");
  assert.equal(exact!.met, true);
  assert.equal(beyond!.met, false);
  assert.equal(unknown!.met, null);
  assert.equal(unknown!.verdict, "not measured: no peer");
});

test("the table replaces the last one in a document, and leaves what stands above it", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "crewship-bench-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "document.md");
  writeFileSync(file, "# Title\n\nText.\n\n## The last full table\n\nold\n");
  const verdicts = judge("first-event", { first: { value: 3 } }, "a limit");
  writeMarkdown(file, { machine: "a machine", command: "a command", verdicts, texts: ["a table"] });
  const text = readFileSync(file, "utf8");
  assert.match(text, /^# Title\n\nText\.\n\n## The last full table\n\na machine\n/);
  assert.match(text, /\| first-event \| .* \| 3 ms \| ≤ 6 ms \| a limit \| met \|/);
  assert.doesNotMatch(text, /old/);
});

test("the plot shows every curve that was measured, and refuses figures without any", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "crewship-bench-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const [figures, picture] = [join(folder, "figures.json"), join(folder, "picture.svg")];
  const curve = (name: string) => ({ name, points: [1, 10, 100].map((turn) => [turn, turn]) });
  const curves = { time_ms: [curve("ours & mine"), curve("bare")], disk_kb: [curve("ours & mine")] };
  writeFileSync(figures, JSON.stringify({ results: { "long-thread": { curves } } }));
  assert.equal(bench("plot.ts", figures, picture).status, 0);
  const svg = readFileSync(picture, "utf8");
  assert.equal(svg.match(/<polyline/g)?.length, 3);
  assert.match(svg, />ours &amp; mine</);
  writeFileSync(figures, JSON.stringify({ results: {} }));
  assert.equal(bench("plot.ts", figures, picture).status, 1);
});

/** What Python's runner writes, read by the server's own code: one table of values for both languages. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { Decoder } from "../runners/node/decode.ts";
import { ThreadMemory } from "../runners/node/memory.ts";
import { show } from "../src/core/encoding.ts";
import type { Json } from "../src/core/json.ts";
import { pythonWith } from "./fixtures/python.ts";

const PYTHON_LIMIT_MS = 60_000;
/** One with LangGraph, so that the table holds LangGraph's values, too. */
const PYTHON = await pythonWith("langgraph");

const here = import.meta.dirname;
const { stdout } = await promisify(execFile)(PYTHON, ["-W", "ignore", join(here, "python/codec_table.py")], {
  env: { ...process.env, PYTHONPATH: join(here, "../runners/python"), PYTHONDONTWRITEBYTECODE: "1" },
  timeout: PYTHON_LIMIT_MS,
  maxBuffer: 1 << 24,
});
const table = stdout
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line) as [name: string, encoded: Json, shown: Json]);

for (const [name, encoded, shown] of table) {
  test(`the server shows what Python stores of ${name}`, () => {
    assert.deepEqual(
      show(encoded, () => assert.fail("no items")),
      shown,
    );
  });
}

test("a JavaScript agent can read whatever a Python agent stored", async () => {
  const decoder = new Decoder({ messages: {} }, new ThreadMemory(1, 0), []);
  const values = new Map<string, unknown>();
  for (const [name, encoded] of table) values.set(name, await decoder.decode(encoded));
  assert.deepEqual(values.get("tuples"), [[], [1, [2, [3]]]]);
  assert.deepEqual(values.get("whole floats"), [1, -3, 0, 1e20, 1e22, 1e300]);
  assert.deepEqual(values.get("a large integer"), [2n ** 53n, -(2n ** 53n), 10n ** 30n]);
  assert.deepEqual(values.get("a datetime in a zone"), new Date("2026-07-01T00:00:00+02:00"));
  assert.deepEqual(values.get("a date"), new Date("2026-01-31"));
  assert.equal(values.get("a time"), "10:30:01");
  assert.deepEqual(values.get("a frozenset"), new Set(["a", "b", [1, 2]]));
  assert.deepEqual(values.get("decimals"), ["1.50", "1/3"]);
  assert.deepEqual(values.get("a dataclass"), { x: 1, tags: ["a"] });
});

/** The tests written in Python, under every interpreter and with every framework they are about. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { interpreters, pythonWith } from "./fixtures/python.ts";

const FOLDER = join(import.meta.dirname, "python");
const LIMIT_MS = 180_000;

for (const [version, python] of interpreters()) {
  test(`the codec in Python ${version}`, () => pass(python, "test_codec*.py"));
}
test("the codec with LangGraph", async () => pass(await pythonWith("langgraph"), "test_codec*.py"));
test("the codec with LangGraph 0.2", async () => pass(await pythonWith("langgraph-0.2"), "test_codec*.py"));
test("crews and flows", async () => pass(await pythonWith("crewai"), "test_crewai.py"));

async function pass(python: string, pattern: string): Promise<void> {
  const child = spawn(python, ["-m", "unittest", "discover", "-s", FOLDER, "-p", pattern], {
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1" },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: LIMIT_MS,
    killSignal: "SIGKILL",
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
  }
  const [code] = await once(child, "close");
  assert.equal(code, 0, said);
  assert.match(said, /Ran [1-9]\d* test/, "a pattern that finds nothing tests nothing");
}

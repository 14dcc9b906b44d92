/** Runs the tests of our LangGraph checkpointer that are written in Python, LangGraph's own conformance suite first. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { VERSIONS } from "./python_langgraph.ts";

const PYTHON_TESTS = join(import.meta.dirname, "../python");

for (const { version, latest, python } of VERSIONS) {
  const files = ["test_langgraph_load.py", "test_saver.py"];
  if (latest) files.unshift("test_checkpointer_conformance.py");
  for (const file of files) {
    test(`LangGraph ${version}: ${file}`, { timeout: 120_000 }, async () => {
      const run = promisify(execFile)(await python(), ["-W", "ignore", join(PYTHON_TESTS, file)]);
      await run.catch(({ stderr }: { stderr: string }) => assert.fail(stderr));
    });
  }
}

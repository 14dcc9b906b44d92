import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

const ROOT = join(import.meta.dirname, "../..");
const VITEST = join(ROOT, "node_modules/vitest/vitest.mjs");

test("our checkpointer passes LangGraph's own validation suite", { timeout: 120_000 }, async () => {
  const file = "test/runner/validated_saver.ts";
  const args = [VITEST, "run", "--globals", "--reporter=json", "--dir", join(ROOT, "test/runner"), file];
  const include = ["--config", join(ROOT, "test/runner/validation.config.ts")];
  const env = { ...process.env, CI: "1", NO_COLOR: "1", NODE_OPTIONS: "" };
  const run = promisify(execFile)(process.execPath, [...args, ...include], {
    cwd: ROOT,
    env,
    maxBuffer: 64 * 1024 * 1024,
  });
  const { stdout, stderr } = await run.catch((failed: { stdout: string; stderr: string }) => failed);
  const start = stdout.indexOf("{");
  assert.ok(start >= 0, stdout + stderr);
  const report = JSON.parse(stdout.slice(start)) as Report;
  const failed = report.testResults.flatMap(({ assertionResults }) =>
    assertionResults.filter(({ status }) => status === "failed").map(({ fullName }) => fullName),
  );
  assert.deepEqual(failed, []);
  assert.equal(report.success, true, stderr);
  assert.ok(report.numPassedTests > 700, `${report.numPassedTests} tests ran`);
});

type Report = {
  success: boolean;
  numPassedTests: number;
  testResults: { assertionResults: { status: string; fullName: string }[] }[];
};

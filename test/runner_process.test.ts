import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { AgentLost, LoadError } from "../src/runner/errors.ts";
import type { AgentProcess } from "../src/runner/process.ts";
import type { RunMessage } from "../src/runner/run.ts";
import { collect, fakeProcess, isAlive, start, until } from "./fixtures/agent_process.ts";
import { interpreters } from "./fixtures/python.ts";

const python = interpreters()[0]?.[1] ?? "";
const skip = python === "" && "no Python here";

async function loaded(options?: Parameters<typeof fakeProcess>[0]): Promise<AgentProcess> {
  const child = fakeProcess(options);
  await child.start();
  return child;
}

/** The AgentLost of a run that does `act`, in a process of its own. */
async function lossOf(act: string, options?: Parameters<typeof fakeProcess>[0]): Promise<AgentLost> {
  const child = await loaded(options);
  try {
    await collect(child.run(start("run_1", { act })));
  } catch (error) {
    assert.ok(error instanceof AgentLost, String(error));
    assert.equal((await child.ended).reason, error.reason);
    return error;
  }
  throw new assert.AssertionError({ message: "the run was not lost" });
}

test("a run's messages arrive in order and end with done, beside another run's", async () => {
  const child = await loaded();
  const runs = [1, 2].map((n) => child.run(start(`run_${n}`, { act: "echo", n })));
  const [first, second] = await Promise.all(runs.map(collect));
  for (const [n, messages] of [first!, second!].entries()) {
    assert.deepEqual(
      messages.map((message) => [message.type, message.run_id]),
      [
        ["event", `run_${n + 1}`],
        ["done", `run_${n + 1}`],
      ],
    );
  }
  await child.stop();
});

test("a process that exits loses its runs with its exit code and the end of stderr, after what it had sent", async () => {
  const child = await loaded();
  const run = child.run(start("run_1", { act: "exit" }));
  const seen: RunMessage[] = [];
  const error = await (async () => {
    for await (const message of run) seen.push(message);
  })().then(
    () => assert.fail("the run was not lost"),
    (error: unknown) => error,
  );
  assert.ok(error instanceof AgentLost);
  assert.equal(seen.length, 1);
  assert.deepEqual([error.reason, error.exitCode, error.signal], ["exited with code 3", 3, null]);
  assert.ok(error.stderr.endsWith("the end") && error.stderr.length <= 4096);
  assert.equal(child.wasEndedByUs, false);
  await assert.rejects(
    collect(child.run(start("run_2", { act: "echo" }))),
    AgentLost,
    "no run starts in it any more",
  );
});

test("a process that crashes loses its runs with the signal", async () => {
  const loss = await lossOf("crash");
  assert.deepEqual([loss.reason, loss.signal], ["was ended by SIGSEGV", "SIGSEGV"]);
});

test("a process that breaks the protocol is ended with what it did wrong", async () => {
  assert.match((await lossOf("huge")).reason, /it sent a line longer than 64 MB/);
  assert.match((await lossOf("garbage")).reason, /it sent a line that is not JSON: hello/);
  assert.match((await lossOf("misfit")).reason, /a message of type "event" that does not fit/);
  assert.match((await lossOf("gap")).reason, /it sent a writes with n 2 where 1 was due/);
});

test("a process over its memory ceiling is ended with the number", async () => {
  assert.match((await lossOf("fat")).reason, /it used more than 448 MB/);
});

async function loadErrorOf(options: Parameters<typeof fakeProcess>[0]): Promise<LoadError> {
  const child = fakeProcess(options);
  const error = await child.start().then(
    () => assert.fail("it loaded"),
    (error: unknown) => error,
  );
  assert.ok(error instanceof LoadError, String(error));
  await child.ended;
  return error;
}

test("an agent that cannot be loaded is an error with its traceback, and its process ends", async () => {
  assert.deepEqual((await loadErrorOf({ entrypoint: "fail" })).error, {
    message: "no such export",
    traceback: "at graph.ts:1",
  });
  const { error } = await loadErrorOf({ entrypoint: "exit" });
  assert.match(error.message, /could not be loaded: its process exited with code 1/);
  assert.match(error.traceback!, /SyntaxError/);
});

test("an agent that does not load in time is ended, and so is one whose process cannot start", async () => {
  const slow = await loadErrorOf({ entrypoint: "silent", limits: { loadTimeoutMs: 200 } });
  assert.match(slow.message, /had not loaded after 0.2 s/);
  const nowhere = await loadErrorOf({ directory: "/nowhere/at/all" });
  assert.match(nowhere.message, /could not be started in \/nowhere\/at\/all: .*ENOENT/);
  const huge = await loadErrorOf({ env: { BIG: "x".repeat(8 * 1024 * 1024) } });
  assert.match(huge.message, /could not be started/);
});

test("a Python agent whose interpreter is missing is an error that says what to do", async () => {
  const { message } = await loadErrorOf({ python: "/nowhere/bin/python" });
  assert.match(
    message,
    /its Python interpreter \/nowhere\/bin\/python is missing\. The next run makes its environment anew/,
  );
  const nowhere = await loadErrorOf({ python: "/nowhere/bin/python", directory: "/nowhere/at/all" });
  assert.match(nowhere.message, /could not be started in \/nowhere\/at\/all/);
});

test("a Python agent process that ends before it is ready is an error with what it said last", {
  skip,
}, async () => {
  const runnerPath = join(mkdtempSync(join(tmpdir(), "runner-")), "runner.py");
  writeFileSync(runnerPath, "import json\njson.loads('{')\n");
  const uncaught = await loadErrorOf({ python, runnerPath });
  assert.match(uncaught.message, /could not be loaded: its process exited with code 1/);
  assert.match(uncaught.error.traceback!, /JSONDecodeError/);
  writeFileSync(runnerPath, "raise MemoryError\n");
  const large = await loadErrorOf({ python, runnerPath });
  assert.match(large.message, /its process ran out of memory \(memory_mb = 128\)/);
  rmSync(dirname(runnerPath), { recursive: true });
});

test("a stopped process ends by itself, and one that ignores it is killed after the grace", async () => {
  const polite = await loaded();
  await polite.stop();
  assert.equal((await polite.ended).reason, "was stopped");
  assert.equal((await polite.ended).signal, "SIGTERM");
  const stubborn = await loaded({ entrypoint: "stubborn", limits: { stopGraceMs: 100 } });
  const run = collect(stubborn.run(start("run_1", { act: "wait" })));
  await Promise.all([stubborn.stop(), assert.rejects(run, { name: "AgentLost", reason: "was stopped" })]);
  assert.equal((await stubborn.ended).signal, "SIGKILL");
});

test("what an agent started ends with its process", async () => {
  for (const end of [
    (child: AgentProcess) => child.stop(),
    (child: AgentProcess) => child.kill("was killed"),
  ]) {
    const child = await loaded();
    const messages = child.run(start("run_1", { act: "grandchild" }))[Symbol.asyncIterator]();
    const { value } = await messages.next();
    assert.ok(value?.type === "event");
    const { pid } = value.events[0]!.data as { pid: number };
    assert.ok(isAlive(pid));
    void end(child);
    await assert.rejects(messages.next(), AgentLost);
    await until(() => !isAlive(pid), "the grandchild is gone");
  }
});

test("a canceled run ends by itself and its process lives on", async () => {
  const child = await loaded();
  const abort = new AbortController();
  const run = child.run(start("run_1", { act: "wait" }), abort.signal);
  const messages = run[Symbol.asyncIterator]();
  await messages.next();
  abort.abort();
  const { value } = await messages.next();
  assert.ok(value?.type === "done" && value.outcome === "canceled");
  assert.deepEqual(await messages.next(), { value: undefined, done: true });
  assert.equal((await collect(child.run(start("run_2", { act: "echo" })))).length, 2);
  await child.stop();
});

test("a run that does not end after its cancel takes its process with it, and the others there are lost", async () => {
  const child = await loaded({ limits: { cancelGraceMs: 100 } });
  const other = collect(child.run(start("run_other", { act: "wait" })));
  const deaf = child.run(start("run_deaf", { act: "deaf" }));
  deaf.cancel();
  const reason = "was killed: run_deaf had not ended 100 ms after its cancel";
  await Promise.all([assert.rejects(collect(deaf), { reason }), assert.rejects(other, { reason })]);
  await deaf.ended;
});

test("a reader that leaves the loop cancels the run, whose end can still be awaited", async () => {
  const child = await loaded();
  const run = child.run(start("run_1", { act: "wait" }));
  for await (const message of run) {
    assert.equal(message.type, "event");
    break;
  }
  await run.ended;
  assert.equal(run.finished, true);
  assert.equal(child.wasEndedByUs, false);
  await child.stop();
});

test("reading pauses while a run's reader is behind, and nothing is lost or reordered", async () => {
  const lines: string[] = [];
  const child = await loaded({ onOutput: (line) => lines.push(line) });
  const count = 400;
  const run = child.run(start("run_1", { act: "flood", count, bytes: 100_000 }));
  await until(() => child.readingPaused, "reading has paused");
  assert.deepEqual(lines, [], "the agent has not been able to write all of it");
  const messages = await collect(run);
  assert.equal(messages.length, count + 1);
  messages.slice(0, count).forEach((message, n) => {
    assert.ok(message.type === "event");
    assert.equal((message.events[0]!.data as { n: number }).n, n);
  });
  assert.equal(child.readingPaused, false);
  await child.stop();
});

test("a reader that leaves a full run lets the others go on", async () => {
  const child = await loaded();
  const flood = child.run(start("run_1", { act: "flood", count: 400, bytes: 100_000 }));
  const messages = flood[Symbol.asyncIterator]();
  await until(() => child.readingPaused, "reading has paused");
  await messages.return?.();
  assert.equal((await collect(child.run(start("run_2", { act: "echo" })))).length, 2);
  await flood.ended;
  await child.stop();
});

const impatient = { seatSilenceMs: 300, hungAfterMs: 600 };

test("a process whose loop is blocked by a run that had begun is reported once and lives", async () => {
  for (const says of ["event", "alive"]) {
    const silences: number[] = [];
    const child = await loaded({ limits: impatient, onHung: (ms) => silences.push(ms) });
    const messages = await collect(child.run(start("run_1", { act: "block", says, ms: 1500 })));
    assert.equal(messages.at(-1)?.type, "done");
    assert.equal(silences.length, 1);
    assert.ok(silences[0]! >= impatient.hungAfterMs);
    assert.equal(child.wasEndedByUs, false);
    await child.stop();
  }
});

test("a process is killed when an ended run's code blocks its loop, and the runs it has not begun are lost", async () => {
  const reason = "was killed: it had been silent for 0.6 s with no run under way";
  const empty = await loaded({ limits: impatient });
  await collect(empty.run(start("run_1", { act: "linger" })));
  assert.equal((await empty.ended).reason, reason);
  const seated = await loaded({ limits: impatient });
  await collect(seated.run(start("run_1", { act: "linger" })));
  await assert.rejects(collect(seated.run(start("run_2", { act: "echo" }))), { name: "AgentLost", reason });
});

test("a process from which nothing is read, because a run's reader is behind, is not silent", async () => {
  let reports = 0;
  const child = await loaded({ limits: impatient, onHung: () => reports++ });
  const flood = child.run(start("run_1", { act: "flood", count: 400, bytes: 100_000 }));
  await until(() => child.readingPaused, "reading has paused");
  const silent = await loaded({ limits: impatient });
  await collect(silent.run(start("run_1", { act: "linger" })));
  await silent.ended;
  assert.equal(child.readingPaused, true);
  assert.equal(child.silent, false);
  assert.equal((await collect(flood)).length, 401);
  assert.equal(reports, 0);
  await child.stop();
});

test("an agent that floods its output is cut to a bounded rate, with the number of lines that are gone", async () => {
  const lines: string[] = [];
  const child = await loaded({ onOutput: (line, stream) => lines.push(`${stream}: ${line}`) });
  await collect(child.run(start("run_1", { act: "print", count: 50_000 })));
  await child.stop();
  assert.match(lines[0]!, /^stdout: y{8192}… \(11808 more bytes dropped\)$/);
  const dropped = lines.reduce(
    (sum, line) => sum + Number(/\((\d+) more lines dropped\)/.exec(line)?.[1] ?? 0),
    0,
  );
  const shown = lines.filter((line) => line.includes("line ") && !line.includes("dropped")).length;
  assert.equal(dropped + shown, 50_000);
  assert.ok(shown < 5_000, `${shown} lines shown`);
});

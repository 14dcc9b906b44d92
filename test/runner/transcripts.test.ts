/** Replays test/protocol/*.jsonl against the real runners: the test plays the server's side. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { isObject } from "../../src/core/json.ts";
import { parseRunnerMessage, type RunnerMessage, type ServerMessage } from "../../src/runner/protocol.ts";
import { interpreters } from "../fixtures/python.ts";
import { runnerCommand } from "./harness.ts";

type Line =
  | { from: "server"; message: ServerMessage }
  | { from: "runner"; message: RunnerMessage }
  | { from: "runner"; exit: number };

const FOLDER = join(import.meta.dirname, "../protocol");
const AGENTS = join(FOLDER, "agents");
const DEADLINE_MS = 15_000;

/** `$AGENT(name)` in the language of a runner. */
function entrypoint(name: string, python: string | undefined): string {
  const file = name === "broken" ? "broken" : "agents";
  return python ? `${file}:${name}` : `./${file}.ts:${name}`;
}

async function replay(t: TestContext, text: string, python: string | undefined): Promise<void> {
  const lines = text
    .replaceAll("$DIRECTORY", AGENTS)
    .replace(/\$AGENT\((\w+)\)/, (_, name: string) => entrypoint(name, python))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);
  const [command, args] = runnerCommand(python);
  const child = spawn(command, args, {
    cwd: AGENTS,
    env: { PATH: process.env.PATH },
    stdio: ["ignore", "inherit", "inherit", "pipe"],
  });
  t.after(() => child.kill("SIGKILL"));
  const timer = setTimeout(() => child.kill("SIGKILL"), DEADLINE_MS);
  t.after(() => clearTimeout(timer));
  const exited = once(child, "exit");
  const pipe = child.stdio[3] as Socket;
  pipe.on("error", () => {});
  const received = createInterface({ input: pipe })[Symbol.asyncIterator]();
  /** The ids the runner gave its checkpoints, by those of the transcript. */
  const ids = new Map<string, string>();
  let events: { run_id: string; events: unknown[] } | undefined;

  const next = async (): Promise<RunnerMessage> => {
    for (;;) {
      const { value, done } = await received.next();
      if (done) assert.fail("the runner ended before the transcript did");
      const message = parseRunnerMessage(value);
      if (message.type !== "alive") return message;
    }
  };
  for (const line of lines) {
    if ("exit" in line) {
      assert.deepEqual(await exited, [line.exit, null]);
    } else if (line.from === "server") {
      pipe.write(`${JSON.stringify(line.message)}\n`);
    } else if (line.message.type === "event") {
      // As many messages as it takes to have said all of them.
      events = { run_id: line.message.run_id, events: [] };
      while (events.events.length < line.message.events.length) {
        const message = await next();
        assert.equal(message.type, "event", JSON.stringify(message));
        if (message.type === "event") events.events.push(...message.events);
      }
      assert.deepEqual(events, { run_id: line.message.run_id, events: line.message.events });
    } else if (line.message.type !== "alive") {
      assert.deepEqual(comparable(await next(), line.message, ids), line.message);
    }
  }
  pipe.destroy();
  await exited;
}

/** A message as the transcript would have it: what may differ, and rightly does, is put in its words. */
function comparable(said: RunnerMessage, expected: RunnerMessage, ids: Map<string, string>): RunnerMessage {
  const text = JSON.stringify(said);
  if (said.type === "checkpoint" && expected.type === "checkpoint")
    ids.set(said.checkpoint_id, expected.checkpoint_id);
  const named = JSON.parse(
    [...ids].reduce((all, [own, theirs]) => all.replaceAll(own, theirs), text),
  ) as RunnerMessage;
  if ("error" in named && named.error && "error" in expected && isObject(expected.error)) {
    const { message, traceback } = expected.error as { message: string; traceback?: string };
    if (named.error.message.includes(message)) named.error.message = message;
    if (named.error.traceback && traceback) named.error.traceback = traceback;
  }
  return named;
}

const sides: [name: string, python: string | undefined][] = [
  ["Node", undefined],
  ...interpreters().map(([version, path]): [string, string] => [`Python ${version}`, path]),
];
for (const name of readdirSync(FOLDER).filter((file) => file.endsWith(".jsonl"))) {
  const text = readFileSync(join(FOLDER, name), "utf8");
  if (!text.includes("$AGENT")) continue;
  for (const [side, python] of sides) {
    test(`the runner in ${side} keeps to the transcript ${name}`, (t) => replay(t, text, python));
  }
}

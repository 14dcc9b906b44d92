/** Replays test/protocol/*.jsonl against the server's side: the fake runner plays the other. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Structure } from "../src/core/structure.ts";
import { AgentLost, LoadError } from "../src/runner/errors.ts";
import type { RunnerMessage, ServerMessage } from "../src/runner/protocol.ts";
import type { AgentRun, RunMessage } from "../src/runner/run.ts";
import { directory, fakeProcess, transcriptRunner } from "./fixtures/agent_process.ts";

type Line =
  | { from: "server"; message: ServerMessage }
  | { from: "runner"; message: RunnerMessage }
  | { from: "runner"; exit: number };

const folder = fileURLToPath(new URL("protocol/", import.meta.url));

async function replay(path: string): Promise<void> {
  const lines = readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line.replaceAll("$DIRECTORY", directory)) as Line);
  const load = lines.flatMap((line) =>
    "message" in line && line.message.type === "load" ? [line.message] : [],
  )[0]!;
  const child = fakeProcess({
    framework: load.framework,
    entrypoint: load.entrypoint,
    memoryMb: 1024,
    runnerPath: transcriptRunner,
    env: { TRANSCRIPT: path },
  });
  const loading = child.start();
  let describing: Promise<Structure | null> | undefined;
  const runs = new Map<string, { run: AgentRun; messages: AsyncIterator<RunMessage, undefined> }>();
  const open = (run: AgentRun) => runs.set(run.runId, { run, messages: run[Symbol.asyncIterator]() });

  const say = (message: ServerMessage) => {
    switch (message.type) {
      case "load":
        return;
      case "run": {
        const { type: _, ...start } = message;
        open(child.run(start));
        return;
      }
      case "update": {
        const { type: _, values, as_node, ...start } = message;
        open(child.update(start, values, as_node));
        return;
      }
      case "describe":
        describing = child.describe();
        return;
      case "cancel":
        runs.get(message.run_id)!.run.cancel();
        return;
      case "ack":
        runs.get(message.run_id)!.run.ack(message.n);
        return;
      case "reply":
        runs.get(message.run_id)!.run.reply(message.request_id, message.checkpoints, message.items);
    }
  };
  const hear = async (message: RunnerMessage) => {
    switch (message.type) {
      case "ready":
      case "alive":
        return;
      case "loaded":
        await loading;
        return;
      case "described":
        assert.deepEqual(await describing, message.structure);
        return;
      case "load_failed":
        await assert.rejects(loading, (error) => {
          assert.ok(error instanceof LoadError);
          assert.deepEqual(error.error, message.error);
          return true;
        });
        return;
      case "embedded":
        assert.fail("nothing was to be embedded");
        return;
      default:
        assert.deepEqual(await runs.get(message.run_id)!.messages.next(), { value: message, done: false });
        if (message.type === "done") {
          assert.deepEqual(await runs.get(message.run_id)!.messages.next(), { value: undefined, done: true });
          runs.delete(message.run_id);
        }
    }
  };

  try {
    for (const line of lines) {
      if ("exit" in line) {
        const loss = { name: "AgentLost", exitCode: line.exit };
        for (const { messages } of runs.values()) await assert.rejects(messages.next(), loss);
        assert.ok((await child.ended) instanceof AgentLost);
      } else if (line.from === "server") say(line.message);
      else await hear(line.message);
    }
  } finally {
    await child.stop();
  }
}

for (const name of readdirSync(folder).filter((file) => file.endsWith(".jsonl"))) {
  test(`the server's side keeps to the transcript ${name}`, () => replay(join(folder, name)));
}

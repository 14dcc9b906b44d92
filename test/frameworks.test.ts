/**
 * One agent of every framework that does everything: which events it gives is the table in docs/agents.md, and a cancel and
 * a timeout reach its code, or end its process.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Event } from "../src/core/event.ts";
import type { Json } from "../src/core/json.ts";
import type { Run, RunRequest } from "../src/core/run.ts";
import { lives, ServerProcess } from "./faults/server.ts";
import { openAiStub } from "./fixtures/openai_stub.ts";

/** The first run of an agent in Python may have to wait for its packages. */
const WAIT_S = 600;
/** How long a file or the end of a process is waited for. */
const PATIENCE_MS = 20_000;

/** Long enough for the code to have begun: a crew or flow gets a new process for each run, and asks its model first. */
const TIMEOUT_S: Record<string, number> = { "everything-crewai": 8 };

type Act = "all" | "heed" | "ignore" | "fail" | "ask";

const byAct = (act: Act, file: string): Json => ({ act, file });
/** A crew does what its tasks tell its model. */
const byTask = (act: Act, file: string): Json => ({
  first:
    act === "all"
      ? 'call double {"n": 21}'
      : act === "fail"
        ? "refuse this"
        : `call ${act} ${JSON.stringify({ file })}`,
  second: 'call broken {"n": 1}',
});

const frameworks: {
  column: string;
  language: string;
  project: string;
  name: string;
  input: (act: Act, file: string) => Json;
  /** How its code is told of a cancel. */
  told: string;
  asks: boolean;
}[] = [
  {
    ...{ column: "LangGraph.js", language: "Node", project: "everything-node", name: "graph" },
    ...{ input: byAct, told: "abort", asks: true },
  },
  {
    ...{ column: "LangGraph", language: "Python", project: "everything-python", name: "graph" },
    ...{ input: byAct, told: "CancelledError", asks: true },
  },
  {
    ...{ column: "crew", language: "Python", project: "everything-crewai", name: "crew" },
    ...{ input: byTask, told: "RunCanceled", asks: false },
  },
  {
    ...{ column: "flow", language: "Python", project: "everything-crewai", name: "flow" },
    ...{ input: byAct, told: "CancelledError", asks: true },
  },
  {
    ...{ column: "function", language: "Node", project: "everything-node", name: "function" },
    ...{ input: byAct, told: "abort", asks: true },
  },
  {
    ...{ column: "function", language: "Python", project: "everything-python", name: "function" },
    ...{ input: byAct, told: "abort", asks: true },
  },
];

for (const { column, language, project, name, input, told, asks } of frameworks) {
  describe(`${column} in ${language}`, () => {
    let server: ServerProcess;
    const ends: (() => unknown)[] = [];
    before(async () => {
      process.env.OPENAI_BASE_URL = await openAiStub({
        after: (end) => void ends.push(end as () => unknown),
      });
      process.env.OPENAI_API_KEY = "none";
      server = await ServerProcess.start({ project: `test/projects/${project}`, name });
    });
    after(async () => {
      await server.remove();
      for (const end of ends) await end();
    });

    const thread = async () =>
      (await server.client().createThread({ deployment_id: server.deployment_id })).thread_id;
    const run = async (thread_id: string, act: Act, more: RunRequest = {}): Promise<Run> => {
      const request = { input: input(act, join(server.folder, act)), ...more };
      return server.client().waitForRun(thread_id, request, { wait_s: WAIT_S });
    };
    const eventsOf = async (id: string): Promise<Event[]> => {
      const events: Event[] = [];
      for await (const { type, data } of server.client().runEvents(id)) events.push({ type, data });
      return events;
    };

    it("gives the events that its documentation says", async () => {
      const seen = new Map<string, Event[]>();
      const acts: Act[] = asks ? ["all", "fail", "ask"] : ["all", "fail"];
      for (const act of acts) {
        const { id, status, error } = await run(await thread(), act);
        const expected = { all: "succeeded", fail: "failed", ask: "interrupted" }[act as "all"];
        assert.equal(status, expected, JSON.stringify(error));
        for (const event of await eventsOf(id))
          seen.set(event.type, [...(seen.get(event.type) ?? []), event]);
      }
      const given = [...seen.keys()].filter((type) => type !== "run.started").sort();
      assert.deepEqual(given, documented(column));
      const data = (type: string) => seen.get(type)?.map((event) => event.data) ?? [];
      assert.deepEqual(data("tool.called").slice(0, 2), [
        { tool: "double", input: { n: 21 } },
        { tool: "broken", input: { n: 1 } },
      ]);
      assert.deepEqual(data("tool.result").slice(0, 1), [{ tool: "double", output: "42" }]);
      const [broke] = data("tool.error") as { tool: string; error: string }[];
      assert.equal(broke?.tool, "broken");
      assert.match(broke.error, /it broke/);
      assert.deepEqual(data("log")[0], { level: "info", message: "a line" });
      const [custom] = data("custom") as { percent: number }[];
      assert.equal(custom?.percent, 50);
      assert.ok(data("message.delta").length > 0);
      assert.ok((data("state.updated") as { keys: string[] }[]).some(({ keys }) => keys.length > 0));
      const [failed] = data("run.failed") as { error: string }[];
      assert.match(failed!.error, /no such luck/);
    });

    it("is told of a timeout, and its run fails with run_timeout", async () => {
      const thread_id = await thread();
      const { status, error } = await run(thread_id, "heed", { timeout_s: TIMEOUT_S[project] ?? 3 });
      assert.deepEqual([status, error?.code], ["failed", "run_timeout"]);
      assert.equal(await written(join(server.folder, "heed")), told);
    });

    it("that does not heed a cancel is ended with its process, and the thread goes on", async () => {
      const thread_id = await thread();
      const client = server.client();
      const file = join(server.folder, "ignore");
      const { run_id } = await client.createRun(thread_id, { input: input("ignore", file) });
      const pid = Number(await written(file));
      await client.cancelRun(run_id);
      assert.equal((await client.getThread(thread_id)).status, "idle");
      assert.equal((await eventsOf(run_id)).at(-1)?.type, "run.canceled");
      const next = await run(thread_id, "all");
      assert.equal(next.status, "succeeded", JSON.stringify(next.error));
      assert.ok(!lives(pid), "its process is gone before the thread's next run begins");
    });
  });
}

/** The types that a framework gives by the table of docs/agents.md. */
function documented(column: string): string[] {
  const text = readFileSync(new URL("../docs/agents.md", import.meta.url), "utf8");
  const table = text.slice(text.indexOf("\n### Events of each framework"));
  const [head, , ...rows] = table.split("\n").filter((line) => line.startsWith("|"));
  const cells = (row: string) =>
    row
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim());
  const at = cells(head!).indexOf(column);
  assert.ok(at > 0, `no column ${column}`);
  const given = rows.map(cells).filter((row) => row[at] === "yes");
  return given.flatMap(([types]) => [...types!.matchAll(/`([a-z.]+)`/g)].map(([, type]) => type!)).sort();
}

async function written(file: string): Promise<string> {
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      const text = readFileSync(file, "utf8");
      if (text !== "") return text;
    } catch {
      // Not yet.
    }
    if (performance.now() > until) assert.fail(`${file} was not written`);
    await delay(20);
  }
}

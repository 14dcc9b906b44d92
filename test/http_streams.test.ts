/** Streams over HTTP: readers who come and go, filters, and events that are kept only for a while. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { CrewshipClient } from "../src/client/client.ts";
import type { StreamEvent } from "../src/client/events.ts";
import { readConfig } from "../src/config.ts";
import { readManifest } from "../src/deploy/manifest.ts";
import { startServer } from "../src/server.ts";
import { sweepOldRun } from "../src/store/retention.ts";
import { sql } from "../src/store/sql.ts";
import { sweepAbandonedLog } from "../src/store/sweep.ts";
import { Random } from "./faults/random.ts";
import { freshDatabaseUrl, openDatabase } from "./fixtures/database.ts";
import { projectFolder, type TestServer, testServer } from "./fixtures/server.ts";

const project = {
  "crewship.toml": `[deployment]\nname = "teller"\nframework = "function"\nentrypoint = "./agent.ts:agent"\n`,
  "package.json": `{"type":"module"}`,
  "agent.ts": `
export async function* agent(input: any, context: any) {
  for (let i = 0; i < input.events; i++) {
    yield { type: i % 10 === 0 ? "tenth" : "step.one", data: { i, padding: "x".repeat(input.padding ?? 0) } };
    if (i % 500 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  context.state.told = (context.state.told ?? 0) + input.events;
}
`,
};
const EVENTS = 5_000;
const READERS = 20;

const ends: (() => unknown)[] = [];
const suite = { after: (end: () => unknown) => void ends.push(end) };

describe("a stream", { timeout: 120_000 }, () => {
  let server: TestServer;
  let client: CrewshipClient;
  before(async () => {
    server = await testServer(suite, project);
    client = new CrewshipClient({ url: server.server.url, apiKey: server.server.apiKey });
  });
  after(async () => {
    for (const end of ends.reverse()) await end();
  });
  const thread = async () => (await client.createThread({ deployment_id: server.deployment_id })).thread_id;

  it("of a thread begins at the newest run when it is asked to, and goes on with the next", async (t) => {
    const thread_id = await thread();
    await client.waitForRun(thread_id, { input: { events: 1 } });
    await client.waitForRun(thread_id, { input: { events: 2 } });
    const seen: string[] = [];
    let last: Promise<unknown> | undefined;
    for await (const { id, type } of client.threadEvents(thread_id, {
      from: "newest_run",
      signal: t.signal,
    })) {
      seen.push(id);
      if (type !== "run.completed") continue;
      if (last) break;
      last = client.waitForRun(thread_id, { input: { events: 1 } });
    }
    assert.deepEqual([...new Set(seen.map((id) => id.split("-")[0]))], ["2", "3"]);
    assert.equal(seen[0], "2-1");
    await last;
  });

  it("says when each event was committed when it is asked to, and else does not", async () => {
    const { id, started_at } = await client.waitForRun(await thread(), {
      input: { events: 3 },
    });
    const times: string[] = [];
    for await (const { at } of client.runEvents(id, { times: true })) times.push(at!);
    assert.deepEqual([...times].sort(), times);
    assert.ok(times[0]! >= started_at!, `${started_at} ${times}`);
    for await (const event of client.runEvents(id)) assert.equal(event.at, undefined);
  });

  it("of 5,000 events gives 20 readers who leave at random each event once, in order", async (t) => {
    const { run_id } = await client.createRun(await thread(), { input: { events: EVENTS } });
    let left = 0;
    const readers = Array.from({ length: READERS }, async (_, i) => {
      const random = new Random(i + 1);
      const read: StreamEvent[] = [];
      for (;;) {
        // A reader leaves in the middle of whatever is on its way.
        const leaving = new AbortController();
        const most = Math.floor(random.between(1, 1_500));
        let count = 0;
        try {
          const options = { signal: leaving.signal, after: read.at(-1)?.id };
          for await (const event of client.runEvents(run_id, options)) {
            read.push(event);
            if (++count >= most) leaving.abort(new Error("left"));
          }
          return read;
        } catch (error) {
          assert.equal((error as Error).message, "left");
          left++;
        }
      }
    });
    const all = await Promise.all(readers);
    t.diagnostic(`${READERS} readers left ${left} times`);
    assert.ok(left > READERS, "nobody left");
    for (const read of all) {
      // run.started, the agent's own, state.updated, run.completed.
      assert.deepEqual(
        read.map(({ id }) => Number(id)),
        Array.from({ length: EVENTS + 3 }, (_, i) => i + 1),
      );
      const told = read.flatMap(({ data }) =>
        (data as { i?: number })?.i === undefined ? [] : [(data as { i: number }).i],
      );
      assert.deepEqual(
        told,
        Array.from({ length: EVENTS }, (_, i) => i),
      );
      assert.equal(read.at(-1)!.type, "run.completed");
    }
  });

  it("may be narrowed to types; ids stay, the last event always comes, and a reader goes on after any of them", async () => {
    const thread_id = await thread();
    const read = async (events: AsyncIterable<StreamEvent>) => {
      const seen: [string, string][] = [];
      for await (const { id, type } of events) {
        seen.push([id, type]);
        if (type === "run.completed") break;
      }
      return seen;
    };
    const input = { events: 30 };
    const tenths = [
      ["2", "tenth"],
      ["12", "tenth"],
      ["22", "tenth"],
    ];
    const last = ["33", "run.completed"];
    assert.deepEqual(await read(client.streamRun(thread_id, { input }, { types: ["tenth"] })), [
      ...tenths,
      last,
    ]);
    const id = (await client.listThreadRuns(thread_id)).runs[0]!.id;
    assert.equal((await read(client.runEvents(id, { types: ["ste*", "tenth"] }))).length, 31);
    assert.deepEqual(await read(client.runEvents(id, { types: ["tenth"], after: "12" })), [tenths[2], last]);
    assert.deepEqual(await read(client.runEvents(id, { types: ["nothing"] })), [last]);
    assert.deepEqual(await read(client.runEvents(id, { types: ["tenth"], after: "33" })), []);
    assert.deepEqual(
      await read(client.threadEvents(thread_id, { types: ["tenth"] })),
      [...tenths, last].map(([place, type]) => [`1-${place}`, type]),
    );
    for (const types of ["", ",", "a,", "*", "a b", "<script>"]) {
      const path = `/v1/runs/${id}/events?types=${encodeURIComponent(types)}`;
      assert.equal((await server.call("GET", path)).status, 400, types);
    }
  });
});

describe("events", { timeout: 60_000 }, () => {
  it("are kept for a while after their run; then its last is left, which says how many are gone", async (t) => {
    const folder = projectFolder(t, project);
    const url = await freshDatabaseUrl();
    const start = () => {
      const data = `${folder}/.crewship/data`;
      const flags = { port: "0", data, logLevel: "silent", retentionDays: "7", databaseUrl: url ?? "" };
      return startServer(readConfig(flags, { ...process.env, XDG_CONFIG_HOME: `${folder}/config` }), {
        dev: readManifest(folder),
      });
    };
    let server = await start();
    const { deployment_id } = server.deployments[0]!;
    let client = new CrewshipClient({ url: server.url, apiKey: server.apiKey });
    const { thread_id } = await client.createThread({ deployment_id });
    const runs: string[] = [];
    for (const events of [1_200, 3])
      runs.push((await client.waitForRun(thread_id, { input: { events } })).id);
    const alone = await client.createStatelessRun({ deployment_id, input: { events: 2 } });
    for await (const _ of client.runEvents(alone.run_id));
    await server.close();

    const database = await openDatabase(url, `${folder}/.crewship/data`);
    const sweep = async () => {
      for (const step of [(tx: never) => sweepOldRun(tx, 7), (tx: never) => sweepAbandonedLog(tx, -1)]) {
        while (await database.transaction(step as never));
      }
    };
    await sweep();
    const age = (run_id: string) =>
      database.transaction((tx) =>
        tx.query(
          sql`update runs set completed_at = ${tx.dialect.nowPlus(-8 * 86_400)} where run_id = ${run_id}`,
        ),
      );
    await age(runs[0]!);
    await age(alone.run_id);
    await sweep();
    await database.close();

    server = await start();
    t.after(() => server.close());
    client = new CrewshipClient({ url: server.url, apiKey: server.apiKey });
    const old: StreamEvent[] = [];
    for await (const event of client.runEvents(runs[0]!)) old.push(event);
    assert.deepEqual(
      old.map(({ id, type, events_gone }) => [id, type, events_gone]),
      [["1203", "run.completed", 1_202]],
    );
    const rest: StreamEvent[] = [];
    for await (const event of client.runEvents(runs[0]!, { after: "1000" })) rest.push(event);
    assert.equal(rest[0]!.events_gone, 202);
    const seen: string[] = [];
    for await (const { id } of client.threadEvents(thread_id)) {
      seen.push(id);
      if (id === "2-6") break;
    }
    assert.deepEqual(seen, ["1-1203", "2-1", "2-2", "2-3", "2-4", "2-5", "2-6"]);
    assert.equal((await client.getRun(runs[0]!)).status, "succeeded");
    assert.equal((await client.getThread(thread_id)).values!.told, 1_203);
    await assert.rejects(client.getRun(alone.run_id), { status: 404 });
  });
});

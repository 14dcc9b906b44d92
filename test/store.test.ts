/** The store that graphs and functions are given, in both languages, behind a real server: durable, and their deployment's own. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { JsonObject } from "../src/core/json.ts";
import { ServerProcess } from "./faults/server.ts";

/** The first run of an agent in Python may have to wait for its packages. */
const WAIT_S = 600;
/** Puts that are acknowledged before a server is killed. */
const ACKNOWLEDGED = 20;

// biome-ignore lint/suspicious/noExplicitAny: a test looks into answers whose shape it is checking
type Result = any;
type Operation = [name: string, ...args: unknown[]];

/** `ways`: what the input says beside its operations, for each way a node may call the store. */
const languages: { name: string; project: string; ways: Record<string, JsonObject> }[] = [
  { name: "LangGraph.js", project: "store-js", ways: { "a node": {} } },
  {
    ...{ name: "LangGraph in Python", project: "store-python" },
    ways: {
      "an async node": {},
      "a sync node in a worker thread": { sync: true },
      "sync calls on the event loop": { blocking: true },
    },
  },
];

const texts = {
  beach: { text: "the sea and the beach", kind: "trip" },
  hut: { text: "a hut on the peak", kind: "trip", tags: ["mountain mountain"] },
  tram: { text: "the tram in the city", kind: "work" },
};

for (const { name, project, ways } of languages) {
  describe(`the store of ${name}`, () => {
    let server: ServerProcess;
    before(async () => {
      server = await ServerProcess.start({ project: `test/projects/${project}` });
    });
    after(() => server.remove());

    const newThread = async () =>
      (await server.client().createThread({ deployment_id: server.deployment_id })).thread_id;
    const run = async (operations: Operation[], how: JsonObject = {}) =>
      server
        .client()
        .waitForRun(await newThread(), { input: { operations, ...how } as never }, { wait_s: WAIT_S });
    const act = async (operations: Operation[], how?: JsonObject): Promise<Result[]> => {
      const over = await run(operations, how);
      assert.equal(over.status, "succeeded", JSON.stringify(over.error));
      return (over.output as { results: Result[] }).results;
    };
    const keys = (found: { key: string }[]) => found.map(({ key }) => key);

    it("keeps what a node puts for every other thread, and after a restart", async () => {
      await act([["put", ["users", "ada"], "likes", { tea: true, deep: { list: [1, null, "ü"] } }]]);
      const look: Operation[] = [
        ["get", ["users", "ada"], "likes"],
        ["get", ["users", "ada"], "nothing"],
      ];
      const [item, none] = await act(look);
      assert.deepEqual(item.value, { tea: true, deep: { list: [1, null, "ü"] } });
      assert.deepEqual(item.namespace, ["users", "ada"]);
      assert.equal(none, null);
      await server.stop();
      await server.start();
      assert.deepEqual((await act(look))[0], item);
    });

    it("says in the run's log that it replaces the store the graph was compiled with", async () => {
      const { id } = await run([]);
      await server.stop();
      await server.start();
      const first = await run([]);
      let said = "";
      for await (const event of server.client().runEvents(first.id)) said += JSON.stringify(event.data);
      assert.match(said, /store compiled into the graph is replaced/);
      assert.notEqual(id, first.id);
    });

    for (const [way, how] of Object.entries(ways)) {
      it(`puts, gets, searches, lists and deletes from ${way}, also through a subgraph`, async () => {
        const at = ["ways", way.replaceAll(" ", "-")];
        const results = await act(
          [
            ["put", [...at, "x"], "one", { n: 1, kind: "odd" }],
            ["put", [...at, "x"], "two", { n: 2, kind: "even" }],
            ["put", [...at, "y"], "three", { n: 3, kind: "odd" }],
            ["get", [...at, "x"], "two"],
            ["search", at, { filter: { n: { $gte: 2 } } }],
            ["search", at, { filter: { kind: "odd", n: { $lt: 3 } } }],
            ["search", at, { limit: 1, offset: 1 }],
            ["listNamespaces", { prefix: at }],
            ["delete", [...at, "x"], "two"],
            ["get", [...at, "x"], "two"],
            ["through", [["get", [...at, "y"], "three"]]],
          ],
          how,
        );
        assert.equal(results[3].value.n, 2);
        assert.deepEqual(keys(results[4]), ["three", "two"]);
        assert.deepEqual(keys(results[5]), ["one"]);
        assert.deepEqual(keys(results[6]), ["two"]);
        assert.deepEqual(results[7], [
          [...at, "x"],
          [...at, "y"],
        ]);
        assert.equal(results[9], null);
        assert.equal(results[10][0].value.n, 3);
      });

      it(`finds by meaning from ${way}, with scores, the nearest first`, async () => {
        const at = ["meaning", way.replaceAll(" ", "-")];
        const put = Object.entries(texts).map(([key, value]): Operation => ["put", at, key, value]);
        const [byMeaning, filtered, plain] = (
          await act(
            [
              ...put,
              ["search", at, { query: "a mountain" }],
              ["search", at, { query: "the street of a city by the sea", filter: { kind: "trip" } }],
              ["search", at, {}],
            ],
            how,
          )
        ).slice(-3);
        assert.equal(byMeaning[0].key, "hut");
        assert.equal(byMeaning[0].score, 1);
        assert.equal(byMeaning.length, 3);
        assert.deepEqual(keys(filtered), ["beach", "hut"]);
        assert.deepEqual(keys(plain).sort(), Object.keys(texts));
      });
    }

    it("tells a node what it does not take, and takes the next", async () => {
      const [empty, large, unknown, good] = await act([
        ["put", ["a.b"], "k", { n: 1 }],
        ["put", ["a"], "k", { text: "x".repeat(5 * 1024 * 1024) }],
        ["search", ["a"], { filter: { n: { $like: 1 } } }],
        ["put", ["a"], "k", { n: 1 }],
      ]);
      assert.match(empty.error, /period|"\."/);
      assert.match(large.error, /4 MB/);
      assert.match(unknown.error, /\$like/);
      assert.equal(good, null);
    });

    it("has lost no put that was acknowledged when its server is killed", async () => {
      const thread = await newThread();
      const client = server.client();
      const at = ["kept"];
      const acknowledged: string[] = [];
      const stream = client.streamRun(thread, { input: { operations: [["many", at, 5_000]] } as never });
      for await (const { type, data } of stream) {
        const key = type === "custom" && (data as { acknowledged?: string }).acknowledged;
        if (key) acknowledged.push(key);
        if (acknowledged.length >= ACKNOWLEDGED) break;
      }
      await server.kill();
      await server.start();
      for (const { id, status } of (await client.listRuns({ thread_id: thread })).runs)
        if (status === "running" || status === "pending") await client.cancelRun(id);
      const found = await act(acknowledged.map((key): Operation => ["get", at, key]));
      assert.deepEqual(
        found.map((item) => item?.key),
        acknowledged,
      );
    });
  });
}

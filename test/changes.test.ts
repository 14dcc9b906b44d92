/** Readers of lists hear which threads and runs have changed, among those their key reaches. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { CrewshipClient } from "../src/client/client.ts";
import type { Change } from "../src/core/change.ts";
import { until } from "./faults/until.ts";
import { startDeployer } from "./fixtures/deployer.ts";
import { freshPostgresUrl } from "./fixtures/fresh_postgres.ts";
import { functionProject, testServer } from "./fixtures/server.ts";

type Seen = { changes: Change[]; threads: Set<string>; runs: Set<string>; anew: number };

/** Reads in the background until the test is over. Resolves once the stream has begun. */
async function watch(t: Pick<TestContext, "after">, url: string, apiKey: string): Promise<Seen> {
  const seen: Seen = { changes: [], threads: new Set(), runs: new Set(), anew: 0 };
  const leave = new AbortController();
  t.after(() => leave.abort());
  const reading = async () => {
    for await (const { type, data } of new CrewshipClient({ url, apiKey }).watchChanges({
      signal: leave.signal,
    })) {
      assert.equal(type, "changed");
      const change = data as unknown as Change;
      seen.changes.push(change);
      for (const { thread_id, status } of change.threads) seen.threads.add(`${thread_id} ${status}`);
      for (const { run_id, status } of change.runs) seen.runs.add(`${run_id} ${status}`);
      if (!change.is_complete) seen.anew++;
    }
  };
  reading().catch((error: unknown) => assert.ok(leave.signal.aborted, String(error)));
  await until("the stream has begun", () => seen.anew === 1);
  return seen;
}

test("a reader hears of threads and runs that are made, move and end, and then of nothing", async (t) => {
  const { call, server, deployment_id } = await testServer(t, functionProject);
  const seen = await watch(t, server.url, server.apiKey);
  const { thread_id } = (await call("POST", "/v1/threads", { deployment_id })).body;
  await until("the thread is new", () => seen.threads.has(`${thread_id} idle`));
  const { run_id } = (await call("POST", `/v1/threads/${thread_id}/runs`, { input: { wait: true } })).body;
  await until("its run runs", () => seen.runs.has(`${run_id} running`));
  await until("it is busy", () => seen.threads.has(`${thread_id} busy`));
  const next = (
    await call("POST", `/v1/threads/${thread_id}/runs`, { input: {}, multitask_strategy: "enqueue" })
  ).body;
  await until("another run waits", () => seen.runs.has(`${next.run_id} pending`));
  await call("POST", `/v1/runs/${run_id}/cancel`);
  await until("its run is canceled", () => seen.runs.has(`${run_id} canceled`));
  await until("the other is over", () => seen.runs.has(`${next.run_id} succeeded`));
  const alone = (await call("POST", "/v1/runs", { deployment_id, input: {} })).body;
  await until("a run without a thread is over", () => seen.runs.has(`${alone.run_id} succeeded`));
  assert.equal(seen.anew, 1);

  await call("DELETE", `/v1/threads/${thread_id}`);
  await until("lists are to be read anew, since a thread is gone", () => seen.anew === 2);
  const said = seen.changes.length;
  const copy = (await call("POST", "/v1/threads", { deployment_id })).body.thread_id;
  await until("the next thread is new", () => seen.threads.has(`${copy} idle`));
  assert.ok(seen.changes.length <= said + 2, "nothing is told twice");
});

test("a key hears only of the deployments it reaches", async (t) => {
  const { call, server, deployment_id } = await testServer(t, functionProject);
  const key = await call("POST", "/v1/keys", { name: "k", role: "read", deployment_ids: ["dep_other"] });
  const [stranger, owner] = [
    await watch(t, server.url, key.body.api_key),
    await watch(t, server.url, server.apiKey),
  ];
  const { thread_id } = (await call("POST", "/v1/threads", { deployment_id })).body;
  await until("the owner hears", () => owner.threads.has(`${thread_id} idle`));
  assert.deepEqual(stranger.changes, [{ threads: [], runs: [], is_complete: false }]);
});

test("what happens on one node is heard at another", async (t) => {
  const databaseUrl = await freshPostgresUrl();
  const [one, two] = [await startDeployer(t, { databaseUrl }), await startDeployer(t, { databaseUrl })];
  const seen = await watch(t, one.server.url, one.server.apiKey);
  const { deployment_id } = await two.client.createDeployment({ name: "here", framework: "function" });
  // A hint is lost until LISTEN has been heard: another thread makes another one.
  await until("a thread of the other node is heard of", async () => {
    await two.client.createThread({ deployment_id });
    return seen.threads.size > 0;
  });
});

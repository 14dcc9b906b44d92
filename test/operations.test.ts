/** What an operator sees of a server: its nodes, their agent processes and leases, what waits, what is due. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Operations } from "../src/core/operations.ts";
import { sql } from "../src/store/sql.ts";
import { until } from "./faults/until.ts";
import { startDeployer } from "./fixtures/deployer.ts";
import { freshPostgresUrl, openPostgres } from "./fixtures/fresh_postgres.ts";
import { functionProject, testServer } from "./fixtures/server.ts";

test("a running run is seen with its lease, its node and its process, and one that waits is counted", async (t) => {
  const { call, server, deployment_id } = await testServer(t, functionProject);
  const look = async (): Promise<Operations> => {
    const { status, body } = await call("GET", "/v1/operations");
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  };
  const quiet = await look();
  assert.deepEqual(quiet.runs, { running: 0, pending: 0, oldest_due_at: null });
  assert.deepEqual([quiet.leases, quiet.deliveries, quiet.schedules], [[], { pending: 0, failed: 0 }, []]);
  assert.deepEqual([quiet.keys, quiet.sessions], [1, 0]);
  const [own] = quiet.nodes;
  assert.equal(quiet.nodes.length, 1);
  assert.deepEqual([own!.node_id, own!.is_alive, own!.running], [server.node_id, true, 0]);
  assert.ok(own!.state!.memory_mb > 10);
  assert.equal(own!.seen_at.slice(0, 16), quiet.at.slice(0, 16));

  const { thread_id } = (await call("POST", "/v1/threads", { deployment_id })).body;
  const { run_id } = (await call("POST", `/v1/threads/${thread_id}/runs`, { input: { wait: true } })).body;
  await call("POST", `/v1/threads/${thread_id}/runs`, { input: {}, multitask_strategy: "enqueue" });
  await call("POST", "/v1/schedules", { deployment_id, cron: "@yearly", input: {} });
  await until("its process says what it holds", async () => {
    const [process] = (await look()).nodes[0]!.state!.processes;
    return process?.state === "ready" && process.run_ids.includes(run_id) && process.memory_mb > 0;
  });
  const { runs, leases, nodes, schedules } = await look();
  assert.deepEqual([runs.running, runs.pending, nodes[0]!.running], [1, 1, 1]);
  assert.ok(runs.oldest_due_at);
  assert.deepEqual(
    leases.map((lease) => [lease.run_id, lease.thread_id, lease.deployment_id, lease.node_id, lease.attempt]),
    [[run_id, thread_id, deployment_id, server.node_id, 1]],
  );
  assert.deepEqual(
    schedules.map(({ cron }) => cron),
    ["@yearly"],
  );
  await call("POST", `/v1/runs/${run_id}/cancel`);
});

test("only a key of the role admin that reaches all deployments sees it", async (t) => {
  const { call, server, deployment_id } = await testServer(t, functionProject);
  for (const [role, deployment_ids] of [
    ["run", null],
    ["admin", [deployment_id]],
  ] as const) {
    const { api_key } = (await call("POST", "/v1/keys", { name: "k", role, deployment_ids })).body;
    const headers = { authorization: `Bearer ${api_key}` };
    assert.equal((await fetch(`${server.url}/v1/operations`, { headers })).status, 403);
  }
});

test("each of several nodes is seen from the others, until it leaves or is silent for long", async (t) => {
  const databaseUrl = await freshPostgresUrl();
  const [one, two] = [await startDeployer(t, { databaseUrl }), await startDeployer(t, { databaseUrl })];
  const seen = async () => (await one.client.getOperations()).nodes;
  await until("the other node has said what it does", async () => {
    const other = (await seen()).find(({ node_id }) => node_id === two.server.node_id);
    return other?.is_alive === true && other.state?.role === "all" && other.state.concurrency > 0;
  });
  assert.deepEqual(
    (await seen()).map(({ node_id }) => node_id).sort(),
    [one.server.node_id, two.server.node_id].sort(),
  );
  const database = await openPostgres(databaseUrl);
  t.after(() => database.close());
  const { nowPlus } = database.dialect;
  await database.transaction((tx) =>
    tx.query(sql`
      insert into nodes (node_id, machine, started_at, seen_at) values ('node_frozen', 'm', ${nowPlus(-900)}, ${nowPlus(-60)}),
        ('node_dead', 'm', ${nowPlus(-90_000)}, ${nowPlus(-80_000)})`),
  );
  const frozen = (await seen()).filter(({ is_alive }) => !is_alive);
  assert.deepEqual(
    frozen.map(({ node_id }) => node_id),
    ["node_frozen"],
  );
  await two.close();
  assert.ok((await seen()).every(({ node_id }) => node_id !== two.server.node_id));
});

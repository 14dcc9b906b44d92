/** Versions on several nodes over one PostgreSQL: built by one, executed by any, and by another when the first one dies. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Version } from "../src/core/deployment.ts";
import { LEASE_S } from "../src/core/lease.ts";
import { claimBuild } from "../src/store/builds.ts";
import { until } from "./faults/until.ts";
import { newProject, startDeployer } from "./fixtures/deployer.ts";
import { freshPostgresUrl, openPostgres } from "./fixtures/fresh_postgres.ts";

const files = {
  "crewship.toml": `[deployment]\nname = "everywhere"\nframework = "function"\nentrypoint = "./agent.ts:agent"\n`,
  "package.json": `{"type":"module"}`,
  "agent.ts": "export function agent() { return process.env.PLACE; }\n",
};

test("a version that one node has built is executed by another, from the database alone, with its variables", async (t) => {
  const databaseUrl = await freshPostgresUrl();
  const first = await startDeployer(t, { databaseUrl });
  const folder = newProject(t, files);
  const said = await first.cli(folder, ["deploy", "--json"]);
  const { deployment_id } = JSON.parse(said.stdout) as Version;
  await first.client.patchVariables(deployment_id, { variables: { PLACE: "anywhere" } });
  await first.close();
  const second = await startDeployer(t, { databaseUrl });
  const { run_id } = await second.client.createStatelessRun({ deployment_id, input: {} });
  await until("the run is over", async () => (await second.client.getRun(run_id)).completed_at !== null);
  const run = await second.client.getRun(run_id);
  assert.deepEqual([run.status, run.output], ["succeeded", "anywhere"], JSON.stringify(run.error));
  assert.equal(readdirSync(join(second.folder, "cache/crewship/versions")).length, 1);
});

test("a node with another key for secrets, or none, says so and executes nothing of it", async (t) => {
  const databaseUrl = await freshPostgresUrl();
  const first = await startDeployer(t, { databaseUrl });
  const folder = newProject(t, files);
  const { deployment_id } = JSON.parse((await first.cli(folder, ["deploy", "--json"])).stdout) as Version;
  await first.client.patchVariables(deployment_id, { variables: { PLACE: "here" } });
  await first.close();
  const without = await startDeployer(t, { databaseUrl, environment: { CREWSHIP_SECRET_KEY: "" } });
  const refused = await without.cli(folder, ["env", "set", "MORE=1", "--deployment", deployment_id]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /set CREWSHIP_SECRET_KEY \(`openssl rand -base64 32` makes one\)/);
  const { run_id } = await without.client.createStatelessRun({ deployment_id, input: {} });
  await until("the run is over", async () => (await without.client.getRun(run_id)).completed_at !== null);
  const { error } = await without.client.getRun(run_id);
  assert.equal(error?.code, "load_failed");
  assert.match(error.message, /Set the same CREWSHIP_SECRET_KEY on every node/);
});

test("a build whose node has died is done by another one", async (t) => {
  const databaseUrl = await freshPostgresUrl();
  // One that answers and builds nothing takes the source in.
  const front = await startDeployer(t, { databaseUrl, environment: { CREWSHIP_ROLE: "api" } });
  const folder = newProject(t, files);
  const deploying = front.cli(folder, ["deploy", "--json"]);
  const database = await openPostgres(databaseUrl);
  t.after(() => database.close());
  let claimed: Awaited<ReturnType<typeof claimBuild>>;
  await until("the build waits", async () => {
    claimed = await database.transaction((tx) => claimBuild(tx, "node_that_dies"));
    return claimed !== undefined;
  });
  assert.equal(claimed!.attempt, 1);
  // Held by the one that will never finish it.
  assert.equal(await database.transaction((tx) => claimBuild(tx, "node_late")), undefined);
  await startDeployer(t, { databaseUrl });
  const before = performance.now();
  const said = await deploying;
  assert.equal(said.code, 0, said.stderr);
  assert.ok(performance.now() - before < 1_000 * (LEASE_S + 20));
  const version = JSON.parse(said.stdout) as Version;
  assert.deepEqual([version.status, version.environments], ["ready", ["production"]]);
});

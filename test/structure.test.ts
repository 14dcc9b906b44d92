/** What a version says of itself, asked of a server. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { VersionStructure } from "../src/core/structure.ts";
import { newProject, startDeployer } from "./fixtures/deployer.ts";
import { graphProject, testServer } from "./fixtures/server.ts";

test("a folder under dev says what its graph is made of, and another thing once it is reloaded", async (t) => {
  const { server, call, deployment_id, folder } = await testServer(t, graphProject);
  const { version_id } = (await call("GET", `/v1/deployments/${deployment_id}/versions`)).body.versions[0];
  const path = `/v1/deployments/${deployment_id}/versions/${version_id}/structure`;
  const before: VersionStructure = (await call("GET", path)).body;
  assert.deepEqual([before.described_at, before.drawings, before.crew], [null, [], null]);

  const nodes = async () => {
    assert.equal(await server.reload(), null);
    const { drawings }: VersionStructure = (await call("GET", path)).body;
    return drawings[0]!.nodes.map(({ id }) => id);
  };
  assert.deepEqual(await nodes(), ["__start__", "echo", "__end__"]);
  const { schemas, described_at }: VersionStructure = (await call("GET", path)).body;
  assert.ok(described_at);
  assert.deepEqual(Object.keys(schemas.input_schema!.properties as object), ["messages"]);

  writeFileSync(join(folder, "graph.ts"), graphProject["graph.ts"].replaceAll('"echo"', '"parrot"'));
  assert.deepEqual(await nodes(), ["__start__", "parrot", "__end__"]);
  writeFileSync(join(folder, "graph.ts"), "throw new Error('broken');");
  assert.match((await server.reload())!, /broken/);
  assert.equal((await call("GET", path)).body.drawings[0].nodes[1].id, "parrot", "what could be loaded last");
});

test("a built version of a plain function says nothing of itself", async (t) => {
  const { client, cli } = await startDeployer(t);
  const project = newProject(t, {
    "crewship.toml": `[deployment]\nname = "plain"\nframework = "function"\nentrypoint = "./agent.ts:agent"\n`,
    "package.json": `{"type":"module"}`,
    "agent.ts": "export const agent = () => 1;",
  });
  const deployed = await cli(project, ["deploy", "--json"]);
  assert.equal(deployed.code, 0, deployed.stderr);
  const { deployment_id, version_id } = JSON.parse(deployed.stdout);
  const { described_at, drawings } = await client.getStructure(deployment_id, version_id);
  assert.deepEqual([described_at, drawings], [null, []]);
});

test("only keys that reach the deployment are told what its versions are made of", async (t) => {
  const { server, call, deployment_id } = await testServer(t, graphProject);
  const { version_id } = (await call("GET", `/v1/deployments/${deployment_id}/versions`)).body.versions[0];
  const path = `/v1/deployments/${deployment_id}/versions/${version_id}/structure`;
  const ask = async (deployment_ids: string[]) => {
    const key = await call("POST", "/v1/keys", { name: "reader", role: "read", deployment_ids });
    const headers = { authorization: `Bearer ${key.body.api_key}` };
    return (await fetch(server.url + path, { headers })).status;
  };
  assert.equal(await ask([deployment_id]), 200);
  assert.equal(await ask(["dep_other"]), 404);
  assert.equal((await fetch(server.url + path)).status, 401);
});

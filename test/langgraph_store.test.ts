/** Store items through LangGraph's own clients, in JavaScript and Python, against a real server whose agent embeds. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { Client } from "@langchain/langgraph-sdk";
import { pythonVariables, pythonWith } from "./fixtures/python.ts";
import { functionProject, type TestServer, testServer } from "./fixtures/server.ts";

const PROJECTS = join(import.meta.dirname, "projects");
const PYTHON_CLIENT = join(import.meta.dirname, "python/store_client.py");

function filesOf(project: string): Record<string, string> {
  const folder = join(PROJECTS, project);
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  const paths = files.map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(paths.map((path) => [path.slice(folder.length + 1), readFileSync(path, "utf8")]));
}

const status = (wanted: number) => (error: Error) => error.message.includes(`HTTP ${wanted}`);

for (const project of ["store-js", "store-python"]) {
  describe(`client.store with the agent of ${project}`, () => {
    let server: TestServer;
    let client: Client;
    const cleanups: (() => unknown)[] = [];
    before(async () => {
      const later = { after: (run: unknown) => void cleanups.unshift(run as () => unknown) };
      server = await testServer(later, filesOf(project), pythonVariables());
      client = new Client({
        ...{ apiUrl: server.server.url, apiKey: server.server.apiKey },
        callerOptions: { maxRetries: 0 },
      });
    });
    after(async () => {
      for (const cleanup of cleanups) await cleanup();
    });

    test("an item is put, read, replaced and deleted; one that is not there is null", async () => {
      const { store } = client;
      await store.putItem(["users", "ada"], "likes", { tea: true });
      const item = (await store.getItem(["users", "ada"], "likes"))!;
      assert.deepEqual(item.value, { tea: true });
      assert.deepEqual(item.namespace, ["users", "ada"]);
      assert.ok(item.createdAt);
      await store.putItem(["users", "ada"], "likes", { tea: false }, { ttl: 5 });
      const { value, createdAt } = (await store.getItem(["users", "ada"], "likes", { refreshTtl: true }))!;
      assert.deepEqual([value, createdAt], [{ tea: false }, item.createdAt]);
      await store.deleteItem(["users", "ada"], "likes");
      assert.equal(await store.getItem(["users", "ada"], "likes"), null);
    });

    test("items are searched by prefix, filter and page, and their namespaces listed", async () => {
      const { store } = client;
      for (const [i, kind] of ["a", "b", "a"].entries())
        await store.putItem(["search", kind], `k${i}`, { i, kind });
      const keys = async (options: object) =>
        (await store.searchItems(["search"], options)).items.map(({ key }) => key);
      assert.deepEqual((await keys({})).sort(), ["k0", "k1", "k2"]);
      assert.deepEqual(await keys({ filter: { i: { $gt: 0 }, kind: "a" } }), ["k2"]);
      assert.equal((await keys({ limit: 1, offset: 2 })).length, 1);
      assert.deepEqual(await store.listNamespaces({ prefix: ["search"] }), {
        namespaces: [
          ["search", "a"],
          ["search", "b"],
        ],
      });
      const { namespaces } = await store.listNamespaces({ prefix: ["search"], maxDepth: 1 });
      assert.deepEqual(namespaces, [["search"]]);
    });

    test("the agent's own function embeds what is put and what is meant", async () => {
      const { store } = client;
      await store.putItem(["m"], "beach", { text: "the sea and the beach" });
      await store.putItem(["m"], "hut", { text: "nothing", tags: ["a hut", "a peak"] });
      await store.putItem(["m"], "hidden", { text: "the sea" }, { index: false });
      await store.putItem(["m"], "other", { text: "the sea", title: "a mountain" }, { index: ["title"] });
      const { items } = await store.searchItems(["m"], { query: "by the sea" });
      assert.equal(items[0]!.key, "beach");
      assert.equal(items[0]!.score, 1);
      assert.deepEqual(items.map(({ key }) => key).sort(), ["beach", "hut", "other"]);
    });

    test("what is no item is refused with a 422 that says why", async () => {
      const put = (body: unknown) => server.call("PUT", "/store/items", body);
      for (const body of [
        { namespace: [], key: "k", value: {} },
        { namespace: ["a.b"], key: "k", value: {} },
        { namespace: [""], key: "k", value: {} },
        { namespace: ["a\0"], key: "k", value: {} },
        { namespace: ["a"], key: "\ud800", value: {} },
        { namespace: ["a"], key: "k".repeat(2_000), value: {} },
        { namespace: ["a"], key: "k", value: "text" },
        { namespace: ["a"], key: "k", value: { text: "x".repeat(5_000_000) } },
        { namespace: ["a"], key: "k", value: {}, ttl: -1 },
      ]) {
        const answer = await put(body);
        assert.equal(answer.status, 422, JSON.stringify(body).slice(0, 100));
        assert.equal(typeof answer.body.detail, "string");
      }
      await assert.rejects(client.store.searchItems(["a"], { filter: { n: { $like: 1 } } }), status(422));
      const strange = { text: "nul \0 half \ud800", $crewship: [1] };
      await server.call("PUT", "/store/items", { namespace: ["a"], key: "strange", value: strange });
      assert.deepEqual((await client.store.getItem(["a"], "strange"))!.value, strange);
    });
  });
}

test("LangGraph's Python client puts, reads, searches, lists and deletes store items", async (t) => {
  const server = await testServer(t, filesOf("store-js"));
  const python = await pythonWith("langgraph");
  const { stdout } = await promisify(execFile)(python, [
    PYTHON_CLIENT,
    server.server.url,
    server.server.apiKey!,
  ]);
  assert.match(stdout, /all passed/);
});

test("each deployment has a store of its own, and a key reaches only those of its scope", async (t) => {
  const server = await testServer(t, functionProject);
  const { call, deployment_id: first } = server;
  const { body: made } = await call("POST", "/v1/deployments", { name: "other", framework: "function" });
  const second: string = made.deployment_id;
  const key = async (role: string, deployment_ids: string[]) => {
    const { body } = await call("POST", "/v1/keys", { name: "k", role, deployment_ids });
    return { authorization: `Bearer ${body.api_key}` };
  };
  const item = { namespace: ["n"], key: "k", value: { of: "first" } };
  const unnamed = await call("PUT", "/store/items", item);
  assert.equal(unnamed.status, 422);
  assert.match(unnamed.body.detail, /x-deployment-id/);
  assert.equal((await call("PUT", "/store/items", item, { "x-deployment-id": first })).status, 204);
  const ofFirst = await key("run", [first]);
  const ofSecond = await key("run", [second]);
  const reader = await key("read", [first]);
  const get = async (headers: Record<string, string>, query = "") =>
    (await call("GET", `/store/items?namespace=n&key=k${query}`, undefined, headers)).body;
  assert.deepEqual((await get(ofFirst)).value, { of: "first" });
  assert.deepEqual((await get(reader)).value, { of: "first" });
  assert.equal(await get(ofSecond), null);
  assert.equal(await get({}, `&deployment_id=${second}`), null);
  const across = await call("GET", "/store/items?namespace=n&key=k", undefined, {
    ...ofSecond,
    "x-deployment-id": first,
  });
  assert.equal(across.status, 404);
  assert.equal((await call("PUT", "/store/items", item, reader)).status, 403);
  assert.equal((await call("DELETE", "/store/items", { namespace: ["n"], key: "k" }, ofSecond)).status, 204);
  assert.deepEqual((await get(ofFirst)).value, { of: "first" });
  const { body: found } = await call("POST", "/store/items/search", {}, ofSecond);
  assert.deepEqual(found, { items: [] });
  const { body: listed } = await call("POST", "/store/namespaces", {}, ofSecond);
  assert.deepEqual(listed, { namespaces: [] });
});

test("items of a deployment with default_ttl run out by themselves, and a read begins their time anew", async (t) => {
  const server = await testServer(t, {
    ...functionProject,
    "crewship.toml": `${functionProject["crewship.toml"]}[store]\ndefault_ttl = 0.01\nrefresh_on_read = false\n`,
    "agent.ts": `
export async function agent(input: any, context: any) {
  const { store } = context;
  if (input.put) await store.put(["n"], input.put, { text: "x" }, input.options);
  return { item: await store.get(["n"], input.get ?? input.put), keys: (await store.search(["n"])).map((i: any) => i.key) };
}
`,
  });
  const { call, deployment_id } = server;
  const run = async (input: object) => {
    const { thread_id } = (await call("POST", "/v1/threads", { deployment_id })).body;
    const { body } = await call("POST", `/v1/threads/${thread_id}/runs/wait`, { input });
    assert.equal(body.status, "succeeded", JSON.stringify(body.error));
    return body.output;
  };
  await run({ put: "always", options: { ttl: null } });
  const { item } = await run({ put: "soon" });
  const left = Date.parse(item.expires_at) - Date.parse(item.updated_at);
  assert.ok(left > 0 && left <= 600, `${left} ms`);
  const deadline = Date.now() + 10_000;
  while ((await run({ get: "soon" })).item !== null) assert.ok(Date.now() < deadline, "it never ran out");
  assert.deepEqual((await run({ get: "always" })).keys, ["always"]);
});

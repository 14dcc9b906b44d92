/** Bad input gets a clear 4xx that names what is wrong, and changes nothing. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { functionProject, type TestServer, testServer } from "./fixtures/server.ts";

const cleanups: (() => unknown)[] = [];
let server: TestServer;
let thread: string;

before(async () => {
  server = await testServer({ after: (cleanup) => cleanups.push(cleanup as () => unknown) }, functionProject);
  const created = await server.call("POST", "/v1/threads", { deployment_id: server.deployment_id });
  assert.equal(created.status, 201);
  thread = created.body.thread_id;
});
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

async function refused(
  method: string,
  path: string,
  body: unknown,
  status: number,
  message: RegExp,
  headers: Record<string, string> = {},
): Promise<void> {
  const answer = await server.call(method, path, body, headers);
  assert.equal(answer.status, status, JSON.stringify(answer.body));
  assert.match(answer.body.error.message, message);
  assert.equal(typeof answer.body.error.code, "string");
}

describe("a request the server cannot take", () => {
  it("names the field that has the wrong type, is missing, unknown, or not one of its values", async () => {
    const { deployment_id } = server;
    await refused("POST", "/v1/threads", { deployment_id, metadata: [] }, 400, /body\.metadata/);
    await refused("POST", "/v1/threads", { deployment_id, values: "text" }, 400, /body\.values/);
    await refused("POST", "/v1/threads", {}, 400, /body needs "deployment_id"/);
    await refused("POST", "/v1/threads", { deployment_id, colour: 1 }, 400, /unknown key "colour"/);
    await refused(
      "POST",
      "/v1/threads",
      { deployment_id, if_exists: "maybe" },
      400,
      /body\.if_exists .*raise/,
    );
    await refused("POST", "/v1/threads", { deployment_id, thread_id: "../etc" }, 400, /body\.thread_id/);
    await refused(
      "POST",
      `/v1/threads/${thread}/runs`,
      { multitask_strategy: "juggle" },
      400,
      /multitask_strategy/,
    );
    await refused("POST", `/v1/threads/${thread}/runs`, { environment: "moon" }, 400, /body\.environment/);
    await refused("POST", `/v1/threads/${thread}/runs`, { timeout_s: "5" }, 400, /body\.timeout_s/);
    await refused("POST", `/v1/threads/${thread}/state`, { values: [1] }, 400, /body\.values/);
    await refused("POST", `/v1/threads/${thread}/state`, { values: "x" }, 400, /body\.values/);
    await refused(
      "GET",
      `/v1/threads?deployment_id=${deployment_id}&limit=101`,
      undefined,
      400,
      /query\.limit/,
    );
    await refused(
      "GET",
      `/v1/threads?deployment_id=${deployment_id}&status=happy`,
      undefined,
      400,
      /query\.status/,
    );
    await refused(
      "GET",
      `/v1/threads?deployment_id=${deployment_id}&metadata=x`,
      undefined,
      400,
      /query\.metadata/,
    );
    await refused("GET", `/v1/threads?deployment_id=${deployment_id}&cursor=zzz`, undefined, 400, /cursor/);
    await refused("GET", "/v1/threads", undefined, 400, /deployment_id/);
    await refused("GET", `/v1/threads/${thread}?select=secrets`, undefined, 400, /no field secrets/);
  });

  it("is a 400 when its JSON is malformed, too deep, or would change prototypes", async () => {
    await refused("POST", "/v1/threads", "{not json", 400, /JSON/);
    const deep = `{"deployment_id":"${server.deployment_id}","values":{"a":${"[".repeat(5000)}${"]".repeat(5000)}}}`;
    await refused("POST", "/v1/threads", deep, 400, /deeper/);
    await refused("POST", "/v1/threads", `{"deployment_id":"x","__proto__":{"a":1}}`, 400, /.+/);
    await refused("POST", "/v1/threads", "a=1", 400, /application\/json/, { "content-type": "text/plain" });
  });

  it("is a 413 when it is larger than 10 MB, and the server lives", async () => {
    const body = JSON.stringify({
      deployment_id: server.deployment_id,
      values: { a: "x".repeat(11 * 1024 * 1024) },
    });
    await refused("POST", "/v1/threads", body, 413, /10 MB/);
    assert.equal((await server.call("GET", "/healthz")).status, 200);
  });

  it("is a 404 for what does not exist, and says so in the same words for what a key may not see", async () => {
    await refused("POST", "/v1/threads", { deployment_id: "dep_nothere" }, 404, /no deployment dep_nothere/);
    await refused("POST", "/v1/runs", { deployment_id: "dep_nothere" }, 404, /no deployment/);
    await refused("GET", "/v1/threads?deployment_id=dep_nothere", undefined, 404, /no deployment/);
    await refused("GET", "/v1/threads/thr_nothere", undefined, 404, /no thread/);
    await refused("POST", "/v1/threads/thr_nothere/runs", {}, 404, /no thread/);
    await refused("GET", "/v1/runs/run_nothere", undefined, 404, /no run/);
    await refused("GET", `/v1/threads/${thread}/state?checkpoint_id=nope`, undefined, 404, /no checkpoint/);
    await refused("POST", `/v1/threads/${thread}/copy`, { checkpoint_id: "nope" }, 404, /no checkpoint/);
    await refused("GET", `/v1/threads/${thread}/diff?from=nope`, undefined, 404, /no checkpoint/);
    await refused("POST", `/v1/threads/${thread}/runs`, { checkpoint_id: "nope" }, 404, /no checkpoint/);
    await refused("GET", "/v1/nothing", undefined, 404, /no route GET \/v1\/nothing/);
    const scoped = await server.call("POST", "/v1/keys", {
      name: "x",
      role: "run",
      deployment_ids: ["dep_other"],
    });
    const foreign = { authorization: `Bearer ${scoped.body.api_key}` };
    await refused("GET", `/v1/threads/${thread}`, undefined, 404, /no thread/, foreign);
    await refused(
      "POST",
      "/v1/threads",
      { deployment_id: server.deployment_id },
      404,
      /no deployment/,
      foreign,
    );
    const all = await server.call("POST", "/v1/threads/search", {}, foreign);
    assert.deepEqual(all.body.threads, []);
  });

  it("gets the same form of error when its address cannot be read", async () => {
    await refused("GET", "/v1/threads/%zz", undefined, 400, /./);
    await refused("GET", `/v1/threads/${"x".repeat(300)}`, undefined, 400, /./);
  });

  it("is a 401 without a valid key and a 403 when the key's role is too low", async () => {
    for (const authorization of ["", "Bearer", "Bearer wrong", "Basic abc"]) {
      await refused("GET", `/v1/threads/${thread}`, undefined, 401, /API key/, { authorization });
    }
    const reader = await server.call("POST", "/v1/keys", { name: "reader", role: "read" });
    const headers = { authorization: `Bearer ${reader.body.api_key}` };
    assert.equal((await server.call("GET", `/v1/threads/${thread}`, undefined, headers)).status, 200);
    await refused("POST", `/v1/threads/${thread}/runs`, {}, 403, /role run/, headers);
    await refused("GET", "/v1/keys", undefined, 403, /role admin/, headers);
    assert.equal((await server.call("DELETE", `/v1/keys/${reader.body.key_id}`)).status, 204);
    await refused("GET", `/v1/threads/${thread}`, undefined, 401, /API key/, headers);
    assert.equal((await fetch(`${server.server.url}/v1/runs?api_key=${server.server.apiKey}`)).status, 401);
  });

  it("is a 400 when a name holds what not every database keeps", async () => {
    for (const name of ["a\u0000b", "a\ud800b", "two\nlines"]) {
      const schedule = { deployment_id: server.deployment_id, cron: "0 9 * * *", name };
      await refused("POST", "/v1/schedules", schedule, 400, /body.name .*control characters/);
      await refused("POST", "/v1/keys", { name, role: "read" }, 400, /body.name .*control characters/);
      const webhook = { deployment_id: server.deployment_id, direction: "incoming", name };
      await refused("POST", "/v1/webhooks", webhook, 400, /body.name .*control characters/);
    }
    const { status, body } = await server.call("POST", "/v1/keys", { name: "Ada 😀 Ł", role: "read" });
    assert.deepEqual([status, body.name], [201, "Ada 😀 Ł"]);
  });

  it("changed nothing by all of that", async () => {
    const { body } = await server.call("GET", `/v1/threads/${thread}`);
    assert.equal(body.status, "idle");
    assert.equal(body.values, null);
    assert.equal((await server.call("GET", `/v1/threads/${thread}/runs`)).body.runs.length, 0);
    const count = await server.call("POST", "/v1/threads/count", { deployment_id: server.deployment_id });
    assert.equal(count.body.count, 1);
  });
});

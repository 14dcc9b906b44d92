/** Webhooks: runs that a token starts, and receivers that are told of ends, whatever they do. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it, type TestContext, test } from "node:test";
import { deliver } from "../src/engine/deliver.ts";
import { post, signature } from "../src/engine/post.ts";
import { checkReceiver, isPublicAddress } from "../src/engine/receivers.ts";
import { claimDeliveries, listDeliveries } from "../src/store/deliveries.ts";
import { sql } from "../src/store/sql.ts";
import { createWebhook, signingSecret } from "../src/store/webhooks.ts";
import { until } from "./faults/until.ts";
import { functionProject, testServer } from "./fixtures/server.ts";
import { withEngine } from "./suites/engine_fixture.ts";

type Received = { headers: IncomingMessage["headers"]; body: string };

/** A receiver on loopback that answers each request as it is told. */
async function receiver(
  t: Pick<TestContext, "after">,
  answer: (n: number, path: string) => number | undefined,
) {
  const received: Received[] = [];
  const waiting: (() => void)[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const piece of request) body += piece;
    received.push({ headers: request.headers, body });
    const status = answer(received.length, request.url!);
    // None: the request is left without an answer.
    if (status !== undefined) response.writeHead(status, { location: "/elsewhere" }).end("no");
    for (const wake of waiting.splice(0)) wake();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    received,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    async until(count: number) {
      const deadline = AbortSignal.timeout(10_000);
      while (received.length < count) {
        await new Promise<void>((resolve, reject) => {
          waiting.push(resolve);
          deadline.addEventListener("abort", () => reject(new Error(`${received.length} of ${count} came`)));
        });
      }
    },
  };
}

const outgoing = (url: string, events = ["run.succeeded", "run.failed", "run.interrupted"]) =>
  ({
    webhook_id: "whk_1",
    direction: "outgoing",
    deployment_id: "dep_1",
    url,
    events,
    token_hash: null,
  }) as const;

test("a receiver that fails three times gets each delivery with the same id, the same body and a valid signature", (t) =>
  withEngine({}, async (engine) => {
    const { received, url, until: came } = await receiver(t, (n) => (n <= 3 ? 500 : 204));
    const { database, node } = engine;
    await database.transaction((tx) =>
      createWebhook(tx, { ...outgoing(url), events: [...outgoing(url).events] as never }),
    );
    const stop = new AbortController();
    const delivering = deliver(node, stop.signal, { retry_s: [0.02] });
    const run = await engine.run(await engine.thread(), { done: "ok" });
    await came(4);
    const [first] = received as [Received];
    const secret = await database.transaction((tx) => signingSecret(tx, "dep_1", "unused"));
    assert.match(secret, /^whsec_/);
    for (const { headers, body } of received) {
      assert.equal(headers["x-crewship-event"], "run.succeeded");
      assert.equal(headers["x-crewship-delivery"], first.headers["x-crewship-delivery"]);
      assert.equal(body, first.body);
      const timestamp = String(headers["x-crewship-timestamp"]);
      assert.equal(headers["x-crewship-signature"], signature(secret, timestamp, body));
    }
    const told = JSON.parse(first.body);
    assert.equal(told.event, "run.succeeded");
    assert.deepEqual(told.run, run);
    const of = { run_id: run.id };
    await until(
      "the delivery is settled",
      async () => (await listDeliveries(database, of, { limit: 1 }))[0]?.status === "delivered",
    );
    const [delivery] = await listDeliveries(database, of, { limit: 10 });
    assert.deepEqual([delivery!.attempts, delivery!.last_status, delivery!.last_error], [4, 204, null]);
    stop.abort();
    await delivering;
  }));

test("what is owed is in the commit that ends the run: each end its event, a canceled run none, and a crash loses none", (t) =>
  withEngine({}, async (engine) => {
    const { received, url, until: came } = await receiver(t, () => 200);
    const { database, node } = engine;
    await database.transaction((tx) =>
      createWebhook(tx, { ...outgoing(url), events: ["run.failed", "run.interrupted"] }),
    );
    const thread = await engine.thread();
    await engine.run(thread, { done: 1 });
    const failed = await engine.run(thread, { fail: "no" });
    const asked = await engine.run(thread, { checkpoint: { next: ["ask"] } }, { interrupt: "well?" });
    const named = await engine.over(await engine.accept(thread, { script: [{ done: 2 }] }, { webhook: url }));
    // A node took them and died: they are another's once its claim has run out.
    assert.equal((await database.transaction((tx) => claimDeliveries(tx, 10))).length, 3);
    assert.equal((await database.transaction((tx) => claimDeliveries(tx, 10))).length, 0);
    await database.transaction((tx) =>
      tx.query(sql`update webhook_deliveries set next_attempt_at = ${tx.dialect.now}`),
    );
    const stop = new AbortController();
    const delivering = deliver(node, stop.signal);
    await came(3);
    const told = received
      .map(({ body }) => JSON.parse(body))
      .sort((a, b) => a.created_at.localeCompare(b.created_at));
    assert.deepEqual(
      told.map(({ event, run }) => [event, run.id]),
      [
        ["run.failed", failed.id],
        ["run.interrupted", asked.id],
        ["run.succeeded", named.id],
      ],
    );
    assert.equal(told[1].interrupts[0].value, "well?");
    stop.abort();
    await delivering;
    assert.equal(received.length, 3);
  }));

test("a receiver that never answers holds up no other, redirects are not followed, and a day later it is given up", (t) =>
  withEngine({}, async (engine) => {
    const deaf = await receiver(t, () => undefined);
    const moved = await receiver(t, () => 302);
    const { database, node } = engine;
    const thread = await engine.thread();
    for (const { url } of [deaf, moved]) {
      await engine.over(await engine.accept(thread, { script: [{ done: 1 }] }, { webhook: url }));
    }
    const stop = new AbortController();
    const delivering = deliver(node, stop.signal, { retry_s: [0.02] });
    await moved.until(2);
    await database.transaction((tx) =>
      tx.query(sql`update webhook_deliveries set created_at = ${tx.dialect.nowPlus(-86_400)}`),
    );
    const failed = async () => {
      const rows = await database.query<{ url: string }>(
        sql`select url from webhook_deliveries where status = 'failed'`,
      );
      return rows.some(({ url }) => url === moved.url);
    };
    await until("it is given up", failed);
    stop.abort();
    await delivering;
    assert.equal(deaf.received.length, 1);
    const rows = await database.query<{ last_error: string }>(sql`
      select last_error from webhook_deliveries where url = ${moved.url}`);
    assert.equal(rows[0]!.last_error, "It answered 302: no");
  }));

describe("an address that is not public", () => {
  const hidden = [
    "http://127.0.0.1/",
    "http://localhost:8700/v1/threads",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[fe80::1]/",
    "http://[fd00::1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://10.1.2.3/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://169.254.169.254/latest/meta-data",
    "http://0.0.0.0/",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://017700000001/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "http://user:secret@1.1.1.1/",
    "not an address",
    "http://nowhere.invalid/",
  ];
  it("is refused when it is named, in whatever form", async () => {
    for (const url of hidden) await assert.rejects(checkReceiver(url, false), { status: 400 }, url);
    await checkReceiver("https://1.1.1.1/hook", false);
    await checkReceiver("http://[2606:4700:4700::1111]/", false);
    await checkReceiver("http://localhost/", true);
    assert.equal(isPublicAddress("8.8.8.8"), true);
  });

  it("is refused again at the connection, since a name may lead elsewhere by then", async () => {
    const parcel = { event: "run.failed", delivery_id: "dlv_1", body: "{}", secret: "s" };
    const signal = new AbortController().signal;
    for (const url of ["http://localhost:1/", "http://127.0.0.1:1/"]) {
      const receipt = await post({ ...parcel, url }, false, signal);
      assert.equal(receipt.status, null);
      assert.match(receipt.error!, /not (a )?public/);
    }
  });
});

test("a token starts runs in its environment or thread, once for each idempotency key; a wrong one starts none", async (t) => {
  const server = await testServer(t, functionProject, { CREWSHIP_WEBHOOK_ALLOW_PRIVATE: "true" });
  const { call, deployment_id } = server;
  const thread = (await call("POST", "/v1/threads", { deployment_id })).body.thread_id;
  const made = await call("POST", "/v1/webhooks", {
    direction: "incoming",
    deployment_id,
    thread_id: thread,
    name: "crm",
  });
  assert.equal(made.status, 201);
  assert.match(made.body.path, /^\/webhooks\/runs\/[\w-]{43}$/);
  const alone = (await call("POST", "/v1/webhooks", { direction: "incoming", deployment_id })).body;
  const listed = (await call("GET", `/v1/webhooks?deployment_id=${deployment_id}`)).body.webhooks;
  assert.equal(listed.length, 2);
  assert.equal(
    JSON.stringify(listed).includes(made.body.path.split("/").at(-1)),
    false,
    "a token is shown once",
  );

  const knock = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    fetch(server.server.url + path, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
  const first = await knock(made.body.path, { message: "from outside" }, { "idempotency-key": "1" });
  assert.equal(first.status, 202);
  const run = (await first.json()) as { run_id: string; thread_id: string; version_number: number };
  assert.deepEqual([run.thread_id, run.version_number], [thread, 1]);
  const again = (await (
    await knock(made.body.path, { message: "from outside" }, { "idempotency-key": "1" })
  ).json()) as typeof run;
  assert.equal(again.run_id, run.run_id);
  await call("GET", `/v1/runs/${run.run_id}/events`);
  assert.deepEqual((await call("GET", `/v1/threads/${thread}`)).body.values, { said: ["from outside"] });
  assert.equal((await call("GET", `/v1/runs/${run.run_id}`)).body.metadata.webhook_id, made.body.webhook_id);
  const stateless = (await (await knock(alone.path, ["any", "JSON"])).json()) as { thread_id?: string };
  assert.equal(stateless.thread_id, undefined);

  const before = (await call("GET", "/v1/runs")).body.runs.length;
  for (const token of ["x", "0".repeat(43), encodeURIComponent("../../v1/runs")]) {
    const wrong = await knock(`/webhooks/runs/${token}`, {});
    assert.equal(wrong.status, 404);
    assert.equal((await wrong.text()).includes(token), false);
  }
  for (const body of [
    { direction: "incoming", deployment_id, url: "http://localhost/" },
    { direction: "outgoing", deployment_id },
    { direction: "outgoing", deployment_id, url: "http://localhost/", thread_id: thread },
    { direction: "outgoing", deployment_id, url: "gopher://localhost/" },
    { direction: "outgoing", deployment_id, url: "http://localhost/", events: ["run.canceled"] },
    { direction: "sideways", deployment_id },
  ]) {
    assert.equal((await call("POST", "/v1/webhooks", body)).status, 400, JSON.stringify(body));
  }
  const strange = { direction: "incoming", deployment_id, thread_id: "thr_nowhere" };
  assert.equal((await call("POST", "/v1/webhooks", strange)).status, 404);
  const refused = await call("POST", `/v1/threads/${thread}/runs`, { input: {}, webhook: "nowhere" });
  assert.equal(refused.status, 400);
  assert.equal((await call("GET", "/v1/runs")).body.runs.length, before);

  const other = (
    await call("POST", "/v1/keys", { name: "other", role: "admin", deployment_ids: ["dep_other"] })
  ).body;
  const as = { authorization: `Bearer ${other.api_key}` };
  assert.deepEqual((await call("GET", "/v1/webhooks", undefined, as)).body.webhooks, []);
  assert.equal((await call("DELETE", `/v1/webhooks/${alone.webhook_id}`, undefined, as)).status, 404);
  assert.equal(
    (await call("GET", `/v1/deployments/${deployment_id}/webhook-secret`, undefined, as)).status,
    404,
  );

  const secret = (await call("GET", `/v1/deployments/${deployment_id}/webhook-secret`)).body.secret;
  assert.equal((await call("GET", `/v1/deployments/${deployment_id}/webhook-secret`)).body.secret, secret);
  assert.notEqual(
    (await call("POST", `/v1/deployments/${deployment_id}/webhook-secret`)).body.secret,
    secret,
  );
  assert.equal((await call("DELETE", `/v1/webhooks/${made.body.webhook_id}`)).status, 204);
  assert.equal((await knock(made.body.path, {})).status, 404);
  await call("DELETE", `/v1/threads/${thread}`);
});

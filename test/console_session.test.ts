/** Signing in to the console: a cookie that does what its key may, for the console's own pages alone. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Session } from "../src/core/session.ts";
import { migrate } from "../src/store/migrate.ts";
import {
  createSession,
  createSignInCode,
  findSession,
  forgetOldSessions,
  takeSignInCode,
} from "../src/store/sessions.ts";
import { raw, sql } from "../src/store/sql.ts";
import { freshDatabaseUrl, openDatabase } from "./fixtures/database.ts";
import { newProject } from "./fixtures/deployer.ts";
import { functionProject, projectFolder, type TestServer, testServer } from "./fixtures/server.ts";

const own = { "sec-fetch-site": "same-origin", "x-crewship-console": "1" };

type Browser = {
  cookie: string;
  fetch(method: string, path: string, headers?: Record<string, string>, body?: unknown): Promise<Response>;
};

/** Node's fetch refuses the headers that a browser sets by itself; a plain request does not. */
async function ask(
  url: string,
  method: string,
  headers: Record<string, string>,
  body?: unknown,
): Promise<Response> {
  const { request } = await import("node:http");
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const asking = request(
      url,
      { method, headers: { ...headers, ...(text && { "content-type": "application/json" }) } },
      async (answer) => {
        const parts: Buffer[] = [];
        for await (const part of answer) parts.push(part as Buffer);
        const pairs = Object.entries(answer.headers).flatMap(([name, value]) =>
          value === undefined ? [] : [[name, String(value)] as [string, string]],
        );
        const bytes = Buffer.concat(parts);
        const status = answer.statusCode!;
        resolve(new Response(status === 204 || status === 304 ? null : bytes, { status, headers: pairs }));
      },
    );
    asking.on("error", reject);
    asking.end(text);
  });
}

async function signIn(
  { server }: Pick<TestServer, "server">,
  credentials: object,
  headers: Record<string, string> = own,
): Promise<Response> {
  return ask(`${server.url}/console/session`, "POST", headers, credentials);
}

async function browser(test: Pick<TestServer, "server">, api_key: string): Promise<Browser> {
  const answer = await signIn(test, { api_key });
  assert.equal(answer.status, 200, await answer.clone().text());
  const cookie = answer.headers.get("set-cookie")!.split(";")[0]!;
  return {
    cookie,
    fetch: (method, path, headers = own, body) =>
      ask(test.server.url + path, method, { cookie, ...headers }, body),
  };
}

const newKey = async ({ call }: TestServer, role: string, deployment_ids: string[] | null = null) =>
  (await call("POST", "/v1/keys", { name: "a", role, deployment_ids })).body as {
    key_id: string;
    api_key: string;
  };
const status = async (answer: Promise<Response>) => (await answer).status;

test("a browser signs in with a key, does what the key may and no more, and signs out", async (t) => {
  const served = await testServer(t, functionProject);
  const { deployment_id } = served;
  const key = await newKey(served, "run", [deployment_id]);
  const answer = await signIn(served, { api_key: key.api_key });
  const shown = (await answer.json()) as Session;
  assert.deepEqual([shown.role, shown.deployment_ids], ["run", [deployment_id]]);
  assert.ok(Date.parse(shown.expires_at) > Date.now() + 29 * 24 * 3600_000);
  const set = answer.headers.get("set-cookie")!;
  for (const word of ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=2592000"])
    assert.ok(set.includes(word));
  assert.ok(!set.includes(key.api_key) && !set.includes("Secure"));
  assert.match(set, new RegExp(`^crewship_session_${new URL(served.server.url).port}=`), "each port its own");

  const { fetch, cookie } = await browser(served, key.api_key);
  const { expires_at: _, ...who } = (await (await fetch("GET", "/console/session")).json()) as Session;
  assert.deepEqual(who, { role: "run", deployment_ids: [deployment_id] });
  const made = await fetch("POST", "/v1/threads", own, { deployment_id });
  assert.equal(made.status, 201);
  assert.equal(await status(fetch("GET", "/v1/keys")), 403, "the key's role");
  assert.equal(await status(fetch("GET", "/v1/deployments/dep_other")), 404, "the key's deployments");

  // An EventSource sends no header of ours, and needs none.
  const { thread_id } = (await made.json()) as { thread_id: string };
  const run = await fetch("POST", `/v1/threads/${thread_id}/runs/wait`, own, { input: {} });
  const { id } = (await run.json()) as { id: string };
  const events = await fetch("GET", `/v1/runs/${id}/events`, { "sec-fetch-site": "same-origin" });
  assert.match(await events.text(), /run\.completed/);

  const out = await fetch("DELETE", "/console/session");
  assert.equal(out.status, 204);
  assert.match(out.headers.get("set-cookie")!, /Max-Age=0/);
  assert.equal(await status(ask(`${served.server.url}/v1/threads`, "GET", { cookie, ...own })), 401);
});

test("a wrong key signs nobody in, and a deleted key's browsers are signed out", async (t) => {
  const served = await testServer(t, functionProject);
  const wrong = await signIn(served, { api_key: "csk_wrong" });
  assert.deepEqual([wrong.status, wrong.headers.get("set-cookie")], [401, null]);
  assert.equal((await signIn(served, {})).status, 400);
  assert.equal(await status(ask(`${served.server.url}/console/session`, "GET", own)), 401);

  const key = await newKey(served, "read");
  const { fetch } = await browser(served, key.api_key);
  assert.equal(await status(fetch("GET", "/v1/deployments")), 200);
  await served.call("DELETE", `/v1/keys/${key.key_id}`);
  assert.equal(await status(fetch("GET", "/v1/deployments")), 401);
  assert.equal(await status(fetch("GET", "/console/session")), 401);
});

test("pages of other origins can neither sign in nor use the cookie, also where CORS lets them call", async (t) => {
  const served = await testServer(t, functionProject, { CREWSHIP_CORS_ORIGINS: "http://localhost:*" });
  const { server, deployment_id } = served;
  const own_origin = new URL(server.url).origin;
  const foreign: Record<string, string>[] = [
    { "sec-fetch-site": "cross-site", "x-crewship-console": "1" },
    { "sec-fetch-site": "same-site", origin: "http://localhost:3000", "x-crewship-console": "1" },
    { origin: "http://localhost:3000", "x-crewship-console": "1" },
    { origin: "null", "x-crewship-console": "1" },
    { origin: `${own_origin}.evil.example`, "x-crewship-console": "1" },
  ];
  const { api_key } = await newKey(served, "admin");
  const { fetch } = await browser(served, api_key);
  for (const headers of foreign) {
    assert.equal((await signIn(served, { api_key }, headers)).status, 403, JSON.stringify(headers));
    for (const [method, path] of [
      ["POST", "/v1/threads"],
      ["GET", "/v1/deployments"],
      ["GET", "/console/session"],
      ["DELETE", "/console/session"],
    ] as const) {
      const answer = await fetch(method, path, headers, method === "POST" ? { deployment_id } : undefined);
      assert.equal(answer.status, 403, `${method} ${path} ${JSON.stringify(headers)}`);
      assert.equal(answer.headers.get("access-control-allow-credentials"), null);
    }
  }
  // What changes something needs the console's header, which no form and no picture can send.
  const unheaded = await fetch("POST", "/v1/threads", { "sec-fetch-site": "same-origin" }, { deployment_id });
  assert.equal(unheaded.status, 403);
  assert.equal(
    (await served.call("GET", `/v1/threads?deployment_id=${deployment_id}`)).body.threads.length,
    0,
  );

  // Over plain HTTP to another machine a browser sends no Sec-Fetch-Site.
  const plain = { origin: own_origin, "x-crewship-console": "1" };
  assert.equal(await status(fetch("POST", "/v1/threads", plain, { deployment_id })), 201);
  assert.equal(await status(fetch("GET", "/v1/deployments", {})), 200);
  // A key counts as ever, whatever page it comes from.
  const keyed = { authorization: `Bearer ${api_key}`, origin: "http://localhost:3000" };
  assert.equal(await status(fetch("GET", "/v1/deployments", keyed)), 200);
});

test("behind TLS the cookie is for TLS only", async (t) => {
  const served = await testServer(t, functionProject);
  const { api_key } = await newKey(served, "read");
  const answer = await signIn(served, { api_key }, { ...own, origin: "https://agents.example" });
  assert.match(answer.headers.get("set-cookie")!, /; Secure$/);
});

test("the key that the server is given signs in", async (t) => {
  const served = await testServer(t, functionProject, { CREWSHIP_API_KEY: "csk_of_the_server" });
  const { fetch } = await browser(served, "csk_of_the_server");
  assert.equal(((await (await fetch("GET", "/console/session")).json()) as Session).role, "admin");
});

test("the address that dev prints signs one browser in, once", async (t) => {
  const served = await testServer(t, functionProject);
  const address = new URL(await served.server.consoleAddress());
  assert.deepEqual([address.pathname, address.search], ["/console/", ""]);
  const code = new URLSearchParams(address.hash.slice(1)).get("code")!;
  assert.ok(!address.href.includes(served.server.apiKey));
  const both = await Promise.all([signIn(served, { code }), signIn(served, { code })]);
  assert.deepEqual(both.map((answer) => answer.status).sort(), [200, 401]);
  const signedIn = both.find((answer) => answer.status === 200)!;
  assert.equal(((await signedIn.json()) as Session).role, "admin");
  assert.equal((await signIn(served, { code: "guess" })).status, 401);
});

test("a session ends after 30 days, a code after ten minutes, and both are forgotten; a key has a hundred at most", async (t) => {
  const database = await openDatabase(await freshDatabaseUrl(), newProject(t, {}));
  t.after(() => database.close());
  await migrate(database);
  const { nowPlus } = database.dialect;
  const find = (name: string) => findSession(database, name);
  const age = (table: string, seconds: number) =>
    database.transaction((tx) => tx.query(sql`update ${raw(table)} set expires_at = ${nowPlus(seconds)}`));
  await database.transaction(async (tx) => {
    await createSession(tx, { session_hash: "s", key_hash: "k" });
    await createSignInCode(tx, "c", "k");
  });
  assert.equal((await find("s"))?.key_hash, "k");
  await age("sessions", -1);
  await age("sign_in_codes", -1);
  assert.equal(await find("s"), undefined);
  assert.equal(await database.transaction((tx) => takeSignInCode(tx, "c")), undefined);
  await database.transaction(forgetOldSessions);
  for (const table of ["sessions", "sign_in_codes"])
    assert.deepEqual(await database.query(sql`select 1 from ${raw(table)}`), []);

  for (let n = 0; n < 101; n++)
    await database.transaction((tx) => createSession(tx, { session_hash: `s${n}`, key_hash: "k" }));
  const rows = await database.query(sql`select session_hash from sessions`);
  assert.equal(rows.length, 100);
  assert.ok(await find("s100"));
});

test("dev --json says the console's address, which signs in", async (t) => {
  const folder = projectFolder(t, functionProject);
  const line = await firstLine(t, folder);
  const { url, console: address } = JSON.parse(line) as { url: string; console: string };
  const code = new URLSearchParams(new URL(address).hash.slice(1)).get("code")!;
  assert.equal((await ask(`${url}/console/session`, "POST", own, { code })).status, 200);
});

async function firstLine(t: TestContext, folder: string): Promise<string> {
  const main = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url));
  const child = spawn(process.execPath, [main, "dev", folder, "--json", "--port", "0", "--no-watch"], {
    env: { ...process.env, XDG_CONFIG_HOME: join(folder, "config") },
    stdio: ["ignore", "pipe", "ignore"],
  });
  t.after(() => child.kill());
  const [line] = await once(createInterface(child.stdout), "line");
  return String(line);
}

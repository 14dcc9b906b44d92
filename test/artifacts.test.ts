/** Files that runs leave: each run its own, whatever else its process does; stored once, given back as they were. */
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { CrewshipClient } from "../src/client/client.ts";
import type { Thread } from "../src/core/thread.ts";
import { artifactFolder } from "../src/engine/artifacts.ts";
import { deleteThread } from "../src/engine/delete_thread.ts";
import { keepHouse } from "../src/engine/sweep.ts";
import { readBlob, sweepBlob } from "../src/store/blobs.ts";
import { findRun } from "../src/store/runs.ts";
import { sql } from "../src/store/sql.ts";
import { findThread } from "../src/store/threads.ts";
import { until } from "./faults/until.ts";
import { pythonVariables } from "./fixtures/python.ts";
import { functionProject, type TestServer, testServer } from "./fixtures/server.ts";
import { type Engine, withEngine } from "./suites/engine_fixture.ts";

const nodeAgent = `
import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
let here = 0;
const met = Promise.withResolvers();
export async function agent({ name, big, many, odd, hang, say }, context) {
  if (say) return { artifacts: "CREWSHIP_ARTIFACTS" in process.env };
  if (name) {
    if (++here === 2) met.resolve();
    await met.promise;
    writeFileSync(join(process.env.CREWSHIP_ARTIFACTS, "name.txt"), name);
    await new Promise((resolve) => setTimeout(resolve, 5));
    execFileSync("sh", ["-c", 'mkdir "$CREWSHIP_ARTIFACTS/deep" && printf "%s" "$0" > "$CREWSHIP_ARTIFACTS/deep/er.json"', JSON.stringify(name)]);
    writeFileSync(join({ ...process.env }.CREWSHIP_ARTIFACTS, "same.bin"), Buffer.alloc(600_000, 7));
    return { same: context.artifacts === process.env.CREWSHIP_ARTIFACTS };
  }
  const folder = context.artifacts;
  if (big) execFileSync("truncate", ["-s", "100M", join(folder, "fits.bin")]);
  if (big) execFileSync("truncate", ["-s", "104857601", join(folder, "big.bin")]);
  for (let n = 0; n < (many ?? 0); n++) writeFileSync(join(folder, "f" + String(n).padStart(4, "0")), "");
  if (odd) {
    symlinkSync("/etc/passwd", join(folder, "passwd"));
    symlinkSync("/etc", join(folder, "etc"));
    execFileSync("mkfifo", [join(folder, "pipe")]);
    mkdirSync(join(folder, "empty"));
    writeFileSync(join(folder, "line\\nbreak"), "x");
    writeFileSync(join(folder, "back\\\\slash"), "x");
    writeFileSync(join(folder, "straße & '(1)*.html"), "<script>");
    writeFileSync(join(folder, "nothing"), "");
  }
  if (hang) {
    writeFileSync(join(folder, "half.txt"), "half");
    context.emit({ written: true });
    await new Promise((resolve) => context.signal.addEventListener("abort", resolve));
  }
  return null;
}
`;

const pythonAgent = `
import asyncio, os, subprocess, sys, threading
here = threading.Barrier(2)

def write(name):
    here.wait(30)
    with open(os.path.join(os.environ["CREWSHIP_ARTIFACTS"], "name.txt"), "w") as file:
        file.write(name)
    code = "import os, sys; p = os.environ['CREWSHIP_ARTIFACTS'] + '/deep'; os.mkdir(p); open(p + '/er.json', 'w').write(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, '"' + name + '"'], check=True)
    with open(os.getenv("CREWSHIP_ARTIFACTS") + "/same.bin", "wb") as file:
        file.write(bytes([7]) * 600_000)

async def agent(input, context):
    if input.get("say"):
        return {"artifacts": "CREWSHIP_ARTIFACTS" in os.environ}
    await asyncio.to_thread(write, input["name"])
    return {"same": context.artifacts == os.environ["CREWSHIP_ARTIFACTS"] and "CREWSHIP_ARTIFACTS" in list(os.environ)}
`;

const manifest = (entrypoint: string, more = "") =>
  `[deployment]\nname = "files"\nframework = "function"\nentrypoint = "${entrypoint}"\n${more}`;
const nodeProject = {
  ...functionProject,
  "crewship.toml": manifest("./agent.mjs:agent"),
  "agent.mjs": nodeAgent,
};

async function wait(server: TestServer, input: object) {
  const { thread_id } = (await server.call("POST", "/v1/threads", { deployment_id: server.deployment_id }))
    .body;
  const { body } = await server.call("POST", `/v1/threads/${thread_id}/runs/wait`, { input });
  return body;
}
const list = async (server: TestServer, run: string) =>
  (await server.call("GET", `/v1/runs/${run}/artifacts`)).body.artifacts;
const get = (server: TestServer, run: string, name: string, headers: Record<string, string> = {}) =>
  server.call("GET", `/v1/runs/${run}/artifacts/${name}`, undefined, headers);
async function events(
  server: TestServer,
  run: string,
): Promise<{ type: string; data: { [key: string]: unknown } }[]> {
  const text: string = (await server.call("GET", `/v1/runs/${run}/events`)).body;
  return [...text.matchAll(/^data: (.*)$/gm)].map((found) => JSON.parse(found[1]!));
}

for (const [language, files, variables] of [
  ["Node", nodeProject, {}],
  ["Python", { "crewship.toml": manifest("agent:agent"), "agent.py": pythonAgent }, pythonVariables()],
] as const) {
  test(`two runs at once in one process of ${language} each leave their own files, also those of their children`, async (t) => {
    const server = await testServer(t, files, variables);
    const runs = await Promise.all(["one", "two"].map((name) => wait(server, { name })));
    for (const [i, run] of runs.entries()) {
      const name = ["one", "two"][i]!;
      assert.deepEqual([run.status, run.output], ["succeeded", { same: true }], JSON.stringify(run.error));
      const artifacts = await list(server, run.id);
      assert.deepEqual(
        artifacts.map((one: { name: string; size: number; content_type: string }) => [
          one.name,
          one.size,
          one.content_type,
        ]),
        [
          ["deep/er.json", 5, "application/json"],
          ["name.txt", 3, "text/plain"],
          ["same.bin", 600_000, "application/octet-stream"],
        ],
      );
      assert.equal((await get(server, run.id, "name.txt")).body, name);
      assert.equal((await get(server, run.id, "deep/er.json")).body, name);
      const told = await events(server, run.id);
      assert.deepEqual(told.slice(-4), [
        { type: "artifact", data: { name: "deep/er.json", size: 5, content_type: "application/json" } },
        { type: "artifact", data: { name: "name.txt", size: 3, content_type: "text/plain" } },
        {
          type: "artifact",
          data: { name: "same.bin", size: 600_000, content_type: "application/octet-stream" },
        },
        told.at(-1)!,
      ]);
      assert.equal(told.at(-1)!.type, "run.completed");
      assert.equal(artifacts[2].sha256, createHash("sha256").update(Buffer.alloc(600_000, 7)).digest("hex"));
    }
    assert.deepEqual((await wait(server, { say: true })).output, { artifacts: true });
    const folder = join(server.folder, ".crewship/data/artifacts");
    await until("nothing is kept twice", () => readdirSync(folder).length === 0);
  });
}

test("a file is given with its type and ETag, never as a page, and only by its exact name", async (t) => {
  const server = await testServer(t, nodeProject);
  const { id } = await wait(server, { odd: true });
  const page = "straße & '(1)*.html";
  assert.deepEqual(
    (await list(server, id)).map(({ name }: { name: string }) => name),
    ["nothing", page],
    "links, pipes and names that cannot be shown are left out",
  );
  const notes = (await events(server, id)).filter(({ type }) => type === "log").map(({ data }) => data);
  assert.deepEqual(
    notes.map(({ level, message }) => [level, String(message).includes("is no artifact")]),
    [
      ["warning", true],
      ["warning", true],
    ],
  );
  const found = await get(server, id, encodeURIComponent(page));
  assert.equal(found.body, "<script>");
  const { headers } = found;
  assert.equal(headers.get("content-type"), "text/html; charset=utf-8");
  assert.equal(headers.get("content-length"), "8");
  assert.equal(headers.get("x-content-type-options"), "nosniff");
  assert.match(headers.get("content-security-policy")!, /sandbox/);
  assert.equal(
    headers.get("content-disposition"),
    "attachment; filename*=UTF-8''stra%C3%9Fe%20%26%20%27%281%29%2A.html",
  );
  const etag = headers.get("etag")!;
  for (const known of [etag, `"x", W/${etag}`, "*"]) {
    const same = await get(server, id, encodeURIComponent(page), { "if-none-match": known });
    assert.deepEqual([same.status, same.body], [304, ""]);
  }
  assert.equal((await get(server, id, encodeURIComponent(page), { "if-none-match": '"x"' })).status, 200);
  assert.deepEqual(
    [(await get(server, id, "nothing")).status, (await get(server, id, "nothing")).body],
    [200, ""],
  );

  // As they are: an URL of a browser or of fetch loses its ".." on the way.
  const raw = (path: string) =>
    new Promise<[number, string]>((resolve, reject) => {
      const { port } = new URL(server.server.url);
      const headers = { authorization: `Bearer ${server.server.apiKey}` };
      request({ port, path: `/v1/runs/${id}/artifacts/${path}`, headers }, async (answer) => {
        let text = "";
        for await (const chunk of answer) text += chunk;
        resolve([answer.statusCode!, text]);
      })
        .on("error", reject)
        .end();
    });
  for (const path of [
    "../../../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/etc/passwd",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "a/../nothing",
    "./nothing",
    "a//b",
    "nothing/",
    "..%5c..%5cetc",
    "nul%00l",
    "x".repeat(501),
    "",
  ]) {
    const [status, text] = await raw(path);
    assert.equal(status, 400, `${path}: ${text}`);
    assert.match(text, /"code":"bad_request"/);
    assert.doesNotMatch(text, /root:/);
  }
  for (const path of ["passwd", "etc/passwd", "pipe", "elsewhere.txt", "x".repeat(400)]) {
    assert.equal((await raw(path))[0], 404, path);
  }
  const other = (
    await server.call("POST", "/v1/keys", { name: "o", role: "read", deployment_ids: ["dep_o"] })
  ).body;
  const as = { authorization: `Bearer ${other.api_key}` };
  for (const path of ["", "/nothing"]) {
    assert.equal((await server.call("GET", `/v1/runs/${id}/artifacts${path}`, undefined, as)).status, 404);
  }
});

test("what is too large or too much is left out, and the run says so", async (t) => {
  const server = await testServer(t, nodeProject);
  const big = await wait(server, { big: true });
  assert.deepEqual(
    (await list(server, big.id)).map(({ name, size }: { name: string; size: number }) => [name, size]),
    [["fits.bin", 104_857_600]],
  );
  const said = (await events(server, big.id)).find(({ type }) => type === "log")!.data.message;
  assert.equal(said, "The file big.bin is no artifact: it has more than 100 MB.");
  const many = await wait(server, { many: 1_003 });
  assert.equal((await list(server, many.id)).length, 1_000);
  const [note, ...more] = (await events(server, many.id)).filter(({ type }) => type === "log");
  assert.match(
    String(note!.data.message),
    /f1000, and what follows it, is no artifact: a run may leave 1000/,
  );
  assert.deepEqual(more, []);
});

test("a run that is canceled or takes too long leaves what it had written, and tells of nothing after its end", async (t) => {
  const server = await testServer(t, nodeProject);
  const { thread_id } = (await server.call("POST", "/v1/threads", { deployment_id: server.deployment_id }))
    .body;
  const client = new CrewshipClient({ url: server.server.url, apiKey: server.server.apiKey });
  for (const timeout_s of [undefined, 1]) {
    const request = { input: { hang: true }, ...(timeout_s && { timeout_s }) };
    const { run_id } = (await server.call("POST", `/v1/threads/${thread_id}/runs`, request)).body;
    for await (const { type } of client.runEvents(run_id)) {
      if (type === "custom" && !timeout_s) await server.call("POST", `/v1/runs/${run_id}/cancel`, {});
    }
    // Taken in once the agent has returned, before the thread's next run begins.
    await server.call("POST", `/v1/threads/${thread_id}/runs/wait`, { input: {} });
    assert.equal((await get(server, run_id, "half.txt")).body, "half");
    const told = (await events(server, run_id)).map(({ type }) => type);
    assert.deepEqual(told.slice(1), ["custom", timeout_s ? "run.failed" : "run.canceled"]);
  }
});

/** Rows of content, and what of it is referred to. */
async function contents({ database }: Engine): Promise<[blobs: number, pieces: number, artifacts: number]> {
  const counts = [];
  for (const table of [sql`blobs`, sql`blob_pieces`, sql`artifacts`]) {
    counts.push((await database.query<{ n: number }>(sql`select count(*) as n from ${table}`))[0]!.n);
  }
  return counts as [number, number, number];
}

test("files wait for a dead node's run to be over; the same content is stored once, and goes with the last that has it", () =>
  withEngine({}, async (engine) => {
    const { node, database } = engine;
    const [first, second] = [await engine.thread(), await engine.thread()];
    const runs = [];
    for (const thread of [first, second]) {
      const { id } = await engine.run(thread, { done: 1 });
      const folder = artifactFolder(node, id);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, "a.txt"), "the same");
      writeFileSync(join(folder, "b.txt"), "the same");
      runs.push(id);
    }
    const { run_id: waiting } = await engine.accept(await engine.thread(), { script: ["wait"] });
    mkdirSync(artifactFolder(node, waiting), { recursive: true });
    await keepHouse(node);
    assert.deepEqual(readdirSync(node.artifacts), [waiting]);
    assert.deepEqual(await contents(engine), [1, 1, 4]);
    const swept = async () => {
      await keepHouse(node, -1);
      for (let i = 0; i < 5; i++) await database.transaction((tx) => sweepBlob(tx, 0));
      return contents(engine);
    };
    const remove = async ({ thread_id }: Thread) =>
      deleteThread(node, (await findThread(database, thread_id))!);
    await remove(first);
    assert.deepEqual(await swept(), [1, 1, 2]);
    const { sha256 } = (await database.query<{ sha256: string }>(sql`select sha256 from blobs`))[0]!;
    assert.equal(Buffer.concat(await Array.fromAsync(readBlob(database, sha256))).toString(), "the same");
    await remove(second);
    assert.deepEqual(await swept(), [0, 0, 0]);
  }));

test("files of a run go with its events when they have been kept long enough", () =>
  withEngine({}, async (engine) => {
    const { node, database } = engine;
    const thread = await engine.thread();
    const { id } = await engine.run(thread, { done: 1 });
    mkdirSync(artifactFolder(node, id), { recursive: true });
    writeFileSync(join(artifactFolder(node, id), "a.txt"), "old");
    await keepHouse(node);
    const { log_id } = (await findRun(database, id))!;
    assert.equal((await contents(engine))[2], 1);
    await database.transaction((tx) =>
      tx.query(
        sql`update runs set completed_at = ${tx.dialect.nowPlus(-31 * 86_400)} where log_id = ${log_id}`,
      ),
    );
    await keepHouse(node);
    assert.equal((await contents(engine))[2], 0);
    assert.ok(await findRun(database, id), "the run itself stays with its thread");
  }));

test("a Python agent in a process of its own finds the folder at /app/artifacts too, where that can be made", async (t) => {
  const mayMount = spawnSync("unshare", ["-m", "true"]).status === 0;
  const made = mayMount ? mkdirSync("/app/artifacts", { recursive: true }) : undefined;
  t.after(() => {
    for (let path = "/app/artifacts"; made !== undefined && path.startsWith(made); path = join(path, ".."))
      rmdirSync(path);
  });
  const agent = `
import os
def agent(input, context):
    if not os.path.isdir("/app/artifacts"):
        return "none"
    with open("/app/artifacts/" + input["name"], "w") as file:
        file.write(input["name"])
    return os.listdir(os.environ["CREWSHIP_ARTIFACTS"])
`;
  const files = {
    "crewship.toml": manifest("agent:agent", '[runner]\nisolation = "run"\n'),
    "agent.py": agent,
  };
  const server = await testServer(t, files, pythonVariables());
  const runs = await Promise.all(["one", "two"].map((name) => wait(server, { name })));
  for (const [i, run] of runs.entries()) {
    const name = ["one", "two"][i]!;
    assert.equal(run.status, "succeeded", JSON.stringify(run.error));
    assert.deepEqual(run.output, mayMount ? [name] : "none");
    if (mayMount) assert.equal((await get(server, run.id, name)).body, name);
  }
  if (mayMount) assert.deepEqual(readdirSync("/app/artifacts"), [], "nobody else sees it");
});

test("the command line lists a run's files and saves them, never over others", async (t) => {
  const server = await testServer(t, nodeProject);
  const runs = await Promise.all(["one", "two"].map((name) => wait(server, { name })));
  const run = runs[0].id;
  const main = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url));
  // Not in one go: the server is in this process.
  const call = async (...args: string[]) => {
    const address = ["--url", server.server.url, "--api-key", server.server.apiKey ?? ""];
    const done = promisify(execFile)(process.execPath, [main, ...args, ...address], { cwd: server.folder });
    return done.then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      (error: { code: number; stdout: string; stderr: string }) => error,
    );
  };
  assert.match(
    (await call("runs", "artifacts", run)).stdout,
    /600\.0 KB {2}application\/octet-stream {2}same\.bin/,
  );
  assert.equal(
    (await call("runs", "download", run)).stdout,
    `${run}/deep/er.json\n${run}/name.txt\n${run}/same.bin\n`,
  );
  assert.equal(readFileSync(join(server.folder, run, "deep/er.json"), "utf8"), '"one"');
  const again = await call("runs", "download", run, "name.txt");
  assert.equal(again.code, 2);
  assert.match(again.stderr, /name\.txt is there already\. --force replaces it/);
  assert.equal((await call("runs", "download", run, "name.txt", "--force")).code, 0);
  assert.equal((await call("runs", "download", run, "../x")).code, 2);
  assert.equal((await call("runs", "download", run, "nothing.txt", "-o", ".")).code, 1);
  assert.equal(existsSync(join(server.folder, "nothing.txt")), false);
});

/** From a folder to a running, versioned agent: deployed from the command line, changed, rolled back, and kept secret. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Version } from "../src/core/deployment.ts";
import { until } from "./faults/until.ts";
import { onPostgres } from "./fixtures/database.ts";
import { type Deployer, newProject, type Said, startDeployer, write } from "./fixtures/deployer.ts";

const manifest = (name: string) =>
  `[deployment]\nname = "${name}"\nframework = "function"\nentrypoint = "./agent.ts:agent"\n`;
const says = (text: string) =>
  `export function agent(input) { return { said: ${JSON.stringify(text)}, to: input.name ?? null }; }\n`;
const project = (name: string, text: string) => ({
  "crewship.toml": manifest(name),
  "package.json": `{"type":"module"}`,
  "agent.ts": says(text),
});

function parsed<T>({ code, stdout, stderr }: Said): T {
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as T;
}

async function deploy({ cli }: Deployer, directory: string, ...args: string[]): Promise<Version> {
  return parsed<Version>(await cli(directory, ["deploy", "--json", ...args]));
}

/** What the agent of the folder's deployment says. */
async function ask({ cli }: Deployer, directory: string, ...args: string[]) {
  const said = await cli(directory, ["invoke", "--json", "-i", "{}", ...args]);
  return parsed<{ output: { said: string }; version_number: number }>(said);
}

test("a folder becomes a version, a change another, the same source none, and a rollback the one before", async (t) => {
  const deployer = await startDeployer(t);
  const folder = newProject(t, project("greeter", "one"));
  const first = await deployer.cli(folder, ["deploy"]);
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stdout, /● greeter version 1 serves production/);
  assert.match(first.stderr, /Packed 3 files/);
  assert.equal((await ask(deployer, folder)).output.said, "one");

  write(folder, { "agent.ts": says("two") });
  assert.equal((await deploy(deployer, folder)).number, 2);
  assert.equal((await ask(deployer, folder)).output.said, "two");
  const again = await deployer.cli(folder, ["deploy"]);
  assert.match(again.stderr, /Nothing has changed: version 2 has this source/);
  write(folder, { "agent.ts": says("three") });
  await deploy(deployer, folder);

  assert.match((await deployer.cli(folder, ["deploy", "--rollback"])).stdout, /version 2 serves production/);
  assert.equal((await ask(deployer, folder)).output.said, "two");
  assert.match((await deployer.cli(folder, ["deploy", "--rollback"])).stdout, /version 1 serves production/);
  const none = await deployer.cli(folder, ["deploy", "--rollback"]);
  assert.equal(none.code, 1);
  assert.match(none.stderr, /nothing to roll back to/);
  const { version_id } = parsed<Version>(await deployer.cli(folder, ["versions", "get", "3", "--json"]));
  assert.match(
    (await deployer.cli(folder, ["deploy", "--rollback", version_id])).stdout,
    /version 3 serves production/,
  );
  assert.equal((await ask(deployer, folder)).output.said, "three");

  const { versions } = parsed<{ versions: Version[] }>(
    await deployer.cli(folder, ["versions", "list", "--json"]),
  );
  assert.deepEqual(
    versions.map(({ number, status, environments }) => [number, status, environments]),
    [
      [3, "ready", ["production"]],
      [2, "ready", []],
      [1, "ready", []],
    ],
  );
  assert.equal((await deployer.cli(folder, ["versions", "retire", "3"])).code, 1);
  assert.equal((await deployer.cli(folder, ["versions", "retire", "2"])).code, 0);
  const retired = await deployer.cli(folder, ["versions", "activate", "2"]);
  assert.equal(retired.code, 1);
  assert.match(retired.stderr, /is retired/);
  assert.match(
    (await deployer.cli(folder, ["versions", "activate", "1"])).stdout,
    /Version 1 serves production/,
  );
  assert.equal((await ask(deployer, folder)).output.said, "one");
});

test("a thread lives across versions, and each run says which one executed it", async (t) => {
  const deployer = await startDeployer(t);
  const counting = (by: number) =>
    `export function agent(input, context) { context.state.n = (context.state.n ?? 0) + ${by}; return context.state.n; }\n`;
  const folder = newProject(t, { ...project("counter", ""), "agent.ts": counting(1) });
  const { deployment_id } = await deploy(deployer, folder);
  const { thread_id } = await deployer.client.createThread({ deployment_id });
  const first = await deployer.client.waitForRun(thread_id, { input: {} });
  write(folder, { "agent.ts": counting(10) });
  await deploy(deployer, folder);
  const second = await deployer.client.waitForRun(thread_id, { input: {} });
  assert.deepEqual(
    [first, second].map(({ output, version_number }) => [output, version_number]),
    [
      [1, 1],
      [11, 2],
    ],
  );
});

test("a new version under load fails no request, and running runs finish on the one they began with", async (t) => {
  const deployer = await startDeployer(t);
  const gate = join(deployer.folder, "gate");
  const agent = (text: string) => `
    import { existsSync } from "node:fs";
    export async function agent(input) {
      while (input.wait && !existsSync(${JSON.stringify(gate)})) await new Promise((resolve) => setTimeout(resolve, 20));
      return { said: ${JSON.stringify(text)} };
    }`;
  const folder = newProject(t, { ...project("loaded", ""), "agent.ts": agent("v1") });
  const { deployment_id } = await deploy(deployer, folder);
  const { client } = deployer;
  const long = await client.createStatelessRun({ deployment_id, input: { wait: true } });
  const seen = new Map<string, number>();
  let stop = false;
  const loads = Array.from({ length: 6 }, async () => {
    const { thread_id } = await client.createThread({ deployment_id });
    while (!stop) {
      const run = await client.waitForRun(thread_id, { input: {} });
      assert.equal(run.status, "succeeded", JSON.stringify(run.error));
      const { said } = run.output as { said: string };
      assert.equal(said, `v${run.version_number}`);
      seen.set(said, (seen.get(said) ?? 0) + 1);
    }
  });
  try {
    for (const n of [2, 3, 4]) {
      write(folder, { "agent.ts": agent(`v${n}`) });
      assert.equal((await deploy(deployer, folder)).number, n);
      await until(`v${n} answers`, () => seen.has(`v${n}`));
    }
    await client.rollBack(deployment_id, "production");
    const before = seen.get("v3") ?? 0;
    await until("v3 answers again", () => (seen.get("v3") ?? 0) > before);
  } finally {
    stop = true;
    await Promise.all(loads);
  }
  write(deployer.folder, { gate: "" });
  await until("the long run is over", async () => (await client.getRun(long.run_id)).completed_at !== null);
  const run = await client.getRun(long.run_id);
  assert.deepEqual([run.output, run.version_number], [{ said: "v1" }, 1]);
});

test("a build that fails leaves the old version serving and shows its own error", async (t) => {
  const deployer = await startDeployer(t);
  const folder = newProject(t, project("fragile", "works"));
  await deploy(deployer, folder);
  write(folder, {
    "agent.ts": `throw new Error("the flux is not aligned\\0");\nexport function agent() {}\n`,
  });
  const broken = await deployer.cli(folder, ["deploy"]);
  assert.equal(broken.code, 1);
  assert.match(broken.stderr, /│ .*the flux is not aligned/);
  assert.match(broken.stderr, /Version 2 could not be built. production stays as it was/);
  assert.equal((await ask(deployer, folder)).output.said, "works");

  write(folder, {
    "agent.ts": says("packaged"),
    "package.json": `{"type":"module","dependencies":{"left":"file:./nowhere"}}`,
    "package-lock.json": `{"lockfileVersion":3,"packages":{"":{"dependencies":{"left":"file:./elsewhere"}}}}`,
  });
  const unbuilt = await deployer.cli(folder, ["deploy"]);
  assert.equal(unbuilt.code, 1);
  assert.match(unbuilt.stderr, /The packages of package\.json could not be installed \(npm: exit code \d+\)/);
  assert.equal((await ask(deployer, folder)).output.said, "works");

  // The log can be read later too, from any line on.
  const log = await deployer.cli(folder, ["versions", "log", "2"]);
  assert.equal(log.code, 1);
  assert.match(log.stderr, /the flux is not aligned/);
  const { version_id, deployment_id, error } = parsed<Version>(
    await deployer.cli(folder, ["versions", "get", "2", "--json"]),
  );
  assert.match(error!, /the flux is not aligned/);
  const all = await Array.fromAsync(deployer.client.buildEvents(deployment_id, version_id));
  const rest = await Array.fromAsync(deployer.client.buildEvents(deployment_id, version_id, { after: "1" }));
  assert.deepEqual(rest, all.slice(1));
  assert.equal(all.at(-1)!.type, "build.failed");
  // Behind its last event a reader is told to come no more, as an EventSource understands it.
  const path = `/v1/deployments/${deployment_id}/versions/${version_id}/build`;
  const reading = (id: string) =>
    fetch(deployer.server.url + path, {
      headers: { authorization: `Bearer ${deployer.server.apiKey}`, "last-event-id": id },
    });
  assert.equal((await reading(all.at(-1)!.id)).status, 204);
  assert.equal((await reading(all.at(-2)!.id)).status, 200);

  // What failed is built anew when it comes again, and a correction serves.
  write(folder, { "package.json": `{"type":"module"}` });
  rmSync(join(folder, "package-lock.json"));
  assert.equal((await deploy(deployer, folder)).number, 4);
  assert.equal((await ask(deployer, folder)).output.said, "packaged");
});

test("staging and production have versions of their own until one is promoted", async (t) => {
  const deployer = await startDeployer(t);
  const folder = newProject(t, project("staged", "old"));
  const early = await deployer.cli(folder, ["promote"]);
  assert.equal(early.code, 2);
  await deploy(deployer, folder);
  write(folder, { "agent.ts": says("new") });
  await deploy(deployer, folder, "--environment", "staging");
  assert.equal((await ask(deployer, folder)).output.said, "old");
  assert.equal((await ask(deployer, folder, "--environment", "staging")).output.said, "new");
  assert.match((await deployer.cli(folder, ["promote"])).stdout, /version 2 serves production/);
  assert.equal((await ask(deployer, folder)).output.said, "new");

  // The same source sent to both at once is one version, at which both point.
  write(folder, { "agent.ts": says("both") });
  const both = await Promise.all([
    deploy(deployer, folder),
    deploy(deployer, folder, "--environment", "staging"),
  ]);
  assert.deepEqual(
    both.map(({ number }) => number),
    [3, 3],
  );
  const { environments } = await deployer.client.getVersion(both[0].deployment_id, both[0].version_id);
  assert.deepEqual(environments, ["production", "staging"]);
});

test("a monorepo's deployments are deployed by name, each with its own versions", async (t) => {
  const deployer = await startDeployer(t);
  const folder = newProject(t, {
    "crewship.toml": `[deployments.tea]\nframework = "function"\nentrypoint = "./agents/tea.ts:agent"\n
[deployments.coffee]\nframework = "function"\nentrypoint = "./agents/coffee.ts:agent"\n`,
    "package.json": `{"type":"module"}`,
    "agents/tea.ts": says("tea"),
    "agents/coffee.ts": says("coffee"),
  });
  const unnamed = await deployer.cli(folder, ["deploy"]);
  assert.equal(unnamed.code, 2);
  assert.match(unnamed.stderr, /name one of tea, coffee/);
  const tea = await deploy(deployer, folder, "--name", "tea");
  const coffee = await deploy(deployer, folder, "--name", "coffee");
  assert.notEqual(tea.deployment_id, coffee.deployment_id);
  assert.equal((await ask(deployer, folder, tea.deployment_id)).output.said, "tea");
  assert.equal((await ask(deployer, folder, coffee.deployment_id)).output.said, "coffee");
  // A change of what both share is one of both.
  write(folder, { "agents/tea.ts": says("green tea") });
  assert.equal((await deploy(deployer, folder, "--name", "tea")).number, 2);
  assert.equal((await ask(deployer, folder, coffee.deployment_id)).output.said, "coffee");
});

test("a secret is in the agent's environment and nowhere else", async (t) => {
  const deployer = await startDeployer(t);
  const secret = 'sk-5ea1ed"/\\ü-once-and-for-all';
  const other = "staging-is-another-secret";
  const folder = newProject(t, {
    ...project("discreet", ""),
    "agent.ts": `
      import { createHash } from "node:crypto";
      console.error("loading with", process.env.TOKEN);
      export function agent(input, context) {
        const token = process.env.TOKEN;
        console.log("the token is", token);
        context.emit("note", { token, nested: [{ [String(token)]: 1 }] });
        if (input.fail) throw new Error("refused: " + token);
        return { hash: token && createHash("sha256").update(token).digest("hex"), ours: Object.keys(process.env).filter((name) => /^CREWSHIP_(?!ARTIFACTS)/.test(name)) };
      }`,
  });
  const printed: string[] = [];
  deployer.server.onActivity(({ text }) => printed.push(text ?? ""));
  const { deployment_id } = await deploy(deployer, folder);
  const set = await deployer.cli(folder, ["env", "set", "TOKEN"], `${secret}\n`);
  assert.equal(set.code, 0, set.stderr);
  assert.equal(
    (await deployer.cli(folder, ["env", "set", `TOKEN=${other}`, "--environment", "staging"])).code,
    0,
  );
  const events: unknown[] = [];
  for (const input of [{}, { fail: true }]) {
    const run = await deployer.client.createStatelessRun({ deployment_id, input });
    for await (const event of deployer.client.runEvents(run.run_id)) events.push(event);
    events.push(await deployer.client.getRun(run.run_id));
  }
  const said = JSON.stringify(events);
  assert.ok(said.includes(createHash("sha256").update(secret).digest("hex")), said);
  assert.match(said, /the token is \*\*\*/);
  assert.match(said, /refused: \*\*\*/);
  assert.match(said, /"ours":\[\]/);
  // A version that is built with it prints it into the build's log.
  write(folder, { "more.txt": "more" });
  const built = await deployer.cli(folder, ["deploy"]);
  assert.match(built.stderr, /loading with \*\*\*/);
  // So does the server, into its own log.
  assert.ok(printed.some((line) => line === "loading with ***"));

  const list = await deployer.cli(folder, ["env", "list"]);
  assert.match(list.stdout, /TOKEN +•+ +production/);
  const answers = [printed.join("\n"), said, set.stdout, set.stderr, built.stderr, built.stdout, list.stdout];
  for (const path of ["variables", "versions"]) {
    const answer = await fetch(`${deployer.server.url}/v1/deployments/${deployment_id}/${path}`, {
      headers: { authorization: `Bearer ${deployer.server.apiKey}` },
    });
    answers.push(await answer.text());
  }
  const forms = [secret, JSON.stringify(secret).slice(1, -1), other].map((form) => Buffer.from(form));
  for (const text of answers) for (const form of forms) assert.ok(!text.includes(form.toString()), text);
  const files = readdirSync(deployer.folder, { recursive: true, encoding: "utf8" })
    .map((name) => join(deployer.folder, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
  assert.ok(files.length > 3);
  for (const path of files)
    for (const form of forms) assert.ok(!readFileSync(path).includes(form), `${path} holds the secret`);

  assert.equal((await deployer.cli(folder, ["env", "unset", "TOKEN"])).code, 0);
  const without = await deployer.client.createStatelessRun({ deployment_id, input: {} });
  await until(
    "the run is over",
    async () => (await deployer.client.getRun(without.run_id)).completed_at !== null,
  );
  assert.equal(((await deployer.client.getRun(without.run_id)).output as { hash: null }).hash, null);
});

test("without CREWSHIP_SECRET_KEY a server with a database of its own makes a key only its owner can read, and keeps it", async (t) => {
  const deployer = await startDeployer(t, { environment: { CREWSHIP_SECRET_KEY: "" } });
  const folder = newProject(t, {
    ...project("sealed", ""),
    "agent.ts": "export function agent() { return { said: process.env.WORD }; }\n",
  });
  await deploy(deployer, folder);
  const path = join(deployer.folder, "data/secret.key");
  const set = await deployer.cli(folder, ["env", "set", "WORD=kept"]);
  if (onPostgres) {
    assert.match(set.stderr, /set CREWSHIP_SECRET_KEY/);
    assert.ok(!existsSync(path));
    return;
  }
  assert.equal(set.code, 0, set.stderr);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const key = readFileSync(path);
  assert.equal((await ask(deployer, folder)).output.said, "kept");
  await deployer.cli(folder, ["env", "set", "OTHER=more"]);
  assert.deepEqual(readFileSync(path), key);
});

test("variables come from a file, all or none, and a name that cannot be one changes nothing", async (t) => {
  const deployer = await startDeployer(t);
  const folder = newProject(t, { ...project("set", ""), ".env": "ONE=1\nTWO='two words'\n" });
  const { deployment_id } = await deploy(deployer, folder);
  assert.equal((await deployer.cli(folder, ["env", "set", "--from-file", ".env"])).code, 0);
  const names = async () =>
    (await deployer.client.listVariables(deployment_id)).variables.map(({ name }) => name);
  assert.deepEqual(await names(), ["ONE", "TWO"]);
  for (const pair of ["2FAST=1", "CREWSHIP_API_KEY=1", "A-B=1"]) {
    const refused = await deployer.cli(folder, ["env", "set", "GOOD=1", pair]);
    assert.equal(refused.code, 1, pair);
  }
  assert.equal((await deployer.cli(folder, ["env", "unset", "THREE"])).code, 2);
  assert.equal((await deployer.cli(folder, ["env", "set"])).code, 2);
  assert.deepEqual(await names(), ["ONE", "TWO"]);
});

test("what is wrong with a project is said before anything changes", async (t) => {
  const deployer = await startDeployer(t);
  const good = project("taken", "mine");
  const cases: [string, Record<string, string>, RegExp][] = [
    [
      "an unknown key",
      { "crewship.toml": `${manifest("x")}entrypiont = "y"\n` },
      /Did you mean entrypoint\?/,
    ],
    [
      "both forms",
      {
        "crewship.toml": `${manifest("x")}\n[deployments.y]\nframework = "function"\nentrypoint = "./agent.ts:agent"\n`,
      },
      /on line 1 and .* on line \d+ exclude each other/,
    ],
    [
      "a missing entrypoint",
      { "crewship.toml": manifest("x").replace("agent.ts", "gone.ts") },
      /gone\.ts does not exist/,
    ],
    [
      "a name with odd characters",
      { "crewship.toml": manifest("../x") },
      /crewship\.toml:2: deployment\.name: a name holds letters/,
    ],
    ["no crewship.toml", {}, /There is no .*crewship\.toml/],
  ];
  for (const [what, files, sentence] of cases) {
    const { "crewship.toml": _, ...rest } = good;
    const said = await deployer.cli(newProject(t, { ...rest, ...files }), ["deploy"]);
    assert.equal(said.code, 2, `${what}: ${said.stderr}`);
    assert.match(said.stderr, sentence, what);
  }
  assert.deepEqual((await deployer.client.listDeployments()).deployments, []);

  const { deployment_id } = await deploy(deployer, newProject(t, good));
  const elsewhere = newProject(t, project("taken", "theirs"));
  const taken = await deployer.cli(elsewhere, ["deploy"]);
  assert.equal(taken.code, 2);
  assert.match(taken.stderr, new RegExp(`deployment called taken \\(${deployment_id}\\).*--deployment`));
  assert.equal((await deployer.client.listVersions(deployment_id)).versions.length, 1);
  assert.equal((await deploy(deployer, elsewhere, "--deployment", deployment_id)).number, 2);
  // From now on the folder remembers.
  assert.match((await deployer.cli(elsewhere, ["deploy"])).stderr, /Nothing has changed/);
});

/** What is sent as a version's source: only what is source is packed, and whatever else arrives is refused and changes nothing. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { test } from "node:test";
import { createGzip, gzipSync } from "node:zlib";
import * as tar from "tar-stream";
import { packArchive, unpackArchive } from "../src/deploy/archive.ts";
import { sourceFiles } from "../src/deploy/source_files.ts";
import { MAX_ARCHIVE_BYTES, MAX_SOURCE_BYTES, MAX_SOURCE_FILES } from "../src/deploy/source_rules.ts";
import { newProject, startDeployer, write } from "./fixtures/deployer.ts";

const toml = `[deployment]\nname = "a"\nframework = "function"\nentrypoint = "./agent.ts:agent"\n`;

test("what is packed is what .gitignore and [build] exclude leave, never .env, and the same bytes each time", async (t) => {
  const folder = newProject(t, {
    "repo/.gitignore": "*.log\nsecret/\n",
    "repo/app/.gitignore": "tmp/\n!kept.log\n",
    "repo/app/crewship.toml": toml,
    "repo/app/agent.ts": "export function agent() {}\n",
    "repo/app/.env": "KEY=1",
    "repo/app/.env.production": "KEY=1",
    "repo/app/.env.example": "KEY=",
    "repo/app/deep/.env": "KEY=1",
    "repo/app/a.log": "",
    "repo/app/kept.log": "",
    "repo/app/tmp/x": "",
    "repo/app/secret/key": "",
    "repo/app/docs/manual.md": "",
    "repo/app/node_modules/left/index.js": "",
    "repo/app/.crewship/project.json": "{}",
    "repo/app/own/pyvenv.cfg": "",
    "repo/app/own/bin/python": "",
    "repo/app/run.sh": "#!/bin/sh\n",
  });
  execFileSync("git", ["init", "-q", join(folder, "repo")]);
  const app = join(folder, "repo/app");
  execFileSync("chmod", ["755", join(app, "run.sh")]);
  symlinkSync("agent.ts", join(app, "link.ts"));
  const files = await sourceFiles(app, ["docs/"]);
  const names = [".env.example", ".gitignore", "agent.ts", "crewship.toml", "kept.log", "link.ts", "run.sh"];
  assert.deepEqual(
    files.map(({ path }) => path),
    names,
  );
  const bytes = async () => Buffer.concat(await Array.fromAsync(packArchive(app, files)));
  const packed = await bytes();
  execFileSync("touch", ["-d", "2001-01-01", join(app, "agent.ts")]);
  assert.deepEqual(await bytes(), packed);

  const out = newProject(t, {});
  const digest = await unpackArchive(Readable.from([packed]), out);
  assert.deepEqual(readdirSync(out).sort(), names);
  assert.equal(readlinkSync(join(out, "link.ts")), "agent.ts");
  assert.ok(statSync(join(out, "run.sh")).mode & 0o100);
  write(app, { "agent.ts": "export function agent() { return 1; }\n" });
  const changed = await unpackArchive(packArchive(app, await sourceFiles(app, ["docs/"])), newProject(t, {}));
  assert.notEqual(changed, digest);
});

test("a link out of the project, and a name that is no text, are said with what to do", async (t) => {
  const folder = newProject(t, { "agent.ts": "" });
  symlinkSync("/etc/passwd", join(folder, "users"));
  await assert.rejects(sourceFiles(folder, []), /users is a link to \/etc\/passwd, which lies outside/);
  rmSync(join(folder, "users"));
  write(folder, { "line\nbreak": "" });
  await assert.rejects(sourceFiles(folder, []), /control character/);
});

type Entry = Partial<tar.Headers> & { name: string; text?: string };

async function archiveOf(entries: Entry[]): Promise<Buffer> {
  const pack = tar.pack();
  for (const { text = "", ...header } of entries) pack.entry(header, text);
  pack.finalize();
  return gzipSync(Buffer.concat(await Array.fromAsync(pack as AsyncIterable<Buffer>)));
}

const good: Entry[] = [
  { name: "crewship.toml", text: toml },
  { name: "agent.ts", text: "export function agent() {}\n" },
];
const bad: [string, Entry[] | Buffer, RegExp][] = [
  ["a path with ..", [{ name: "../escaped", text: "x" }], /no path inside the project/],
  ["a .. in the middle", [{ name: "a/../../escaped", text: "x" }], /no path inside the project/],
  ["an absolute path", [{ name: "/tmp/crewship-escaped", text: "x" }], /no path inside the project/],
  ["a link out of the tree", [{ name: "out", type: "symlink", linkname: "../../../etc" }], /lies outside/],
  ["an absolute link", [{ name: "out", type: "symlink", linkname: "/etc/passwd" }], /lies outside/],
  [
    "a link that another one leads out of the tree",
    [
      { name: "s/t/up", type: "symlink", linkname: "../.." },
      { name: "s/t/out", type: "symlink", linkname: "up/../q" },
    ],
    /lies outside/,
  ],
  [
    "a file behind a link",
    [
      { name: "dir", type: "symlink", linkname: "agent.ts" },
      { name: "dir/file", text: "x" },
    ],
    /is a file and a folder/,
  ],
  [
    "a hard link",
    [{ name: "hard", type: "link", linkname: "agent.ts" }],
    /is a link\. An archive holds files/,
  ],
  ["a device", [{ name: "dev", type: "character-device" }], /character-device/],
  ["a pipe", [{ name: "pipe", type: "fifo" }], /fifo/],
  ["the same file twice", [{ name: "agent.ts", text: "y" }], /more than once/],
  ["a folder where a file is", [{ name: "agent.ts/x", text: "y" }], /is a file and a folder/],
  ["a control character in a name", [{ name: "a\u0007b", text: "x" }], /control character/],
  ["a backslash in a name", [{ name: "a\\b", text: "x" }], /backslash/],
  ["a name that is too long", [{ name: `${"n".repeat(300)}`, text: "x" }], /longer than/],
  ["what is no archive", Buffer.from("hello"), /cannot be read/],
  ["half an archive", gzipSync(Buffer.alloc(4000, "x")).subarray(0, 20), /cannot be read/],
  ["a gzip of something else", gzipSync(Buffer.alloc(4000, "x")), /cannot be read/],
];

test("an archive that holds what no source does is a 400, and nothing of it stays", async (t) => {
  const deployer = await startDeployer(t);
  const { client, server, folder } = deployer;
  const { deployment_id } = await client.createDeployment({ name: "a", framework: "function" });
  const send = async (body: Uint8Array) => {
    const answer = await fetch(`${server.url}/v1/deployments/${deployment_id}/versions`, {
      method: "POST",
      headers: { authorization: `Bearer ${server.apiKey}`, "content-type": "application/gzip" },
      body,
    });
    return { status: answer.status, text: await answer.text() };
  };
  for (const [what, entries, sentence] of bad) {
    const body = Buffer.isBuffer(entries) ? entries : await archiveOf([...good, ...entries]);
    const { status, text } = await send(body);
    assert.equal(status, 400, `${what}: ${text}`);
    assert.match(text, sentence, what);
  }
  for (const [what, entries, sentence] of [
    ["no crewship.toml", good.slice(1), /There is no .*crewship\.toml/],
    ["no entrypoint file", good.slice(0, 1), /agent\.ts does not exist/],
  ] as const) {
    const { status, text } = await send(await archiveOf([...entries]));
    assert.equal(status, 400, what);
    assert.match(text, sentence, what);
    assert.ok(!text.includes(folder), `${what}: the server's own paths are nobody's business: ${text}`);
  }
  for (const [type, body] of [
    ["application/json", "{}"],
    ["application/json", ""],
    ["text/plain", "x"],
  ] as const) {
    const answer = await fetch(`${server.url}/v1/deployments/${deployment_id}/versions`, {
      method: "POST",
      headers: { authorization: `Bearer ${server.apiKey}`, "content-type": type },
      body,
    });
    assert.equal(answer.status, 400, `${type}: ${await answer.text()}`);
  }
  const thread = await fetch(`${server.url}/v1/threads`, {
    method: "POST",
    headers: { authorization: `Bearer ${server.apiKey}`, "content-type": "application/gzip" },
    body: await archiveOf(good),
  });
  assert.equal(thread.status, 400);
  for (const path of ["versions", "variables"]) {
    const gone = await fetch(`${server.url}/v1/deployments/dep_none/${path}`, {
      headers: { authorization: `Bearer ${server.apiKey}` },
    });
    assert.equal(gone.status, 404, path);
  }
  assert.deepEqual((await client.listVersions(deployment_id)).versions, []);
  assert.deepEqual(readdirSync(join(folder, "data/uploads")), []);
  assert.ok(!existsSync("/tmp/crewship-escaped"));
  assert.equal((await send(await archiveOf(good))).status, 202);
});

test("an archive that grows beyond all bounds when it is unpacked is refused before it does", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "crewship-bomb-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const bomb = join(folder, "bomb.tar.gz");
  const pack = tar.pack();
  const size = MAX_SOURCE_BYTES + 1;
  const entry = pack.entry({ name: "zeros", size });
  const zeros = async function* () {
    for (let left = size; left > 0; left -= 1024 * 1024) yield Buffer.alloc(Math.min(left, 1024 * 1024));
  };
  const filling = pipeline(Readable.from(zeros()), entry).then(() => pack.finalize());
  await Promise.all([filling, pipeline(pack, createGzip(), createWriteStream(bomb))]);
  assert.ok(statSync(bomb).size < 1024 * 1024);
  const out = join(folder, "out");
  mkdirSync(out);
  await assert.rejects(unpackArchive(createReadStream(bomb), out), /too large: over/);
  // Its header says how large it is: nothing of it was written.
  assert.deepEqual(readdirSync(out), []);

  const many = tar.pack();
  for (let n = 0; n <= MAX_SOURCE_FILES; n++) many.entry({ name: `f${n}` }, "");
  many.finalize();
  await assert.rejects(unpackArchive(many.pipe(createGzip()), out), /too large: over/);
});

test("an upload larger than an archive may be is a 413 before it has all arrived", async (t) => {
  const deployer = await startDeployer(t);
  const { client, server } = deployer;
  const { deployment_id } = await client.createDeployment({ name: "a", framework: "function" });
  let sent = 0;
  const endless = async function* () {
    for (; sent < 2 * MAX_ARCHIVE_BYTES; sent += 1024 * 1024) yield Buffer.alloc(1024 * 1024);
  };
  const answer = await fetch(`${server.url}/v1/deployments/${deployment_id}/versions`, {
    method: "POST",
    headers: { authorization: `Bearer ${server.apiKey}`, "content-type": "application/gzip" },
    body: Readable.toWeb(Readable.from(endless(), { objectMode: false })) as ReadableStream<Uint8Array>,
    duplex: "half",
  }).catch((error: Error) => error);
  if (!(answer instanceof Error)) assert.equal(answer.status, 413);
  assert.ok(sent < 2 * MAX_ARCHIVE_BYTES);
  assert.deepEqual(readdirSync(join(deployer.folder, "data/uploads")), []);
  assert.equal((await client.listVersions(deployment_id)).versions.length, 0);
});

test("what git ignores is remembered for the folder alone: .crewship holds a .gitignore of its own", async (t) => {
  const deployer = await startDeployer(t);
  const folder = newProject(t, {
    "crewship.toml": toml,
    "package.json": `{"type":"module"}`,
    "agent.ts": "export function agent() { return 1; }\n",
  });
  assert.equal((await deployer.cli(folder, ["deploy"])).code, 0);
  assert.equal(readFileSync(join(folder, ".crewship/.gitignore"), "utf8"), "*\n");
});

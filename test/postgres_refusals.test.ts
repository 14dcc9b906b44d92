/** A PostgreSQL that cannot be used: `crewship serve` ends with 2 and a sentence that says what to do, and changes nothing. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { migrate, SCHEMA_VERSION } from "../src/store/migrate.ts";
import { openPostgres } from "./fixtures/fresh_postgres.ts";
import { Cluster } from "./fixtures/postgres.ts";

const cli = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url));
const SECRET = "pa55-that-nobody-may-see";
const folder = mkdtempSync(join(tmpdir(), "crewship-refusals-"));
let cluster: Cluster;
before(async () => {
  cluster = await Cluster.start();
});
after(async () => {
  await cluster.remove();
  rmSync(folder, { recursive: true });
});

/** Starts `crewship serve`, which must refuse within 20 s. */
async function refused(url: string, message: RegExp, ...flags: string[]): Promise<void> {
  const args = [
    cli,
    "serve",
    "--data",
    join(folder, "data"),
    "--port",
    "0",
    "--log-level",
    "error",
    ...flags,
  ];
  const env = { ...process.env, XDG_CONFIG_HOME: folder, CREWSHIP_DATABASE_URL: url };
  const { code, stdout, stderr } = await new Promise<{
    code: number | null;
    stdout: string;
    stderr: string;
  }>((resolve) => {
    const child = execFile(process.execPath, args, { env, timeout: 20_000 }, (_, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr }),
    );
  });
  assert.match(stderr, message);
  assert.equal(code, 2, stderr);
  assert.equal(stdout, "");
  assert.ok(!stderr.includes(SECRET), "the password is shown");
}

function withUser(url: string, user: string, password: string): string {
  return Object.assign(new URL(url), { username: user, password }).href;
}

test("an address where nothing answers", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  const url = `postgres://crewship:${SECRET}@127.0.0.1:${port}/crewship`;
  await refused(
    url,
    new RegExp(`PostgreSQL at 127.0.0.1:${port} cannot be used: .*ECONNREFUSED.*Check --database-url`),
  );
});

test("a host that does not exist", () =>
  refused(
    `postgres://crewship:${SECRET}@no-such-host.invalid/crewship`,
    /PostgreSQL at no-such-host\.invalid cannot be used: .*no-such-host\.invalid.*Check --database-url/,
  ));

test("an address that is none, whose password is not repeated", () =>
  refused(`mysql://crewship:${SECRET}@db/crewship`, /--database-url takes an address such as postgres:/));

test("a wrong password", async () => {
  const url = await cluster.createDatabase();
  await cluster.requirePassword("careful", "right");
  await refused(withUser(url, "careful", SECRET), /refuses this user or password\. Check --database-url/);
});

test("a database that does not exist", () =>
  refused(cluster.url("no_such_database"), /no such database\. Create it, or check --database-url/));

test("a user who may not create tables", async () => {
  const url = await cluster.createDatabase();
  await cluster.run("create role guest login");
  // Before version 15 everybody might.
  await cluster.run("revoke create on schema public from public", new URL(url).pathname.slice(1));
  await refused(
    withUser(url, "guest", SECRET),
    /may not do that: it needs the right to create and use tables/,
  );
});

test("a database that is read-only", async () => {
  const url = await cluster.createDatabase();
  const name = new URL(url).pathname.slice(1);
  await cluster.run(`alter database ${name} set default_transaction_read_only = on`);
  await refused(url, /is read-only, a standby perhaps\. Connect to the primary/);
});

test("a database that has no connection left", async () => {
  const url = await cluster.createDatabase();
  await cluster.run("create role crowd login connection limit 0");
  await refused(withUser(url, "crowd", SECRET), /has no connection left\. Lower --database-pool/);
});

test("a schema that a newer crewship has made, which stays as it is", async () => {
  const url = await cluster.createDatabase();
  const name = new URL(url).pathname.slice(1);
  const database = await openPostgres(url);
  await migrate(database);
  await database.close();
  await cluster.run(`insert into schema_version values (${SCHEMA_VERSION + 1})`, name);
  const before = await cluster.run("select * from nodes", name);
  await refused(
    url,
    new RegExp(
      `has schema ${SCHEMA_VERSION + 1}, and this crewship knows ${SCHEMA_VERSION}\\. Upgrade crewship`,
    ),
  );
  assert.deepEqual(await cluster.run("select * from nodes", name), before);
});

test("a port that is taken, and the process ends though it had connections", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  try {
    await refused(
      await cluster.createDatabase(),
      /is taken\. Choose another with --port/,
      "--port",
      String(port),
    );
  } finally {
    server.close();
  }
});

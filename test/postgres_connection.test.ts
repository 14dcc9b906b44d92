/** How a node reaches PostgreSQL: over TLS as the address says, with as many connections and as much patience as it is told. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Problem } from "../src/core/problem.ts";
import { PostgresDatabase } from "../src/store/postgres.ts";
import { raw } from "../src/store/sql.ts";
import { Cluster } from "./fixtures/postgres.ts";

let cluster: Cluster;
let folder: string;
let database: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "crewship-tls-"));
  chmodSync(folder, 0o755);
  const [key, certificate] = [join(folder, "server.key"), join(folder, "server.crt")];
  const name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const files = ["-keyout", key, "-out", certificate];
  execFileSync(
    "openssl",
    ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...name, ...files],
    {
      stdio: "pipe",
    },
  );
  chmodSync(key, 0o600);
  if (process.getuid?.() === 0) execFileSync("chown", ["65534", key]);
  cluster = await Cluster.start({
    settings: ["ssl=on", `ssl_key_file=${key}`, `ssl_cert_file=${certificate}`, "max_connections=50"],
  });
  database = await cluster.createDatabase();
});
after(async () => {
  await cluster.remove();
  rmSync(folder, { recursive: true, force: true });
});

async function withDatabase(
  query: string,
  body: (opened: PostgresDatabase) => Promise<void>,
  settings: { pool?: number; statementTimeoutMs?: number } = {},
): Promise<void> {
  // The certificate is for the name, and a name is what an address has.
  const url = `${database.replace("127.0.0.1", "localhost")}${query}`;
  const opened = await PostgresDatabase.open({
    url,
    pool: 5,
    statementTimeoutMs: 30_000,
    flushed: true,
    listenUrl: null,
    warn: () => undefined,
    ...settings,
  });
  try {
    await body(opened);
  } finally {
    await opened.close();
  }
}

const overTls = async (opened: PostgresDatabase) =>
  (await opened.query<{ ssl: boolean }>(raw("select ssl from pg_stat_ssl where pid = pg_backend_pid()")))[0]!
    .ssl;

test("the address says whether the connection is over TLS, and whom it must be to", async () => {
  const trusted = `sslmode=verify-full&sslrootcert=${join(folder, "server.crt")}`;
  await withDatabase(`?${trusted}`, async (opened) => assert.equal(await overTls(opened), true));
  await withDatabase("?sslmode=no-verify", async (opened) => assert.equal(await overTls(opened), true));
  await withDatabase("", async (opened) => assert.equal(await overTls(opened), false));
  // Nobody who is known here has signed it.
  await assert.rejects(
    withDatabase("?sslmode=verify-full", async () => {}),
    (error: unknown) => error instanceof Problem && /certificate/i.test(error.message),
  );
});

test("a node has no more connections than its pool, and others wait for one", async () => {
  await withDatabase(
    "",
    async (opened) => {
      const count = "select count(*)::int as n from pg_stat_activity where datname = current_database()";
      const seen = await Promise.all(
        Array.from({ length: 12 }, () =>
          opened.query<{ n: number }>(raw(`${count} and pg_sleep(0.05) is not null`)),
        ),
      );
      // The pool's, and the one that listens.
      for (const [row] of seen) assert.ok(row!.n <= 3, `${row!.n} connections`);
    },
    { pool: 2 },
  );
});

test("a statement that takes longer than it may is a 503, and the connection goes on", async () => {
  await withDatabase(
    "",
    async (opened) => {
      const started = performance.now();
      await assert.rejects(
        opened.query(raw("select pg_sleep(20)")),
        (error: unknown) => error instanceof Problem && error.status === 503,
      );
      assert.ok(performance.now() - started < 5_000);
      assert.equal((await opened.query(raw("select 1 as one"))).length, 1);
    },
    { statementTimeoutMs: 300 },
  );
});

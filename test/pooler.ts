/**
 * Nodes behind a real PgBouncer that hands out a connection for one transaction at a time, by command, since PgBouncer comes
 * from the system: node --test test/pooler.ts. CREWSHIP_TEST_PGBOUNCER names the program.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import pg from "pg";
import { campaign } from "./faults/campaign.ts";
import { check } from "./faults/checker.ts";
import { Random } from "./faults/random.ts";
import { ServerProcess } from "./faults/server.ts";
import { until } from "./faults/until.ts";
import { asNobody, Cluster, freePort } from "./fixtures/postgres.ts";

const PGBOUNCER = process.env.CREWSHIP_TEST_PGBOUNCER ?? "/usr/sbin/pgbouncer";
/** Fewer than the nodes ask for, so that they share. */
const POOL_SIZE = 8;

/** The address of a database as it is seen through a new PgBouncer. */
async function pooled(t: TestContext, cluster: Cluster, database: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "crewship-pgbouncer-"));
  chmodSync(folder, 0o755);
  const port = await freePort();
  const config = join(folder, "pgbouncer.ini");
  writeFileSync(
    config,
    `[databases]
* = user=postgres password=any host=127.0.0.1 port=${cluster.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${POOL_SIZE}
max_client_conn = 500
`,
  );
  const child = spawn(PGBOUNCER, [config], { ...asNobody(), stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    log = (log + text).slice(-4_000);
  });
  t.after(async () => {
    const exit = once(child, "exit");
    if (child.kill("SIGINT")) await exit;
    rmSync(folder, { recursive: true, force: true });
  });
  const url = Object.assign(new URL(database), { port: String(port) }).href;
  const answers = async () => {
    const client = new pg.Client(url);
    client.on("error", () => undefined);
    return client.connect().then(
      () => client.end().then(() => true),
      () => false,
    );
  };
  await until("PgBouncer answers", answers).catch((error: Error) => {
    throw new Error(`${error.message}\n${log}`);
  });
  return url;
}

for (const isHeard of [true, false]) {
  const how = isHeard ? "that listen to the database itself" : "that hear of each other only by looking";
  test(`nodes behind a transaction pooler ${how} answer, execute and start as others do`, async (t) => {
    const cluster = await Cluster.start({ settings: ["max_connections=100"] });
    t.after(() => cluster.remove());
    const database = await cluster.createDatabase();
    const databaseUrl = await pooled(t, cluster, database);
    const flags = isHeard ? ["--database-listen-url", database] : [];
    const start = async () => {
      const server = await ServerProcess.start({
        project: "test/projects/echo-messages",
        databaseUrl,
        flags,
      });
      t.after(() => server.remove());
      return server;
    };
    // At once, so that they migrate at once; and one that finds all done.
    const servers = await Promise.all([start(), start()]);
    servers.push(await start());
    let next = 0;
    const target = {
      client: () => servers[next++ % servers.length]!.client(),
      deployment_id: servers[0]!.deployment_id,
    };
    const options = { clients: 12, turns: 8, limitMs: 60_000, random: new Random(5), cancels: 0.05 };
    const report = await campaign(target, options);
    const { violations } = await check(database, report.acknowledged);
    assert.deepEqual(violations, []);
    assert.equal(report.acknowledged.length, 12 * 8);
    t.diagnostic(`${report.acknowledged.length} turns in ${Math.round(report.durationMs)} ms`);
    const told = servers.some(({ log }) => log.includes("LISTEN does not work over this database address"));
    assert.equal(told, !isHeard);
  });
}

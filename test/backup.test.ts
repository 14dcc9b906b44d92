/** Copies of the embedded database, taken while it is written to, put in place again, and moved to PostgreSQL. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type CampaignReport, campaign } from "./faults/campaign.ts";
import { check } from "./faults/checker.ts";
import { Random } from "./faults/random.ts";
import { ServerProcess } from "./faults/server.ts";
import { until } from "./faults/until.ts";
import { freshPostgresUrl } from "./fixtures/fresh_postgres.ts";

const cli = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url));
const project = "test/projects/echo-messages";
const folder = mkdtempSync(join(tmpdir(), "crewship-backup-"));
const backup = join(folder, "backup.db");
const env: Record<string, string | undefined> = { ...process.env };
let server: ServerProcess;
let report: CampaignReport;
/** What had been acknowledged when the backup was begun. */
let acknowledgedBefore: string[];

type Outcome = { code: number; stdout: string; stderr: string };

function crewship(...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [cli, ...args], { env }, (_, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

async function refused(message: RegExp, ...args: string[]): Promise<void> {
  const { code, stderr } = await crewship(...args);
  assert.equal(code, 2, stderr);
  assert.match(stderr, message);
}

before(async () => {
  server = await ServerProcess.start({ project });
  const acknowledged: string[] = [];
  const limits = { clients: 4, turns: 40, limitMs: 60_000, cancels: 0 };
  const running = campaign(server, {
    ...limits,
    random: new Random(3),
    onTurn: (id) => acknowledged.push(id),
  });
  await until("there is something to copy", () => acknowledged.length > 20);
  acknowledgedBefore = [...acknowledged];
  const copied = await crewship("backup", backup, "--data", server.data, "--json");
  assert.equal(copied.code, 0, copied.stderr);
  report = await running;
  assert.ok(
    report.acknowledged.length > acknowledgedBefore.length,
    "nothing was written while it was copied",
  );
  await server.stop();
});
after(async () => {
  await server.remove();
  rmSync(folder, { recursive: true, force: true });
});

test("a backup taken while runs come and go is whole, and holds all that was acknowledged before", async () => {
  const database = new DatabaseSync(backup, { readOnly: true });
  assert.equal(database.prepare("pragma integrity_check").get()?.integrity_check, "ok");
  assert.deepEqual(database.prepare("pragma foreign_key_check").all(), []);
  const stored = new Set(
    database
      .prepare("select run_id from runs where status = 'succeeded'")
      .all()
      .map(({ run_id }) => run_id),
  );
  database.close();
  for (const run_id of acknowledgedBefore) assert.ok(stored.has(run_id), `${run_id} is not in it`);
  assert.ok(!readdirSync(folder).some((name) => name.endsWith(".part")));
});

test("a restored database goes on where the backup was taken", async () => {
  const data = join(folder, "restored");
  const { code, stderr } = await crewship("restore", backup, "--data", data);
  assert.equal(code, 0, stderr);
  const { thread_id } = report.acknowledged.find(({ run_id }) => run_id === acknowledgedBefore[0])!;
  const restored = await ServerProcess.start({ project, flags: ["--data", data] });
  try {
    const input = { messages: [{ type: "human", id: "after", content: "after" }] };
    const run = await restored.client().waitForRun(thread_id, { input, multitask_strategy: "enqueue" });
    assert.equal(run.status, "succeeded");
    const { values } = await restored.client().getThread(thread_id);
    assert.ok((values!.messages as unknown[]).length > 2, "the thread had more than this turn");
  } finally {
    await restored.remove();
  }
});

test("backup and restore refuse what would overwrite, is not there, or is no backup, and change nothing", async () => {
  const text = join(folder, "text");
  writeFileSync(text, "hello");
  const kept = readFileSync(backup);
  await refused(/exists\. Choose another name/, "backup", backup, "--data", server.data);
  assert.deepEqual(readFileSync(backup), kept);
  await refused(
    /There is no database in/,
    "backup",
    join(folder, "none.db"),
    "--data",
    join(folder, "nowhere"),
  );
  await refused(/There is no folder/, "backup", join(folder, "no/where.db"), "--data", server.data);
  await refused(/There is no file/, "restore", join(folder, "none.db"), "--data", join(folder, "new"));
  await refused(/is not a whole backup/, "restore", text, "--data", join(folder, "new"));
  await refused(/exists\. Choose another --data/, "restore", backup, "--data", server.data);
  env.CREWSHIP_DATABASE_URL = "postgres://x@y/z";
  await refused(/pg_dump/, "backup", join(folder, "none.db"), "--data", server.data);
  delete env.CREWSHIP_DATABASE_URL;
  const newer = join(folder, "newer.db");
  writeFileSync(newer, kept);
  const database = new DatabaseSync(newer);
  database.exec("insert into schema_version values (999)");
  database.close();
  await refused(/has schema 999/, "restore", newer, "--data", join(folder, "new"));
  const damaged = join(folder, "damaged.db");
  writeFileSync(damaged, kept.subarray(0, kept.length / 2));
  await refused(/is not a whole backup/, "restore", damaged, "--data", join(folder, "new"));
  assert.ok(!existsSync(join(folder, "none.db")) && !existsSync(join(folder, "new/crewship.db")));
});

test("all data moves to PostgreSQL, once, and the server goes on there", async () => {
  const url = await freshPostgresUrl();
  const move = ["migrate", "sqlite-to-postgres", "--data", server.data, "--database-url"];
  const { code, stdout, stderr } = await crewship(...move, url, "--json");
  assert.equal(code, 0, stderr);
  assert.equal(JSON.parse(stdout).runs, report.acknowledged.length);
  assert.deepEqual((await check(url, report.acknowledged)).violations, []);
  await refused(/is in use/, ...move, url);
  await refused(/cannot be used: .*ECONNREFUSED/, ...move, "postgres://x@127.0.0.1:1/x");
  const empty = join(folder, "empty");
  mkdirSync(empty);
  await refused(
    /There is no database in/,
    "migrate",
    "sqlite-to-postgres",
    "--data",
    empty,
    "--database-url",
    url,
  );
  const there = await ServerProcess.start({ project, databaseUrl: url });
  try {
    const input = { messages: [{ type: "human", id: "after", content: "after" }] };
    const run = await there.client().waitForRun(report.acknowledged[0]!.thread_id, { input });
    assert.equal(run.status, "succeeded");
  } finally {
    await there.remove();
  }
});

test("a running server's folder is not moved", async () => {
  await server.start();
  const url = await freshPostgresUrl();
  await refused(
    /Another server is using/,
    "migrate",
    "sqlite-to-postgres",
    "--data",
    server.data,
    "--database-url",
    url,
  );
  await server.stop();
});

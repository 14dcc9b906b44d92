/** The checker is only worth what it finds: each guarantee is broken once in a copy of a sound database. */
import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import pg from "pg";
import { onPostgres } from "../fixtures/database.ts";
import { campaign } from "./campaign.ts";
import { type Acknowledged, check } from "./checker.ts";
import { Random } from "./random.ts";
import { ServerProcess } from "./server.ts";

let server: ServerProcess;
let acknowledged: Acknowledged[];

before(async () => {
  server = await ServerProcess.start({ project: "test/projects/echo-messages" });
  const random = new Random(1);
  const limits = { clients: 3, turns: 4, limitMs: 60_000 };
  ({ acknowledged } = await campaign(server, { ...limits, random, cancels: 0 }));
  await server.stop();
});
after(() => server.remove());

test("the checker finds nothing in a sound database", async () => {
  const { violations, endings } = await check(server.database, acknowledged);
  assert.deepEqual(violations, []);
  assert.deepEqual(endings, { succeeded: 12 });
});

/** `run` is one run's condition on rows of runs, `batches` on rows of its events. */
const run = "run_id = (select min(run_id) from runs)";
const thread = "log_id = (select log_id from runs where run_id = (select min(run_id) from runs))";
const batches = `${thread} and run_number = 1`;
/** What the schema asks of a run beside its id and number. */
const others =
  "log_id, thread_id, deployment_id, version_id, environment, status, attempt, lost_processes, lost_nodes, metadata, created_at";
const last = `${batches} and last_seq = (select max(last_seq) from event_batches where ${batches})`;

/** What puts a row of events behind all others, in the order that the checker takes for that of the commits. */
const later = onPostgres ? "created_at = '9'" : "rowid = (select max(rowid) + 1 from event_batches)";

// biome-ignore format: a table
const damages: [name: string, statement: string, finding: RegExp][] = [
  ["an acknowledged run is lost", `delete from runs where ${run}`, /was acknowledged and does not exist/],
  ["a run was stored twice", `insert into runs (run_id, run_number, ${others}) select 'run_twice', 99, ${others} from runs where ${run}`, /run_twice exists and nobody was told/],
  ["a run's input changed", `update run_requests set input = replace(input, 'says', 'said') where ${run}`, /has another input/],
  ["a run has not ended", `update runs set status = 'running' where ${run}`, /is still running/],
  ["a last event is lost", `delete from event_batches where ${last}`, /ended 0 times/],
  ["a run has ended twice", `insert into event_batches select log_id, run_number, last_seq + 1, last_seq + 1, '[{"type":"run.completed","data":{}}]', created_at from event_batches where ${last}`, /ended 2 times/],
  ["an event follows the last one", `insert into event_batches select log_id, run_number, last_seq + 1, last_seq + 1, '[{"type":"log","data":{}}]', created_at from event_batches where ${last}`, /has events after its last one/],
  ["the last event says something else", `update event_batches set events = replace(events, 'run.completed', 'run.failed') where ${last}`, /is succeeded and its last event is run.failed/],
  ["a number is missing", `update event_batches set first_seq = first_seq + 1 where ${last}`, /stand where 2 to/],
  ["a number stands twice", `update event_batches set first_seq = first_seq - 1 where ${last}`, /stand where/],
  ["a thread is busy", `update threads set status = 'busy' where ${thread}`, /is busy and should be idle/],
  ["a lease is left", `insert into leases select log_id, run_id, 'node', 1, null, 9, 0 from runs where ${run}`, /left a lease/],
  ["a message is lost", `update items set body = '"gone"' where ${thread} and last_number = (select min(last_number) from items where ${thread})`, /differs|cannot be read/],
  ["a thread went back to an earlier state", `update logs set head_position = (select min(position) from checkpoints where ${thread} and step = 1) where ${thread}`, /differs/],
  ["two runs wrote by turns", `update checkpoints set run_number = 1 where ${thread} and position = (select max(position) from checkpoints where ${thread})`, /wrote again after another run had begun/],
  ["events of two runs are mixed", `update event_batches set ${later} where ${batches} and first_seq = 2`, /wrote again after another run had begun/],
  // PostgreSQL refuses what refers to nothing by itself.
  ...(onPostgres ? [] : [["a row refers to nothing", "delete from versions", /refers to one that is missing|cannot be read/] as [string, string, RegExp]]),
];

for (const [i, [name, statement, finding]] of damages.entries()) {
  test(`the checker finds that ${name}`, async () => {
    const copy = onPostgres
      ? await damagedDatabase(server.database, `damaged_${i}`, statement)
      : damagedFile(server.database, join(server.folder, `damaged-${i}.db`), statement);
    const { violations } = await check(copy, acknowledged);
    assert.ok(
      violations.some((violation) => finding.test(violation)),
      `found only: ${violations.join("; ") || "nothing"}`,
    );
  });
}

function damagedFile(source: string, copy: string, statement: string): string {
  copyFileSync(source, copy);
  const database = new DatabaseSync(copy);
  database.exec("pragma foreign_keys = off");
  const { changes } = database.prepare(statement).run();
  database.close();
  assert.ok(Number(changes) > 0, "the damage did no harm");
  return copy;
}

async function damagedDatabase(source: string, suffix: string, statement: string): Promise<string> {
  const template = new URL(source).pathname.slice(1);
  const name = `${template}_${suffix}`;
  await ask(Object.assign(new URL(source), { pathname: "/postgres" }).href, [
    `create database ${name} template ${template}`,
  ]);
  const copy = Object.assign(new URL(source), { pathname: `/${name}` }).href;
  // As with SQLite's pragma, references are not checked.
  const [, damage] = await ask(copy, ["set session_replication_role = replica", statement]);
  assert.ok(Number(damage?.rowCount) > 0, "the damage did no harm");
  return copy;
}

async function ask(url: string, statements: string[]): Promise<pg.QueryResult[]> {
  const client = new pg.Client(url);
  await client.connect();
  const results: pg.QueryResult[] = [];
  try {
    for (const statement of statements) results.push(await client.query(statement));
  } finally {
    await client.end();
  }
  return results;
}

/** Guarantees 1 to 7 on a server whose clock jumps by hours and days: leases, due times and limits are the database's. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { campaign } from "./campaign.ts";
import { check } from "./checker.ts";
import { Random } from "./random.ts";
import { ServerProcess } from "./server.ts";

const clock = fileURLToPath(new URL("../fixtures/jumping_clock.mjs", import.meta.url));
const seed = Number(process.env.CREWSHIP_FAULTS_SEED ?? 5);

test("a server whose clock jumps by hours and days loses, doubles, times out and takes back no run", async (t) => {
  t.diagnostic(`CREWSHIP_FAULTS_SEED=${seed}`);
  const project = "test/projects/echo-messages";
  const server = await ServerProcess.start({ project, nodeFlags: ["--import", clock] });
  t.after(() => server.remove());
  const report = await campaign(server, {
    clients: 8,
    turns: 10_000,
    limitMs: 10_000,
    random: new Random(seed),
    cancels: 0,
  });
  const runs = await Promise.all(report.acknowledged.map(({ run_id }) => server.client().getRun(run_id)));
  await server.stop();
  const { violations, endings } = await check(server.database, report.acknowledged);
  t.diagnostic(`${report.acknowledged.length} turns`);
  assert.deepEqual(violations, []);
  assert.deepEqual(endings, { succeeded: report.acknowledged.length });
  assert.ok(report.acknowledged.length > 100, "too few turns to have met every jump");
  for (const { id, attempt } of runs) assert.equal(attempt, 1, `${id} was taken back`);
});

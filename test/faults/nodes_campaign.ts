/**
 * Guarantees 1 to 7 on three nodes over PostgreSQL. CREWSHIP_FAULTS_MINUTES=10 makes it the long one,
 * CREWSHIP_FAULTS_SEED repeats the draws of an earlier one.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LEASE_S } from "../../src/core/lease.ts";
import { campaign, persist } from "./campaign.ts";
import { check } from "./checker.ts";
import { DATABASE_CRASHED, Nodes } from "./nodes.ts";
import { Random } from "./random.ts";
import { busyAfterDeath, recoveries } from "./recoveries.ts";
import { lives } from "./server.ts";
import { until } from "./until.ts";

const NODES = 3;
const CLIENTS = 64;
const FAULT_EVERY_MS = 2_000;
/** A thread is busy for no longer than a lease and this after its node died. */
const MOST_BUSY_MS = 1_000 * (LEASE_S + 5);
const { CREWSHIP_FAULTS_MINUTES } = process.env;
const LIMIT_MS = CREWSHIP_FAULTS_MINUTES === undefined ? 40_000 : 60_000 * Number(CREWSHIP_FAULTS_MINUTES);
const seed = Number(process.env.CREWSHIP_FAULTS_SEED ?? 20261126);

test("three nodes over PostgreSQL lose, double or leave open no acknowledged run, whatever befalls them", async (t) => {
  t.diagnostic(
    `${NODES} nodes, ${CLIENTS} clients, ${LIMIT_MS / 1000} s, a fault every ${FAULT_EVERY_MS / 1000} s, CREWSHIP_FAULTS_SEED=${seed}`,
  );
  const nodes = await Nodes.start(NODES, "test/projects/echo-messages");
  t.after(() => nodes.remove());
  const faults = nodes.faults(FAULT_EVERY_MS);
  const report = await campaign(nodes, {
    clients: CLIENTS,
    turns: 100_000,
    limitMs: LIMIT_MS,
    random: new Random(seed),
    cancels: 0.03,
    harm: faults.harm,
  });
  for (const agent of await nodes.agents()) faults.agents.add(agent);
  for (const { run_id } of report.acknowledged) {
    const { completed_at } = await persist(() => nodes.client().getRun(run_id));
    assert.ok(completed_at, `${run_id} has not ended`);
  }
  await nodes.stop();
  await until("every agent process has ended", () => ![...faults.agents].some(lives));

  const { violations, endings } = await check(nodes.database, report.acknowledged);
  t.diagnostic(
    `${report.acknowledged.length} turns in ${Math.round(report.durationMs / 1000)} s: ${told(endings)}`,
  );
  t.diagnostic(`faults: ${told(Object.fromEntries(counts(faults.at.map(({ kind }) => kind))))}`);
  const recovered = await recoveries(nodes.database, faults.at);
  const away = faults.at.filter(({ kind }) => kind === DATABASE_CRASHED);
  const busy = await busyAfterDeath(nodes.database, faults.at, away);
  const worst = busy.toSorted((a, b) => b.ms - a.ms)[0];
  t.diagnostic(`${recovered.length} runs went on after a fault`);
  t.diagnostic(
    `${busy.length} threads were busy when their node died; the worst stayed so for ${((worst?.ms ?? 0) / 1_000).toFixed(1)} s, after ${worst?.after}`,
  );
  assert.deepEqual(violations, []);
  assert.ok(faults.at.length > 0, "nothing was harmed: the campaign was too short");
  assert.ok(worst, "no node died with a run: the campaign was too short");
  assert.ok(worst.ms <= MOST_BUSY_MS, `${worst.run_id} stayed busy for ${worst.ms} ms after ${worst.after}`);
});

function counts(names: string[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const name of names) found.set(name, (found.get(name) ?? 0) + 1);
  return found;
}

function told(numbers: Record<string, number>): string {
  return Object.entries(numbers)
    .map(([name, count]) => `${count} ${name}`)
    .join(", ");
}

/**
 * The campaign against guarantees 1 to 7. CREWSHIP_FAULTS_TURNS=500 makes it the long one, CREWSHIP_FAULTS_SEED
 * repeats the draws of an earlier one (which process dies, and when: not how the machine schedules them).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { campaign, persist } from "./campaign.ts";
import { check } from "./checker.ts";
import { killsOf } from "./kills.ts";
import { Random } from "./random.ts";
import { recoveries } from "./recoveries.ts";
import { lives, ServerProcess } from "./server.ts";
import { until } from "./until.ts";

const CLIENTS = 32;
/** The long campaign has as many turns as it says; the one of every day as many as fit into its time. */
const { CREWSHIP_FAULTS_TURNS } = process.env;
const TURNS = Number(CREWSHIP_FAULTS_TURNS ?? 500);
const LIMIT_MS = CREWSHIP_FAULTS_TURNS === undefined ? 30_000 : 3_600_000;
const seed = Number(process.env.CREWSHIP_FAULTS_SEED ?? 20261122);

for (const [name, project] of [
  ["Node", "test/projects/echo-messages"],
  ["Python", "test/projects/python-echo-messages"],
] as const) {
  test(`no acknowledged run of a LangGraph agent in ${name} is lost, doubled or left open, whatever is killed at any moment`, async (t) => {
    t.diagnostic(
      `${CLIENTS} clients, at most ${TURNS} turns each in ${LIMIT_MS / 1000} s, CREWSHIP_FAULTS_SEED=${seed}`,
    );
    const server = await ServerProcess.start({ project });
    t.after(() => server.remove());
    const random = new Random(seed);
    const kills = killsOf(server);
    const report = await campaign(server, {
      clients: CLIENTS,
      turns: TURNS,
      limitMs: LIMIT_MS,
      random,
      cancels: 0.03,
      harm: kills.harm,
    });
    for (const agent of await server.agents()) kills.agents.add(agent);

    const client = server.client();
    const threads = new Set(report.acknowledged.map(({ thread_id }) => thread_id));
    for (const id of threads) {
      const { status } = await persist(() => client.getThread(id));
      assert.notEqual(status, "busy", `${id} is busy after its last run has ended`);
    }
    for (const { run_id } of report.acknowledged) {
      const { completed_at } = await persist(() => client.getRun(run_id));
      assert.ok(completed_at, `${run_id} has not ended`);
    }
    await server.stop();
    await until("every agent process has ended", () => ![...kills.agents].some(lives));

    const { violations, endings } = await check(server.database, report.acknowledged);
    const recovered = await recoveries(server.database, kills.at);
    const killed = (kind: string) => kills.at.filter((kill) => kill.kind === kind).length;
    t.diagnostic(
      `${report.acknowledged.length} turns in ${seconds(report.durationMs)}: ${Object.entries(endings)
        .map(([ending, count]) => `${count} ${ending}`)
        .join(", ")}`,
    );
    t.diagnostic(`kills: ${killed("server")} of the server, ${killed("agent")} of an agent process`);
    for (const kind of ["server", "agent"] as const) {
      const times = recovered.filter((one) => one.kind === kind).map(({ ms }) => ms);
      const sorted = times.toSorted((a, b) => a - b);
      if (sorted.length > 0)
        t.diagnostic(
          `${sorted.length} runs went on after a kill of the ${kind}: first progress median ${seconds(sorted[sorted.length >> 1]!)}, worst ${seconds(sorted.at(-1)!)}`,
        );
    }
    t.diagnostic(`longest standstill of all clients: ${seconds(report.longestStandstillMs)}`);
    assert.deepEqual(violations, []);
    assert.ok(killed("server") > 0 && killed("agent") > 0, "nothing was killed: the campaign was too short");
    // worker_lost is promised to a run whose three attempts in a row were killed before they got anywhere.
    const failed = Object.keys(endings).filter((ending) => /^failed (?!worker_lost)/.test(ending));
    assert.deepEqual(
      failed,
      [],
      "a run failed because a process was killed, although another could continue it",
    );
  });
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

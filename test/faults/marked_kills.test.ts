/**
 * Guarantees 1 to 7 when node, agent process or database is killed at a marked point: at each commit of a turn in its turn, just
 * before it is made and just after, before anybody heard of it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster } from "../fixtures/postgres.ts";
import { campaign, persist } from "./campaign.ts";
import { check } from "./checker.ts";
import { Random } from "./random.ts";
import { ServerProcess } from "./server.ts";
import { type CommitFate, Tunnel } from "./tunnel.ts";

/** Commits of a turn at which something is killed: to be accepted, once or twice what the agent said, the end. */
const POINTS = 4;
/** Turns for each point: a turn whose agent is quick has a commit less, and the point is then met in the next. */
const TURNS_A_POINT = 3;
const LIMIT_MS = 10 * 60_000;

type Strike = (place: { server: ServerProcess; cluster: Cluster }) => Promise<void>;

const victims: { name: string; fates: CommitFate[]; strike: Strike }[] = [
  {
    name: "the node",
    fates: ["is lost", "is not answered"],
    async strike({ server }) {
      await server.kill();
      await server.start();
    },
  },
  {
    name: "the database",
    fates: ["is lost", "is not answered"],
    async strike({ cluster }) {
      await cluster.crash();
      await cluster.start();
    },
  },
  {
    name: "the agent process",
    fates: ["passes"],
    async strike({ server }) {
      for (const pid of await server.agents()) process.kill(pid, "SIGKILL");
    },
  },
];

for (const { name, fates, strike } of victims) {
  test(`no turn is lost, doubled or left open when ${name} is killed at each of its commits`, async (t) => {
    const cluster = await Cluster.start({ durable: true });
    t.after(() => cluster.remove());
    const database = await cluster.createDatabase();
    const tunnel = await Tunnel.to(cluster.port);
    t.after(() => tunnel.close());
    const server = await ServerProcess.start({
      project: "test/projects/echo-messages",
      databaseUrl: tunnel.through(database),
    });
    t.after(() => server.remove());

    const points = Array.from({ length: POINTS }, (_, n) => fates.map((fate) => ({ n, fate }))).flat();
    const struck: Promise<void>[] = [];
    let armed = false;
    /** The next point: so many commits from now. The first turn only warms up. */
    const arm = () => {
      const point = armed ? undefined : points.shift();
      if (!point) return;
      armed = true;
      let left = point.n;
      tunnel.atCommit = () => {
        if (left-- !== 0) return "passes";
        armed = false;
        struck.push(strike({ server, cluster }));
        return point.fate;
      };
    };
    const marked = points.length;
    const report = await campaign(server, {
      clients: 1,
      turns: marked * TURNS_A_POINT,
      limitMs: LIMIT_MS,
      random: new Random(1),
      cancels: 0,
      onTurn: arm,
    });
    await Promise.all(struck);
    assert.equal(struck.length, marked);
    assert.equal(report.acknowledged.length, marked * TURNS_A_POINT);
    for (const { run_id, thread_id } of report.acknowledged) {
      const { status, error } = await persist(() => server.client().getRun(run_id));
      assert.equal(status, "succeeded", JSON.stringify(error));
      assert.notEqual((await persist(() => server.client().getThread(thread_id))).status, "busy");
    }
    await server.stop();
    assert.deepEqual((await check(database, report.acknowledged)).violations, []);
  });
}

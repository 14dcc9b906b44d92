/** The same crowd on one node over SQLite, and on one, two and four over PostgreSQL: all on this machine's cores. */
import type { ServerProcess } from "../../test/faults/server.ts";
import type { Cluster } from "../../test/fixtures/postgres.ts";
import { flushes } from "../floor.ts";
import { newThread, turn } from "../http.ts";
import { type Case, median, range, spread, timed } from "../measure.ts";
import { processorSeconds } from "../processor.ts";
import { startAgent, startCluster } from "../server.ts";

const CLIENTS = 32;
const ROUNDS = 5;
/** Turns of each client in a round, which begins with new threads. */
const TURNS = 15;
const content = "question ".repeat(45);

const settings = [
  "max_connections=200",
  // Counting costs a little: it is on only in a round whose time nobody looks at.
  "shared_preload_libraries=pg_stat_statements",
];

type Setup = { name: string; servers: ServerProcess[]; database: string | undefined };
type Measured = {
  rates: number[];
  latencies: number[];
  turns: number;
  /** Seconds of processor time. */
  nodes: number;
  agents: number;
  postgres: number;
  clients: number;
  statements: number;
  commits: number;
  walBytes: number;
};

export const nodesCase: Case<"nodes"> = {
  name: "nodes",
  about:
    "the same crowd on one node over SQLite, and on one, two and four over PostgreSQL; what a turn costs each part",
  async run({ say }) {
    const cluster = await startCluster(settings);
    await cluster.run("create extension pg_stat_statements");
    await track(cluster, "none");
    const setups: Setup[] = [
      { name: "SQLite, 1 node", servers: [await startAgent("echo")], database: undefined },
    ];
    for (const count of [1, 2, 4]) {
      const databaseUrl = await cluster.createDatabase();
      const servers: ServerProcess[] = [];
      for (let i = 0; i < count; i++) servers.push(await startAgent("echo", { databaseUrl }));
      setups.push({
        name: `PostgreSQL, ${count} node${count > 1 ? "s" : ""}`,
        servers,
        database: databaseUrl,
      });
    }
    const measured = new Map<Setup, Measured>();
    for (const setup of setups) {
      await crowd(setup, () => undefined);
      const statements = await countStatements(cluster, () => crowd(setup, () => undefined));
      const empty = { turns: 0, nodes: 0, agents: 0, postgres: 0, clients: 0, commits: 0, walBytes: 0 };
      measured.set(setup, { rates: [], latencies: [], statements, ...empty });
    }
    for (let round = 0; round < ROUNDS; round++) {
      say(`round ${round + 1} of ${ROUNDS}`);
      for (const [setup, sums] of measured) await measure(cluster, setup, sums);
    }
    const flushMs = median(flushes(cluster.folder));
    const all = [...measured];
    const [sqlite, one, two, four] = all.map(([, { rates }]) => median(rates)) as [
      number,
      number,
      number,
      number,
    ];
    return {
      tables: [
        {
          title: `nodes: ${CLIENTS} clients, a thread each, ${TURNS} turns a round, POST runs/wait (turns/s; ms as a client sees it)`,
          columns: ["", "turns/s", "least", "most", "p50", "p99", "samples"],
          rows: all.map(([{ name }, { rates, latencies }]) => [
            name,
            ...range(rates).slice(0, 3),
            ...spread(latencies),
          ]),
          notes: ["clients, nodes, agents and database share this machine's cores"],
        },
        {
          title: "nodes: what a turn costs",
          columns: ["", "client ms", "node ms", "agent ms", "database ms", "statements", "commits", "WAL KB"],
          rows: all.map(([{ name, database }, sums]) => [
            name,
            ...[sums.clients, sums.nodes, sums.agents].map((seconds) => (1000 * seconds) / sums.turns),
            ...(database === undefined
              ? ["", "", "", ""]
              : [
                  (1000 * sums.postgres) / sums.turns,
                  sums.statements / CLIENTS / TURNS,
                  sums.commits / sums.turns,
                  sums.walBytes / 1024 / sums.turns,
                ]),
          ]),
          notes: [
            "ms of processor time, of all processes of the kind together",
            "statements include begin, commit, and what the nodes ask by the clock; commits are those that write",
            `one flush of the disk (fdatasync): ${flushMs.toFixed(2)} ms`,
          ],
        },
      ],
      figures: {
        aegra: { value: two, limit: `SQLite, 1 node: ${Math.round(sqlite)} turns/s` },
        added: {
          value: Math.min(two / one, four / two),
          beside: `1, 2, 4 nodes: ${[one, two, four].map(Math.round).join(", ")} turns/s`,
          limit: "nodes, agents and database share the cores",
        },
      },
    };
  },
};

/** Clients are spread over the nodes, and each turn of a thread goes to the next: no request belongs to a node. */
async function crowd({ servers }: Setup, took: (ms: number) => void): Promise<void> {
  await Promise.all(
    Array.from({ length: CLIENTS }, async (_, client) => {
      const node = (i: number) => servers[(client + i) % servers.length]!;
      const thread = await newThread(node(0));
      for (let i = 0; i < TURNS; i++) took(await timed(() => turn(node(i), thread, content)));
    }),
  );
}

async function measure(cluster: Cluster, setup: Setup, sums: Measured): Promise<void> {
  const before = await counters(cluster, setup);
  const ms = await timed(() => crowd(setup, (took) => sums.latencies.push(took)));
  const after = await counters(cluster, setup);
  sums.rates.push((1000 * CLIENTS * TURNS) / ms);
  sums.turns += CLIENTS * TURNS;
  for (const name of ["clients", "nodes", "agents", "postgres", "commits", "walBytes"] as const)
    sums[name] += after[name] - before[name];
}

async function counters(cluster: Cluster, { servers }: Setup) {
  const agents = (await Promise.all(servers.map((server) => server.agents()))).flat();
  const all = processorSeconds(servers.map(({ pid }) => pid));
  const inAgents = processorSeconds(agents);
  // Each transaction that writes takes the next number.
  const [row] = await cluster.run(`
    select pg_snapshot_xmax(pg_current_snapshot())::text as commits, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') as wal`);
  const { user, system } = process.cpuUsage();
  return {
    clients: (user + system) / 1e6,
    nodes: all - inAgents,
    agents: inAgents,
    postgres: processorSeconds([cluster.pid]),
    commits: Number(row!.commits),
    walBytes: Number(row!.wal),
  };
}

/** Statements of all nodes while `work` is done. */
async function countStatements(cluster: Cluster, work: () => Promise<void>): Promise<number> {
  await cluster.run("select pg_stat_statements_reset()");
  await track(cluster, "top");
  await work();
  await track(cluster, "none");
  const [row] = await cluster.run("select sum(calls) as calls from pg_stat_statements");
  return Number(row!.calls ?? 0);
}

async function track(cluster: Cluster, what: "top" | "none"): Promise<void> {
  await cluster.run(`alter system set pg_stat_statements.track = '${what}'`);
  await cluster.run("select pg_reload_conf()");
}

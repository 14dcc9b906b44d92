/** Several nodes over one PostgreSQL, each behind a tunnel of its own, and everything that may happen to them. */
import { setTimeout as pause } from "node:timers/promises";
import type { CrewshipClient } from "../../src/client/client.ts";
import { LEASE_S } from "../../src/core/lease.ts";
import { Cluster } from "../fixtures/postgres.ts";
import type { Target } from "./campaign.ts";
import type { Held, Kill, Kills } from "./kills.ts";
import type { Random } from "./random.ts";
import { ServerProcess } from "./server.ts";
import { type CommitFate, Tunnel } from "./tunnel.ts";

/** How long a node or the database is away. */
const AWAY_MS = [200, 3_000] as const;
/** How long a node is frozen: longer than its leases last. */
const FROZEN_MS = [1_000 * LEASE_S + 500, 1_000 * LEASE_S + 2_500] as const;

export const DATABASE_CRASHED = "the database crashed";

const MOST_START_MS = 30_000;

type Member = { server: ServerProcess; tunnel: Tunnel; harmed: boolean };

export class Nodes implements Target {
  readonly cluster: Cluster;
  /** The database's own address, past the proxies. */
  readonly database: string;
  readonly #members: Member[] = [];
  #next = 0;

  private constructor(cluster: Cluster, database: string) {
    this.cluster = cluster;
    this.database = database;
  }

  static async start(count: number, project: string): Promise<Nodes> {
    const cluster = await Cluster.start({ durable: true, settings: ["max_connections=200"] });
    const nodes = new Nodes(cluster, await cluster.createDatabase());
    try {
      await Promise.all(Array.from({ length: count }, () => nodes.add(project)));
    } catch (error) {
      await nodes.remove();
      throw error;
    }
    return nodes;
  }

  async add(project: string): Promise<void> {
    const tunnel = await Tunnel.to(this.cluster.port);
    const databaseUrl = tunnel.through(this.database);
    const server = await ServerProcess.start({ project, databaseUrl }).catch((error: unknown) => {
      tunnel.close();
      throw error;
    });
    this.#members.push({ server, tunnel, harmed: false });
  }

  get servers(): ServerProcess[] {
    return this.#members.map(({ server }) => server);
  }
  get deployment_id(): string {
    return this.#members[0]!.server.deployment_id;
  }

  /** Of the nodes in turn, so that a conversation goes from one to the next. */
  client(): CrewshipClient {
    this.#next = (this.#next + 1) % this.#members.length;
    return this.#members[this.#next]!.server.client();
  }

  async agents(): Promise<number[]> {
    return (await Promise.all(this.servers.map((server) => server.agents()))).flat();
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()));
  }

  async remove(): Promise<void> {
    for (const { server, tunnel } of this.#members) {
      await server.remove();
      tunnel.close();
    }
    await this.cluster.remove();
  }

  /** Undefined when the database is away just now. */
  async #held(node_id: string): Promise<Held | undefined> {
    const name = new URL(this.database).pathname.slice(1);
    const text = `select run_id from leases where node_id = '${node_id}' and expires_at is not null`;
    const rows = await this.cluster.run(text, name).catch(() => undefined);
    return rows && { at: Date.now(), runs: rows.map(({ run_id }) => String(run_id)) };
  }

  /** One fault of a random kind about every `everyMs`; one node is always left alone. What was harmed is mended at the end. */
  faults(everyMs: number): Kills {
    const kills: Kills = { at: [], agents: new Set(), harm: (random, _, signal) => harm(random, signal) };
    const harm = async (random: Random, signal: AbortSignal) => {
      const underWay = new Set<Promise<void>>();
      const failures: unknown[] = [];
      while (!signal.aborted) {
        await pause(everyMs * random.between(0.5, 1.5), undefined, { signal }).catch(() => undefined);
        if (signal.aborted) break;
        for (const agent of await this.agents()) kills.agents.add(agent);
        const healthy = this.#members.filter(({ harmed }) => !harmed);
        const member = healthy.length > 1 ? random.pick(healthy) : undefined;
        const kind = random.pick(Object.keys(kinds))!;
        if (!member) continue;
        const kill: Kill = { kind, at: Date.now() };
        kills.at.push(kill);
        member.harmed = true;
        const fault = kinds[kind]!(this, member, random).finally(() => {
          kill.until = Date.now();
          member.harmed = false;
          underWay.delete(fault);
        });
        underWay.add(fault);
        fault.catch((error: unknown) => failures.push(error));
        if (deaths.has(kind)) kill.held = await this.#held(member.server.node_id);
      }
      await Promise.allSettled(underWay);
      if (failures.length > 0) throw failures[0];
    };
    return kills;
  }
}

const fates: CommitFate[] = ["passes", "passes", "passes", "is lost", "is not answered"];
const CUTTING_MS = 1_000;

/** After these a node executes none of its runs any more, and has told nobody. */
const deaths = new Set([
  "a node killed",
  "a node frozen for longer than a lease",
  "the database out of a node's reach",
]);

const kinds: Record<string, (nodes: Nodes, member: Member, random: Random) => Promise<void>> = {
  async "a node killed"(_, { server }, random) {
    await server.kill();
    await pause(random.between(...AWAY_MS));
    await startAgain(server);
  },
  async "an agent killed"(_, { server }, random) {
    const agent = random.pick(await server.agents());
    if (agent !== undefined) process.kill(agent, "SIGKILL");
  },
  async "a node frozen for longer than a lease"(_, { server }, random) {
    server.freeze();
    await pause(random.between(...FROZEN_MS));
    server.thaw();
  },
  async "connections cut"(_, { tunnel }) {
    tunnel.cut();
  },
  async "commits cut"(_, { tunnel }, random) {
    tunnel.atCommit = () => random.pick(fates)!;
    await pause(CUTTING_MS);
    tunnel.atCommit = () => "passes";
  },
  async "the database out of a node's reach"(_, { tunnel }, random) {
    tunnel.refuse();
    await pause(random.between(...AWAY_MS));
    tunnel.mend();
  },
  async [DATABASE_CRASHED]({ cluster }, _, random) {
    await cluster.crash();
    await pause(random.between(...AWAY_MS));
    await cluster.start();
  },
  async "a node stopped and started"(_, { server }) {
    await server.stop();
    await startAgain(server);
  },
};

/** As a service manager does: while the database is away, a start is refused. */
async function startAgain(server: ServerProcess): Promise<void> {
  for (const deadline = Date.now() + MOST_START_MS; ; await pause(AWAY_MS[0])) {
    try {
      return await server.start();
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}

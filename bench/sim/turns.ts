/** What a turn asks of nodes, agents and PostgreSQL, as a process of the simulation. */
import { Disk, Machine, type Process, Simulation } from "./events.ts";

/** What one turn costs: `npm run bench -- nodes` measures it. */
export type Costs = {
  /** Processor time. */
  client_ms: number;
  node_ms: number;
  agent_ms: number;
  database_ms: number;
  /** Each is a round trip between node and database. */
  statements: number;
  /** Commits that wait for a flush. */
  commits: number;
  flush_ms: number;
};

export type Layout = {
  nodes: number;
  /** Cores that everything shares, clients too; null: a core for each node, and more of its own for what it starts. */
  together: number | null;
  /** Of each node. */
  agent_cores: number;
  database_cores: number;
  /** There and back, between node and database. */
  network_ms: number;
  clients: number;
  /** From an answer to the client's next turn. */
  think_ms: number;
};

export type Outcome = {
  turns_per_s: number;
  p50: number;
  p99: number;
  /** Parts of the time in which the database's cores, its log and the nodes worked. */
  database: number;
  log: number;
  node: number;
};

const WARM_MS = 5_000;
const MEASURED_MS = 20_000;
const SEED = 1;

export function simulate(costs: Costs, layout: Layout): Outcome {
  const simulation = new Simulation(SEED);
  const shared = layout.together === null ? undefined : new Machine(simulation, layout.together);
  // A node is one process, whose work is done by one thread; its agents have processes of their own.
  const nodes = Array.from({ length: layout.nodes }, () => ({
    loop: shared ?? new Machine(simulation, 1),
    agents: shared ?? new Machine(simulation, layout.agent_cores),
  }));
  const database = shared ?? new Machine(simulation, layout.database_cores);
  const disk = new Disk(simulation, costs.flush_ms);
  const took: number[] = [];

  function* client(number: number): Process {
    yield simulation.delay(simulation.about(Math.max(1, layout.think_ms)));
    for (let i = 0; ; i++) {
      const began = simulation.now;
      if (shared) yield shared.compute(costs.client_ms);
      yield* turn(nodes[(number + i) % nodes.length]!);
      if (simulation.now > WARM_MS) took.push(simulation.now - began);
      if (layout.think_ms > 0) yield simulation.delay(simulation.about(layout.think_ms));
    }
  }

  /** Commits with statements before each; the agent computes between them. */
  function* turn(node: { loop: Machine; agents: Machine }): Process {
    const commits = Math.max(1, Math.round(costs.commits));
    const statements = Math.max(1, Math.round(costs.statements / commits));
    const steps = commits * statements;
    for (let commit = 0; commit < commits; commit++) {
      for (let i = 0; i < statements; i++) {
        yield node.loop.compute(costs.node_ms / steps);
        if (layout.network_ms > 0) yield simulation.delay(layout.network_ms);
        yield database.compute(costs.database_ms / steps);
      }
      yield disk.flush();
      yield node.agents.compute(costs.agent_ms / commits);
    }
  }

  for (let number = 0; number < layout.clients; number++) simulation.begin(client(number));
  simulation.runUntil(WARM_MS + MEASURED_MS);
  took.sort((a, b) => a - b);
  const at = (part: number) => took[Math.min(took.length - 1, Math.floor(took.length * part))] ?? Number.NaN;
  const whole = WARM_MS + MEASURED_MS;
  const loops = new Set(nodes.map(({ loop }) => loop));
  const worked = [...loops].reduce((sum, { busyMs, cores }) => sum + busyMs / cores, 0) / loops.size;
  return {
    turns_per_s: (1_000 * took.length) / MEASURED_MS,
    p50: at(0.5),
    p99: at(0.99),
    database: database.busyMs / whole / database.cores,
    log: disk.busyMs / whole,
    node: worked / whole,
  };
}

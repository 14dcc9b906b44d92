/**
 * What nodes over one PostgreSQL would do on machines we do not have: `node bench/sim/main.ts [--measured file]`. The costs of
 * a turn come from `npm run bench -- nodes --json file`; what was measured on one machine is simulated first, so that the model
 * shows how far it is off.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { format, type Table } from "../measure.ts";
import { type Costs, type Layout, simulate } from "./turns.ts";

/** Cores of the machine it was measured on. */
const MACHINE_CORES = 2;
const CLIENTS = 32;
/** A node's agents have a core, as the node itself; a network within one data centre. */
const ELSEWHERE = { together: null, agent_cores: 1, network_ms: 0.3, think_ms: 0 } as const;
/** Clients that always have a turn under way: more would only wait longer. */
const CLIENTS_A_NODE = 32;
/** People talk: a turn, then a pause. */
const THINK_MS = 30_000;

const { values } = parseArgs({
  options: {
    measured: { type: "string", default: fileURLToPath(new URL("measured.json", import.meta.url)) },
  },
});
const { results } = JSON.parse(readFileSync(values.measured, "utf8")) as {
  results: { nodes: { tables: Table[] } };
};
const [speed, costs] = results.nodes.tables as [Table, Table];

/** A cell of one of the bench's tables. */
function cell({ columns, rows }: Table, row: string, column: string): number {
  const found = rows.find(([name]) => name === row)?.[columns.indexOf(column)];
  if (typeof found !== "number") throw new Error(`${values.measured} has no ${column} of ${row}.`);
  return found;
}

const name = (nodes: number) => `PostgreSQL, ${nodes} node${nodes > 1 ? "s" : ""}`;
const flush_ms = Number(/fdatasync\): ([\d.]+) ms/.exec(costs.notes.join())?.[1]);
const costOf = (nodes: number): Costs => ({
  client_ms: cell(costs, name(nodes), "client ms"),
  node_ms: cell(costs, name(nodes), "node ms"),
  agent_ms: cell(costs, name(nodes), "agent ms"),
  database_ms: cell(costs, name(nodes), "database ms"),
  statements: cell(costs, name(nodes), "statements"),
  commits: cell(costs, name(nodes), "commits"),
  flush_ms,
});

const percent = (part: number) => `${Math.round(100 * part)} %`;

function calibration(): Table {
  return {
    title: "the machine of the measurement: measured / simulated",
    columns: ["", "turns/s", "", "p50 ms", "", "p99 ms", ""],
    rows: [1, 2, 4].map((nodes) => {
      const layout: Layout = {
        ...ELSEWHERE,
        together: MACHINE_CORES,
        network_ms: 0,
        nodes,
        database_cores: MACHINE_CORES,
        clients: CLIENTS,
      };
      const { turns_per_s, p50, p99 } = simulate(costOf(nodes), layout);
      const measured = (column: string) => cell(speed, name(nodes), column);
      return [name(nodes), measured("turns/s"), turns_per_s, measured("p50"), p50, measured("p99"), p99];
    }),
    notes: ["each with the costs measured for that number of nodes"],
  };
}

function scaling(database_cores: number): Table {
  return {
    title: `nodes with a core each and one for their agents, a database of ${database_cores} cores, ${ELSEWHERE.network_ms} ms between them`,
    columns: ["nodes", "turns/s", "p50 ms", "p99 ms", "nodes busy", "database busy", "log busy"],
    rows: [1, 2, 4, 8, 16, 32].map((nodes) => {
      const layout: Layout = { ...ELSEWHERE, nodes, database_cores, clients: CLIENTS_A_NODE * nodes };
      const { turns_per_s, p50, p99, node, database, log } = simulate(costOf(1), layout);
      return [`${nodes}`, turns_per_s, p50, p99, percent(node), percent(database), percent(log)];
    }),
    notes: [`${CLIENTS_A_NODE} clients a node, each always with a turn under way`],
  };
}

function growth(): Table {
  const people = [100, 1_000, 10_000, 30_000];
  const layouts = [
    { nodes: 1, database_cores: 2 },
    { nodes: 3, database_cores: 4 },
    { nodes: 8, database_cores: 16 },
    { nodes: 24, database_cores: 32 },
  ];
  return {
    title: `people who take a turn every ${THINK_MS / 1000} s on average: p50 / p99 in ms, the database's load`,
    columns: [
      "people",
      ...layouts.map(({ nodes, database_cores }) => `${nodes} nodes, ${database_cores} cores`),
    ],
    rows: people.map((clients) => [
      `${clients}`,
      ...layouts.map((layout) => {
        const { p50, p99, database } = simulate(costOf(1), {
          ...ELSEWHERE,
          ...layout,
          clients,
          think_ms: THINK_MS,
        });
        return `${Math.round(p50)} / ${Math.round(p99)}, ${percent(database)}`;
      }),
    ]),
    notes: [
      "an agent that computes nothing: what a model's answer takes comes on top, and costs no machine of ours",
    ],
  };
}

for (const table of [calibration(), scaling(4), scaling(16), growth()]) console.log(`${format(table)}\n`);

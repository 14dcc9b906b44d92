/** What a turn adds to the disk, from its first to its 2,000th: three shapes of graph, two messages of 400 bytes a turn. */
import { diskBytes } from "../disk.ts";
import { newThread, turn } from "../http.ts";
import type { Case } from "../measure.ts";
import { type Agent, startAgent } from "../server.ts";

const POINTS = [10, 500, 1_000, 2_000];
const shapes: { agent: Agent; name: string; target: number }[] = [
  { agent: "echo", name: "one node", target: 6 },
  { agent: "nested", name: "a subgraph that shares messages", target: 8 },
  { agent: "window", name: "a window of 20 by RemoveMessage", target: 8 },
];
const content = "question ".repeat(45).slice(0, 400);

export const diskCase: Case = {
  name: "disk",
  async run() {
    const rows: (string | number)[][] = [];
    for (const { agent, name, target } of shapes) {
      const server = await startAgent(agent);
      try {
        const thread = await newThread(server);
        const sizes: number[] = [];
        for (let i = 1; i <= POINTS.at(-1)!; i++) {
          await turn(server, thread, content);
          if (POINTS.includes(i)) sizes.push(diskBytes(server));
        }
        const perTurn = POINTS.slice(1).map(
          (point, i) => (sizes[i + 1]! - sizes[i]!) / (point - POINTS[i]!) / 1024,
        );
        const change = (perTurn.at(-1)! / perTurn[0]! - 1) * 100;
        rows.push([name, ...perTurn, `${change.toFixed(1)} %`, target]);
      } finally {
        await server.remove();
      }
    }
    return [
      {
        title: "disk: what a turn adds, the whole database after a truncating WAL checkpoint (KB a turn)",
        columns: [
          "",
          ...POINTS.slice(1).map((point, i) => `${POINTS[i]} to ${point}`),
          "last to first",
          "target",
        ],
        rows,
        notes: ["target of the slope: within 5 %"],
      },
    ];
  },
};

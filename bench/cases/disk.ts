/** What a turn adds to the disk, from its first to its 2,000th: three shapes of graph, two messages of 400 bytes a turn. */
import { diskBytes } from "../disk.ts";
import { newThread, turn } from "../http.ts";
import type { Case } from "../measure.ts";
import { startAgent } from "../server.ts";

/** What is to be kept of a turn at the least. */
const LIMIT = "2 messages of 0.4 KB";
const POINTS = [10, 500, 1_000, 2_000];
const shapes = [
  { agent: "echo", goal: "one_node", name: "one node" },
  { agent: "nested", goal: "subgraph", name: "a subgraph that shares messages" },
  { agent: "window", goal: "window", name: "a window of 20 by RemoveMessage" },
] as const;
const content = "question ".repeat(45).slice(0, 400);

export const diskCase: Case<"disk"> = {
  name: "disk",
  about: `what a turn adds to the disk up to turn ${POINTS.at(-1)}: ${shapes.map(({ name }) => name).join(", ")}`,
  async run({ say }) {
    const rows: (string | number)[][] = [];
    const worst = new Map<string, number>();
    const changes: number[] = [];
    for (const { agent, goal, name } of shapes) {
      say(name);
      const server = await startAgent(agent);
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
      worst.set(goal, Math.max(...perTurn));
      changes.push(Math.abs(change));
      rows.push([name, ...perTurn, `${change.toFixed(1)} %`]);
      await server.remove();
    }
    const figure = (goal: (typeof shapes)[number]["goal"]) => ({ value: worst.get(goal)!, limit: LIMIT });
    return {
      tables: [
        {
          title: "disk: what a turn adds, the whole database after a truncating WAL checkpoint (KB a turn)",
          columns: ["", ...POINTS.slice(1).map((point, i) => `${POINTS[i]} to ${point}`), "last to first"],
          rows,
          notes: [],
        },
      ],
      figures: {
        one_node: figure("one_node"),
        subgraph: figure("subgraph"),
        window: figure("window"),
        slope: { value: Math.max(...changes), limit: "" },
      },
    };
  },
};

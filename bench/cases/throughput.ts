/** How many turns a second a crowd gets: 32 clients, a thread each. */
import { Bare } from "../bare.ts";
import { newThread, turn } from "../http.ts";
import { type Case, median, spread, timed } from "../measure.ts";
import { startEcho } from "../server.ts";

const CLIENTS = 32;
const ROUNDS = 6;
/** Turns of each client in a round, which begins with new threads. */
const TURNS = 20;
const content = "question ".repeat(45);

export const throughputCase: Case = {
  name: "throughput",
  async run() {
    const server = await startEcho();
    const bare = new Bare();
    const latencies: number[] = [];
    const ours = async (keep: boolean) => {
      const threads = await Promise.all(Array.from({ length: CLIENTS }, () => newThread(server)));
      const ms = await timed(() =>
        Promise.all(
          threads.map(async (thread) => {
            for (let i = 0; i < TURNS; i++) {
              const took = await timed(() => turn(server, thread, content));
              if (keep) latencies.push(took);
            }
          }),
        ),
      );
      return (CLIENTS * TURNS * 1000) / ms;
    };
    const theirs = async () => {
      const { ms, chunks } = await bare.ask({ do: "crowd", threads: CLIENTS, turns: TURNS, content });
      return (chunks * 1000) / ms;
    };
    try {
      for (let i = 0; i < 2; i++) {
        await ours(false);
        await theirs();
      }
      const rates = { ours: [] as number[], theirs: [] as number[] };
      for (let round = 0; round < ROUNDS; round++) {
        rates.ours.push(await ours(true));
        rates.theirs.push(await theirs());
      }
      const range = (of: number[]) => [median(of), Math.min(...of), Math.max(...of), of.length];
      const part = median(rates.ours) / median(rates.theirs);
      return [
        {
          title: `throughput: ${CLIENTS} clients, a thread each, ${TURNS} turns a round (turns/s)`,
          columns: ["", "median", "least", "most", "rounds"],
          rows: [
            ["POST runs/wait", ...range(rates.ours)],
            ["bare graph.invoke, MemorySaver, one process", ...range(rates.theirs)],
          ],
          notes: [`ours / bare: ${part.toFixed(2)} (target: at least 0.6)`],
        },
        {
          title: `throughput: a turn as each of the ${CLIENTS} clients sees it (ms)`,
          columns: ["", "p50", "p99", "samples"],
          rows: [["POST runs/wait", ...spread(latencies)]],
          notes: [],
        },
      ];
    } finally {
      await Promise.all([server.remove(), bare.stop()]);
    }
  },
};

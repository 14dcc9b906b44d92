/** How many events a second one stream carries from the agent to a client. */
import { Bare } from "../bare.ts";
import { newThread, stream } from "../http.ts";
import { type Case, median, type Table } from "../measure.ts";
import { startStream } from "../server.ts";

const EVENTS = 20_000;
const ROUNDS = 5;

export const tokensCase: Case = {
  name: "tokens",
  async run() {
    const server = await startStream();
    const bare = new Bare();
    let arrived: number[] = [];
    const ours = async (way: "custom" | "tokens") => {
      const thread = await newThread(server);
      const type = way === "custom" ? '"type":"custom"' : '"type":"message.delta"';
      let count = 0;
      let seq = 0;
      let last = 0;
      const started = performance.now();
      const body = { input: { way, events: EVENTS } };
      await stream(server, `/v1/threads/${thread}/runs/stream`, body, (frame) => {
        const id = /^id: (\d+)/.exec(frame)?.[1];
        if (id === undefined) return;
        if (Number(id) !== ++seq) throw new Error(`event ${id} came where ${seq} was due`);
        if (!frame.includes(type)) return;
        count++;
        last = performance.now() - started;
      });
      arrived.push(count / EVENTS);
      return (count * 1000) / last;
    };
    const theirs = async (way: "custom" | "tokens") => {
      const { ms, chunks } = await bare.ask({ do: "stream", way, events: EVENTS });
      return (chunks * 1000) / ms;
    };
    try {
      const tables: Table[] = [];
      for (const way of ["custom", "tokens"] as const) {
        await ours(way);
        await theirs(way);
        arrived = [];
        const rates = { ours: [] as number[], theirs: [] as number[] };
        for (let round = 0; round < ROUNDS; round++) {
          rates.ours.push(await ours(way));
          rates.theirs.push(await theirs(way));
        }
        const range = (of: number[]) => [median(of), Math.min(...of), Math.max(...of), of.length];
        tables.push({
          title:
            way === "custom"
              ? `tokens: one stream of ${EVENTS} custom events (events/s, POST to last event)`
              : `tokens: one stream of ${EVENTS} tokens of a LangChain model (events/s, POST to last event)`,
          columns: ["", "median", "least", "most", "rounds"],
          rows: [
            ["POST runs/stream", ...range(rates.ours)],
            ["bare graph.stream, MemorySaver, in one process", ...range(rates.theirs)],
          ],
          notes: [
            "target: at least 30000, none lost",
            `events that arrived: ${(Math.min(...arrived) * 100).toFixed(1)} %, numbered without a gap`,
          ],
        });
      }
      return tables;
    } finally {
      await Promise.all([server.remove(), bare.stop()]);
    }
  },
};

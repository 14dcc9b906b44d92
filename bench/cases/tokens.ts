/** How many events a second one stream carries from the agent to a client. */
import { Bare } from "../bare.ts";
import { newThread, numbered, stream } from "../http.ts";
import { type Case, median, range, type Table } from "../measure.ts";
import { startAgent } from "../server.ts";

const EVENTS = 20_000;
const ROUNDS = 5;
const ways = ["custom", "tokens"] as const;
const titles = { custom: "custom events", tokens: "tokens of a LangChain model" };

export const tokensCase: Case<"tokens"> = {
  name: "tokens",
  about:
    "events a second of one stream, from the agent to a client: custom events, and a LangChain model's tokens",
  async run() {
    const [server, bare] = [await startAgent("stream"), await Bare.start()];
    let lost = 0;
    const ours = async (way: "custom" | "tokens") => {
      const thread = await newThread(server);
      const type = way === "custom" ? '"type":"custom"' : '"type":"message.delta"';
      let count = 0;
      let last = 0;
      const started = performance.now();
      const body = { input: { way, events: EVENTS } };
      const seen = numbered((frame) => {
        if (!frame.includes(type)) return;
        count++;
        last = performance.now() - started;
      });
      await stream(server, `/v1/threads/${thread}/runs/stream`, body, seen.frame);
      lost += EVENTS - count + seen.outOfOrder;
      return (count * 1000) / last;
    };
    const theirs = async (way: "custom" | "tokens") => {
      const { ms, chunks } = await bare.ask({ do: "stream", way, events: EVENTS });
      return (chunks * 1000) / ms;
    };
    const rates = { custom: { ours: [], bare: [] }, tokens: { ours: [], bare: [] } } as Record<
      (typeof ways)[number],
      { ours: number[]; bare: number[] }
    >;
    // The first round warms up.
    for (let round = 0; round <= ROUNDS; round++)
      for (const way of ways) {
        const [rate, limit] = [await ours(way), await theirs(way)];
        if (round === 0) continue;
        rates[way].ours.push(rate);
        rates[way].bare.push(limit);
      }
    const figure = (way: (typeof ways)[number]) => ({
      value: median(rates[way].ours),
      limit: `bare ${Math.round(median(rates[way].bare))} /s`,
    });
    return {
      tables: ways.map(
        (way): Table => ({
          title: `tokens: one stream of ${EVENTS} ${titles[way]} (events/s, POST to last event)`,
          columns: ["", "median", "least", "most", "rounds"],
          rows: [
            ["POST runs/stream", ...range(rates[way].ours)],
            ["bare graph.stream, MemorySaver, in one process", ...range(rates[way].bare)],
          ],
          notes: [],
        }),
      ),
      figures: {
        custom: figure("custom"),
        tokens: figure("tokens"),
        lost: { value: lost, beside: `of ${2 * (ROUNDS + 1) * EVENTS}` },
      },
    };
  },
};

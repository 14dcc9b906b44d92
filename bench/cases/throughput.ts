/** How many turns a second a crowd gets: 32 clients, a thread each. */
import { Bare } from "../bare.ts";
import { NO_PEER, overAegra } from "../goals.ts";
import { newThread, turn } from "../http.ts";
import { type Case, median, range, spread, timed } from "../measure.ts";
import { newPeerThread, peerTurn, startPeer } from "../peer.ts";
import { startAgent } from "../server.ts";

const CLIENTS = 32;
/** The peer's best was found at 64 clients. */
const PEER_CLIENTS = [32, 64] as const;
const ROUNDS = 6;
/** Turns of each client in a round, which begins with new threads. */
const TURNS = 20;
const PEER_TURNS = 4;
const content = "question ".repeat(45);

export const throughputCase: Case<"throughput"> = {
  name: "throughput",
  about: "32 clients, a thread each; the peer with 32 and with 64",
  async run({ peer: asked, say }) {
    const [server, bare] = [await startAgent("echo"), await Bare.start()];
    const peer = asked ? await startPeer() : null;
    const latencies: number[] = [];
    const rates = {
      ours: [] as number[],
      bare: [] as number[],
      peer: PEER_CLIENTS.map(() => [] as number[]),
    };
    const round = async () => {
      const ours = () => newThread(server);
      const took = (ms: number) => latencies.push(ms);
      rates.ours.push(await crowd(CLIENTS, TURNS, ours, (thread) => turn(server, thread, content), took));
      const { ms, chunks } = await bare.ask({ do: "crowd", threads: CLIENTS, turns: TURNS, content });
      rates.bare.push((chunks * 1000) / ms);
      if (!peer) return;
      const theirs = (thread: string) => peerTurn(peer, thread, content);
      for (const [i, clients] of PEER_CLIENTS.entries())
        rates.peer[i]!.push(await crowd(clients, PEER_TURNS, () => newPeerThread(peer), theirs));
    };
    for (let i = 0; i < 2; i++) await round();
    for (const list of [latencies, rates.ours, rates.bare, ...rates.peer]) list.length = 0;
    for (let i = 0; i < ROUNDS; i++) {
      say(`round ${i + 1} of ${ROUNDS}`);
      await round();
    }
    const [ours, limit] = [median(rates.ours), median(rates.bare)];
    const best = peer ? Math.max(...rates.peer.map(median)) : 0;
    return {
      tables: [
        {
          title: `throughput: ${CLIENTS} clients, a thread each, ${TURNS} turns a round (turns/s)`,
          columns: ["", "median", "least", "most", "rounds"],
          rows: [
            ["POST runs/wait", ...range(rates.ours)],
            ["bare graph.invoke, MemorySaver, one process", ...range(rates.bare)],
            ...(peer
              ? PEER_CLIENTS.map((clients, i) => [
                  `LangGraph.js's own server, ${clients} clients, ${PEER_TURNS} turns a round`,
                  ...range(rates.peer[i]!),
                ])
              : []),
          ],
          notes: [],
        },
        {
          title: `throughput: a turn as each of the ${CLIENTS} clients sees it (ms)`,
          columns: ["", "p50", "p99", "samples"],
          rows: [["POST runs/wait", ...spread(latencies)]],
          notes: [],
        },
      ],
      figures: {
        bare: {
          value: ours / limit,
          beside: `${Math.round(ours)} turns/s`,
          limit: `bare ${Math.round(limit)} turns/s`,
        },
        peer: peer ? { value: ours / best, beside: `${best.toFixed(1)} turns/s` } : NO_PEER,
        aegra: overAegra.throughput(ours),
      },
    };
  },
};

/** Turns a second of `clients` at once, each with a new thread and `turns` in it. */
async function crowd(
  clients: number,
  turns: number,
  open: () => Promise<string>,
  take: (thread: string) => Promise<unknown>,
  took?: (ms: number) => void,
): Promise<number> {
  const threads = await Promise.all(Array.from({ length: clients }, open));
  const ms = await timed(() =>
    Promise.all(
      threads.map(async (thread) => {
        for (let i = 0; i < turns; i++) {
          const one = await timed(() => take(thread));
          took?.(one);
        }
      }),
    ),
  );
  return (clients * turns * 1000) / ms;
}

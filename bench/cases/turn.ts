/** What one turn costs a single client: a new thread each time, a one-node graph, the run awaited. */
import { Bare } from "../bare.ts";
import { flushes, startFloor } from "../floor.ts";
import { NO_PEER, overAegra } from "../goals.ts";
import { newThread, post, turn } from "../http.ts";
import { type Case, median, spread, timed } from "../measure.ts";
import { newPeerThread, peerTurn, startPeer } from "../peer.ts";
import { startAgent } from "../server.ts";

const WARM_UP = 150;
const ROUNDS = 20;
const TURNS = 25;
/** The peer takes half a second a turn. */
const PEER_WARM_UP = 5;
const PEER_TURNS = 3;
const content = "question ".repeat(45);

export const turnCase: Case<"turn"> = {
  name: "turn",
  about: "one client, a new thread each time: POST runs/wait on a one-node echo graph",
  async run({ peer: asked, say }) {
    const [server, floor, bare] = [await startAgent("echo"), await startFloor(), await Bare.start()];
    const peer = asked ? await startPeer() : null;
    let made = 0;
    const ways = {
      ours: async () => {
        const thread = await newThread(server);
        return timed(() => turn(server, thread, content));
      },
      bare: async () => (await bare.ask({ do: "turn", thread: `t ${++made}`, content })).ms,
      loopback: () => timed(() => post(floor, "/", { input: { messages: [{ type: "human", content }] } })),
      peer: async () => {
        const thread = await newPeerThread(peer!);
        return timed(() => peerTurn(peer!, thread, content));
      },
    };
    const samples = {
      ours: [] as number[],
      bare: [] as number[],
      loopback: [] as number[],
      peer: [] as number[],
    };
    const round = async (turns: number, peerTurns: number, keep: boolean) => {
      for (const way of ["ours", "bare", "loopback", "peer"] as const)
        for (let i = 0; i < (way !== "peer" ? turns : peer ? peerTurns : 0); i++) {
          const took = await ways[way]();
          if (keep) samples[way].push(took);
        }
    };
    await round(WARM_UP, PEER_WARM_UP, false);
    for (let i = 0; i < ROUNDS; i++) {
      say(`round ${i + 1} of ${ROUNDS}`);
      await round(TURNS, PEER_TURNS, true);
    }
    const flushed = flushes(server.folder);
    const [ours, limit] = [median(samples.ours), median(samples.bare)];
    const rate = Math.round(1000 / median(flushed));
    return {
      tables: [
        {
          title: "turn: one client, a new thread each time (ms)",
          columns: ["", "p50", "p99", "samples"],
          rows: [
            ["POST runs/wait", ...spread(samples.ours)],
            ["bare graph.invoke, MemorySaver", ...spread(samples.bare)],
            ["HTTP over loopback, nothing behind it", ...spread(samples.loopback)],
            ["one flush of the disk (fdatasync)", ...spread(flushed)],
            ...(peer ? [["LangGraph.js's own server", ...spread(samples.peer)]] : []),
          ],
          notes: [],
        },
      ],
      figures: {
        over_bare: {
          value: ours - limit,
          beside: `${ours.toFixed(2)} - ${limit.toFixed(2)} ms`,
          limit: `bare ${limit.toFixed(2)} ms, ${rate} flushes/s`,
        },
        peer: peer
          ? { value: median(samples.peer) / ours, beside: `${Math.round(median(samples.peer))} ms` }
          : NO_PEER,
        aegra: overAegra.turn(ours),
      },
    };
  },
};

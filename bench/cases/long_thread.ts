/** One conversation of 1,000 turns, two messages of 400 bytes each: what its turns, its disk and its copies cost. */
import type { ServerProcess } from "../../test/faults/server.ts";
import { Bare } from "../bare.ts";
import { diskBytes } from "../disk.ts";
import { get, newThread, post, turn } from "../http.ts";
import { type Case, median, spread, type Table, timed } from "../measure.ts";
import { newPeerThread, type Peer, peerDiskBytes, peerTurn, startPeer } from "../peer.ts";
import { startAgent } from "../server.ts";

/** Turns at which to look, and how many turns around each make its median. */
const POINTS = [1, 10, 25, 50, 100, 200, 300, 500, 700, 1000];
const AROUND = 10;
/** The peer takes longer with each turn, and keeps all in memory. */
const PEER_LAST = 200;
/** From this turn on ours is to be faster than the bare graph. */
const FASTER_FROM = 100;
/** Turns that each makes before it is the next one's turn. */
const BLOCK = 5;
const FIRST_TURNS = 20;
const PEER_FIRST_TURNS = 5;
const COPIES = 20;
const READS = 50;
const content = "question ".repeat(45).slice(0, 400);

/** Bytes on disk at a turn, before and after what the look itself added. */
type Size = { turn: number; before: number; after: number };
/** One that is measured: ms of each turn of its long thread, of first turns of other threads, and its disk. */
type Measured = {
  name: string;
  last: number;
  times: number[];
  firsts: number[];
  disk: Size[];
  first(): Promise<number>;
  turn(): Promise<number>;
  look?(at: number): Promise<Size>;
};

export const longThreadCase: Case<"long-thread"> = {
  name: "long-thread",
  about: `one thread to ${POINTS.at(-1)} turns of two messages of 400 bytes: time, disk, copies, reads; the peer to ${PEER_LAST}`,
  async run({ peer: asked, say }) {
    const [server, bare] = [await startAgent("echo"), await Bare.start()];
    const peer = asked ? await startPeer() : null;
    const thread = await newThread(server);
    const copies: number[][] = [];
    let made = 0;
    const mine: Measured = {
      ...empty("Crewship Threads", POINTS.at(-1)!),
      first: async () => {
        const fresh = await newThread(server);
        return timed(() => turn(server, fresh, content));
      },
      turn: () => timed(() => turn(server, thread, content)),
      look: async (at) => {
        const before = diskBytes(server);
        copies.push([at, ...(await copied(server, thread))]);
        return { turn: at, before, after: diskBytes(server) };
      },
    };
    const limit: Measured = {
      ...empty("bare graph.invoke, MemorySaver", POINTS.at(-1)!),
      first: async () => (await bare.ask({ do: "turn", thread: `first ${++made}`, content })).ms,
      turn: async () => (await bare.ask({ do: "turn", thread: "long", content })).ms,
    };
    const all = [mine, limit, ...(peer ? [await peerMeasured(peer)] : [])];
    for (let i = 0; i < 3 * FIRST_TURNS; i++)
      for (const one of all) {
        if (one.last === PEER_LAST && i < 3 * FIRST_TURNS - PEER_FIRST_TURNS) continue;
        const took = await one.first();
        if (i >= 2 * FIRST_TURNS) one.firsts.push(took);
      }
    for (let done = 0; done < POINTS.at(-1)! + AROUND; done += BLOCK) {
      if (done % 50 === 0) say(`turn ${done}`);
      for (const one of all)
        for (let i = done + 1; i <= done + BLOCK && i <= one.last + AROUND; i++) {
          one.times.push(await one.turn());
          if (one.look && POINTS.includes(i) && i <= one.last) one.disk.push(await one.look(i));
        }
    }
    const [ours, theirs] = [mine, limit].map(timePoints) as [Points, Points];
    const growth = ours.at(-1)![1] / ours[0]![1];
    const against = ours.flatMap(([at, ms], i) => (at < FASTER_FROM ? [] : ms / theirs[i]![1]));
    const curves = {
      time_ms: all.map((one) => ({ name: one.name, points: timePoints(one) })),
      disk_kb: all
        .filter(({ disk }) => disk.length > 0)
        .map((one) => ({ name: one.name, points: diskPoints(one.disk) })),
    };
    return {
      tables: [
        timeTable(curves.time_ms),
        diskTable(curves.disk_kb),
        {
          title: "long-thread: POST copy (ms)",
          columns: ["turns", "p50", "p99", "samples", "KB answered"],
          rows: copies,
          notes: ["the answer shows the copy's whole state, which is what grows"],
        },
        await readTable(server, thread),
      ],
      figures: {
        growth: { value: growth, limit: `bare ${(theirs.at(-1)![1] / theirs[0]![1]).toFixed(1)} ×` },
        bare: { value: Math.max(...against), limit: `bare ${theirs.at(-1)![1].toFixed(1)} ms at the end` },
      },
      curves,
    };
  },
};

type Points = [turn: number, value: number][];

const empty = (name: string, last: number) => ({ name, last, times: [], firsts: [], disk: [] });

async function peerMeasured(peer: Peer): Promise<Measured> {
  const thread = await newPeerThread(peer);
  return {
    ...empty("LangGraph.js's own server", PEER_LAST),
    first: async () => {
      const fresh = await newPeerThread(peer);
      return timed(() => peerTurn(peer, fresh, content));
    },
    turn: () => timed(() => peerTurn(peer, thread, content)),
    look: async (at) => {
      const bytes = await peerDiskBytes(peer);
      return { turn: at, before: bytes, after: bytes };
    },
  };
}

/** p50, p99, samples, KB answered. */
async function copied(server: ServerProcess, thread: string): Promise<number[]> {
  const took: number[] = [];
  let answered = 0;
  const copy = async () => {
    answered = (await post(server, `/v1/threads/${thread}/copy`, {})).text.length;
  };
  for (let i = 0; i < COPIES; i++) took.push(await timed(copy));
  return [...spread(took), answered / 1024];
}

function timePoints({ times, firsts, last }: Measured): Points {
  return POINTS.filter((at) => at <= last).map((at) => [
    at,
    median(at === 1 ? firsts : times.slice(Math.max(0, at - AROUND - 1), at + AROUND)),
  ]);
}

/** KB a turn between one look and the next, at the turn of the later. */
function diskPoints(disk: Size[]): Points {
  return disk.slice(1).map(({ turn, before }, i) => {
    const from = disk[i]!;
    return [turn, (before - from.after) / (turn - from.turn) / 1024];
  });
}

function timeTable(curves: { name: string; points: Points }[]): Table {
  const [ours, bare] = curves;
  return {
    title: `long-thread: a turn with two messages of 400 bytes (ms, medians of about ${2 * AROUND} turns)`,
    columns: ["turn", ...curves.map(({ name }) => name), "ours / bare"],
    rows: POINTS.map((at, i) => [
      String(at),
      ...curves.map(({ points }) => points[i]?.[1] ?? ""),
      ours!.points[i]![1] / bare!.points[i]![1],
    ]),
    notes: [],
  };
}

function diskTable(curves: { name: string; points: Points }[]): Table {
  return {
    title: "long-thread: disk per turn, all that is stored (KB)",
    columns: ["turns", ...curves.map(({ name }) => name)],
    rows: POINTS.slice(1).map((at, i) => [
      `${POINTS[i]} to ${at}`,
      ...curves.map(({ points }) => points[i]?.[1] ?? ""),
    ]),
    notes: [
      "ours: the database after a truncating WAL checkpoint; the peer's: the files it writes its memory to",
    ],
  };
}

async function readTable(server: ServerProcess, thread: string): Promise<Table> {
  const paths = {
    "GET thread": `/v1/threads/${thread}`,
    "GET state": `/v1/threads/${thread}/state`,
    "GET history, 20 runs": `/v1/threads/${thread}/history`,
    "GET history, 1 run": `/v1/threads/${thread}/history?limit=1`,
  };
  const rows: (string | number)[][] = [];
  for (const [name, path] of Object.entries(paths)) {
    const { text } = await get(server, path);
    const times: number[] = [];
    for (let i = 0; i < READS; i++) times.push(await timed(() => get(server, path)));
    rows.push([name, ...spread(times), text.length / 1024]);
  }
  return {
    title: "long-thread: reads at the end (ms)",
    columns: ["", "p50", "p99", "samples", "KB answered"],
    rows,
    notes: [],
  };
}

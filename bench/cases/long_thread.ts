/** One conversation of 1,000 turns, two messages of 400 bytes each: what its turns, its disk and its copies cost. */
import type { ServerProcess } from "../../test/faults/server.ts";
import { Bare } from "../bare.ts";
import { diskBytes } from "../disk.ts";
import { get, newThread, post, turn } from "../http.ts";
import { type Case, median, spread, type Table, timed } from "../measure.ts";
import { startEcho } from "../server.ts";

/** Turn at which to look, and how many turns around it make its median. */
const POINTS = [1, 10, 100, 300, 1000];
const AROUND = 10;
/** Turns that ours and the bare graph make alternately. */
const BLOCK = 5;
const FIRST_TURNS = 20;
const COPIES = 20;
const READS = 50;
const content = "question ".repeat(45).slice(0, 400);

export const longThreadCase: Case = {
  name: "long-thread",
  async run() {
    const server = await startEcho();
    const bare = new Bare();
    try {
      const ours: number[] = [];
      const theirs: number[] = [];
      const firsts = { ours: [] as number[], theirs: [] as number[] };
      for (let i = 0; i < 3 * FIRST_TURNS; i++) {
        const fresh = await newThread(server);
        const took = await timed(() => turn(server, fresh, content));
        const other = await bare.ask({ do: "turn", thread: `first ${i}`, content });
        if (i < 2 * FIRST_TURNS) continue;
        firsts.ours.push(took);
        firsts.theirs.push(other.ms);
      }
      const thread = await newThread(server);
      const disk: { turn: number; before: number; after: number }[] = [];
      const copies: number[][] = [];
      const look = async (at: number) => {
        const before = diskBytes(server);
        const took: number[] = [];
        let answered = 0;
        const copy = async () => {
          answered = (await post(server, `/v1/threads/${thread}/copy`, {})).text.length;
        };
        for (let i = 0; i < COPIES; i++) took.push(await timed(copy));
        copies.push([at, ...spread(took), answered / 1024]);
        disk.push({ turn: at, before, after: diskBytes(server) });
      };
      for (let done = 0; done < POINTS.at(-1)! + AROUND; done += BLOCK) {
        for (let i = done + 1; i <= done + BLOCK; i++) {
          ours.push(await timed(() => turn(server, thread, content)));
          if (POINTS.includes(i)) await look(i);
        }
        for (let i = 0; i < BLOCK; i++)
          theirs.push((await bare.ask({ do: "turn", thread: "long", content })).ms);
      }
      return [
        timeTable(ours, theirs, firsts),
        diskTable(disk),
        {
          title: "long-thread: POST copy (ms)",
          columns: ["turns", "p50", "p99", "samples", "KB answered"],
          rows: copies,
          notes: [
            "target: at most 5 at 10,000 checkpoints, independent of length",
            "the answer shows the copy's whole state, which is what grows",
          ],
        },
        await readTable(server, thread),
      ];
    } finally {
      await Promise.all([server.remove(), bare.stop()]);
    }
  },
};

function timeTable(ours: number[], theirs: number[], firsts: { ours: number[]; theirs: number[] }): Table {
  const around = (times: number[], at: number) =>
    median(times.slice(Math.max(0, at - AROUND - 1), at + AROUND));
  const rows = POINTS.map((at) => {
    const mine = at === 1 ? median(firsts.ours) : around(ours, at);
    const other = at === 1 ? median(firsts.theirs) : around(theirs, at);
    return [String(at), mine, other, mine / other];
  });
  return {
    title: `long-thread: a turn with two messages of 400 bytes (ms, medians of about ${2 * AROUND} turns)`,
    columns: ["turn", "POST runs/wait", "bare MemorySaver", "ours / bare"],
    rows,
    notes: [
      `turn 1000 / turn 1: ${(Number(rows.at(-1)![1]) / Number(rows[0]![1])).toFixed(2)} (target: at most 1.5); bare: ${(Number(rows.at(-1)![2]) / Number(rows[0]![2])).toFixed(2)}`,
    ],
  };
}

function diskTable(disk: { turn: number; before: number; after: number }[]): Table {
  const rows = disk.slice(1).map(({ turn, before }, i) => {
    const from = disk[i]!;
    return [`${from.turn} to ${turn}`, (before - from.after) / (turn - from.turn)];
  });
  const [early, late] = [rows.at(1)![1] as number, rows.at(-1)![1] as number];
  return {
    title: "long-thread: disk per turn, the whole database after a truncating WAL checkpoint (bytes)",
    columns: ["turns", "bytes a turn"],
    rows,
    notes: [
      `the last span against turns 10 to 100: ${(((late - early) / early) * 100).toFixed(1)} % (target: within 5 %, at most 6 KB)`,
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
    notes: ["target: 2 / 5 / 15 ms, plus 1 ms per 100 KB answered"],
  };
}

/** A thread of 10,000 checkpoints whose state stays 20 KB: what reading and copying it costs. */
import type { ServerProcess } from "../../test/faults/server.ts";
import { diskBytes } from "../disk.ts";
import type { Figure } from "../goals.ts";
import { get, newThread, post, turn } from "../http.ts";
import { type Case, median, spread, type Table, timed } from "../measure.ts";
import { startAgent } from "../server.ts";

/** Three super-steps and the input's checkpoint a turn. */
const CHECKPOINTS_PER_TURN = 4;
const CHECKPOINTS = 10_000;
const SMALL = 100;
const WARM_UP = 50;
const READS = 200;
const COPIES = 1_000;
/** Twenty messages of a thousand characters. */
const content = "question ".repeat(200).slice(0, 1_600);

/** [what it is called in the table, its goal, path]. */
const paths = [
  ["GET thread", "thread", ""],
  ["GET state", "state", "/state"],
  ["GET history, 20 runs", "history", "/history"],
] as const;

export const bigThreadCase: Case<"big-thread"> = {
  name: "big-thread",
  about: `a thread of ${CHECKPOINTS} checkpoints whose state stays 20 KB: reads and copies beside a short one, ${COPIES} copies`,
  async run({ say }) {
    const server = await startAgent("window");
    const small = await newThread(server);
    for (let i = 0; i < SMALL / CHECKPOINTS_PER_TURN; i++) await turn(server, small, content);
    const big = await newThread(server);
    for (let i = 0; i < CHECKPOINTS / CHECKPOINTS_PER_TURN; i++) {
      if (i % 500 === 0) say(`turn ${i} of ${CHECKPOINTS / CHECKPOINTS_PER_TURN}`);
      await turn(server, big, content);
    }
    const read = await reads(server, small, big);
    const copy = await copies(server, small, big);
    return { tables: [read.table, copy.table], figures: { ...read.figures, ...copy.figures } };
  },
};

async function reads(server: ServerProcess, small: string, big: string) {
  const rows: (string | number)[][] = [];
  const figures: Partial<Record<(typeof paths)[number][1], Figure>> = {};
  const growths: number[] = [];
  for (const [name, goal, path] of paths) {
    const times: { small: number[]; big: number[] } = { small: [], big: [] };
    let answered = 0;
    for (let i = 0; i < WARM_UP + READS; i++) {
      const [short, long] = [
        await timed(() => get(server, `/v1/threads/${small}${path}`)),
        await timed(async () => {
          answered = (await get(server, `/v1/threads/${big}${path}`)).text.length;
        }),
      ];
      if (i < WARM_UP) continue;
      times.small.push(short);
      times.big.push(long);
    }
    const [kilobytes, p50] = [answered / 1024, median(times.big)];
    rows.push([name, ...spread(times.big), kilobytes, median(times.small)]);
    growths.push(p50 / median(times.small));
    figures[goal] = {
      value: p50 - kilobytes / 100,
      beside: `${p50.toFixed(2)} ms for ${Math.round(kilobytes)} KB`,
    };
  }
  const table: Table = {
    title: `big-thread: reads of a thread of ${CHECKPOINTS} checkpoints, beside one of ${SMALL} (ms)`,
    columns: ["", "p50", "p99", "samples", "KB answered", `p50 at ${SMALL}`],
    rows,
    notes: [],
  };
  const { thread, state, history } = figures as Required<typeof figures>;
  return { table, figures: { thread, state, history, reads_growth: { value: Math.max(...growths) } } };
}

async function copies(server: ServerProcess, small: string, big: string) {
  const copy = (thread: string) => timed(() => post(server, `/v1/threads/${thread}/copy`, {}));
  const times: { small: number[]; big: number[] } = { small: [], big: [] };
  for (let i = 0; i < WARM_UP + READS; i++) {
    const [short, long] = [await copy(small), await copy(big)];
    if (i < WARM_UP) continue;
    times.small.push(short);
    times.big.push(long);
  }
  const before = diskBytes(server);
  for (let i = 0; i < COPIES; i++) await copy(big);
  const grown = (diskBytes(server) - before) / 1024 / 1024;
  const table: Table = {
    title: "big-thread: POST copy (ms)",
    columns: ["", "p50", "p99", "samples"],
    rows: [
      [`of ${CHECKPOINTS} checkpoints`, ...spread(times.big)],
      [`of ${SMALL} checkpoints`, ...spread(times.small)],
    ],
    notes: [`${COPIES} copies made the database ${grown.toFixed(2)} MB larger`],
  };
  const p50 = median(times.big);
  return {
    table,
    figures: {
      copy: { value: p50 },
      copy_growth: { value: p50 / median(times.small) },
      copies: { value: grown },
    },
  };
}

/** A thread of 10,000 checkpoints whose state stays 20 KB: what reading and copying it costs. */

import { diskBytes } from "../disk.ts";
import { get, newThread, post, turn } from "../http.ts";
import { type Case, median, spread, type Table, timed } from "../measure.ts";
import { startAgent } from "../server.ts";

/** Three super-steps and the input's checkpoint a turn. */
const CHECKPOINTS_PER_TURN = 4;
const CHECKPOINTS = 10_000;
const SMALL = 100;
const READS = 200;
const COPIES = 1_000;
/** Twenty messages of a thousand characters. */
const content = "question ".repeat(200).slice(0, 1_600);

export const bigThreadCase: Case = {
  name: "big-thread",
  async run() {
    const server = await startAgent("window");
    try {
      const small = await newThread(server);
      for (let i = 0; i < SMALL / CHECKPOINTS_PER_TURN; i++) await turn(server, small, content);
      const big = await newThread(server);
      for (let i = 0; i < CHECKPOINTS / CHECKPOINTS_PER_TURN; i++) await turn(server, big, content);
      return [await reads(server, small, big), await copies(server, big)];
    } finally {
      await server.remove();
    }
  },
};

type Server = Awaited<ReturnType<typeof startAgent>>;

async function reads(server: Server, small: string, big: string): Promise<Table> {
  const rows: (string | number)[][] = [];
  for (const [name, path, target] of [
    ["GET thread", "", 2],
    ["GET state", "/state", 5],
    ["GET history, 20 runs", "/history", 15],
  ] as const) {
    const times: { small: number[]; big: number[] } = { small: [], big: [] };
    let answered = 0;
    for (let i = 0; i < READS; i++) {
      times.small.push(await timed(() => get(server, `/v1/threads/${small}${path}`)));
      times.big.push(
        await timed(async () => {
          answered = (await get(server, `/v1/threads/${big}${path}`)).text.length;
        }),
      );
    }
    const kilobytes = answered / 1024;
    rows.push([name, ...spread(times.big), kilobytes, target + kilobytes / 100, median(times.small)]);
  }
  return {
    title: `big-thread: reads of a thread of ${CHECKPOINTS} checkpoints, beside one of ${SMALL} (ms)`,
    columns: ["", "p50", "p99", "samples", "KB answered", "target for p50", `p50 at ${SMALL}`],
    rows,
    notes: [],
  };
}

async function copies(server: Server, big: string): Promise<Table> {
  const before = diskBytes(server);
  const times: number[] = [];
  for (let i = 0; i < COPIES; i++) times.push(await timed(() => post(server, `/v1/threads/${big}/copy`, {})));
  const grown = (diskBytes(server) - before) / 1024 / 1024;
  return {
    title: `big-thread: POST copy of ${CHECKPOINTS} checkpoints (ms)`,
    columns: ["", "p50", "p99", "samples"],
    rows: [["POST copy", ...spread(times)]],
    notes: [
      "target: at most 5",
      `${COPIES} copies made the database ${grown.toFixed(2)} MB larger (target: at most 1)`,
    ],
  };
}

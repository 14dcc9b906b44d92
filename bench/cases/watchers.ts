/** Many readers: one run that a thousand watch, and two hundred runs that are each watched by one. */
import { newThread, post, stream, watch } from "../http.ts";
import { type Case, median, percentile, type Table } from "../measure.ts";
import { startStream } from "../server.ts";

const WATCHERS = 1_000;
const PACED_EVENTS = 1_000;
const STREAMS = 200;
const STREAM_EVENTS = 500;
const ROUNDS = 3;

export const watchersCase: Case = {
  name: "watchers",
  async run() {
    const server = await startStream();
    try {
      return [await watched(server), await manyStreams(server)];
    } finally {
      await server.remove();
    }
  },
};

type Server = Awaited<ReturnType<typeof startStream>>;

async function watched(server: Server): Promise<Table> {
  const thread = await newThread(server);
  // One run before it, so that the agent process is warm.
  await stream(
    server,
    `/v1/threads/${thread}/runs/stream`,
    { input: { way: "custom", events: 10 } },
    () => {},
  );
  const input = { way: "paced", events: PACED_EVENTS };
  const { run_id } = JSON.parse((await post(server, `/v1/threads/${thread}/runs`, { input })).text);
  const lags: number[] = [];
  let there = 0;
  let allThere = Number.POSITIVE_INFINITY;
  const counts = await Promise.all(
    Array.from({ length: WATCHERS }, async () => {
      let [count, seq] = [0, 0];
      const seen = (frame: string) => {
        const id = /^id: (\d+)/.exec(frame)?.[1];
        if (id === undefined) return;
        if (Number(id) !== ++seq) throw new Error(`event ${id} came where ${seq} was due`);
        const at = /"at":(\d+)/.exec(frame)?.[1];
        if (at === undefined) return;
        count++;
        // Those that were said before this reader came are no news.
        if (Number(at) > allThere) lags.push(Date.now() - Number(at));
      };
      await watch(server, `/v1/runs/${run_id}/events`, seen, () => {
        if (++there === WATCHERS) allThere = Date.now();
      });
      return count;
    }),
  );
  const missed = counts.filter((count) => count !== PACED_EVENTS).length;
  return {
    title: `watchers: one run with 100 events a second, ${WATCHERS} readers of it (ms from the agent to a reader)`,
    columns: ["", "p50", "p99", "most", "samples"],
    rows: [
      [
        "lag, once all readers were there",
        median(lags),
        percentile(lags, 0.99),
        percentile(lags, 1),
        lags.length,
      ],
    ],
    notes: [
      "target: p99 at most 250, every reader gets every event",
      `${missed} of ${WATCHERS} readers missed an event`,
    ],
  };
}

async function manyStreams(server: Server): Promise<Table> {
  const rates: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const threads = await Promise.all(Array.from({ length: STREAMS }, () => newThread(server)));
    const begun = performance.now();
    const counts = await Promise.all(
      threads.map(async (thread) => {
        let [count, seq] = [0, 0];
        const body = { input: { way: "custom", events: STREAM_EVENTS } };
        await stream(server, `/v1/threads/${thread}/runs/stream`, body, (frame) => {
          const id = /^id: (\d+)/.exec(frame)?.[1];
          if (id === undefined) return;
          if (Number(id) !== ++seq) throw new Error(`event ${id} came where ${seq} was due`);
          if (frame.includes('"type":"custom"')) count++;
        });
        return count;
      }),
    );
    const lost = counts.filter((count) => count !== STREAM_EVENTS).length;
    if (lost > 0) throw new Error(`${lost} streams lost events`);
    rates.push((STREAMS * STREAM_EVENTS * 1000) / (performance.now() - begun));
  }
  return {
    title: `watchers: ${STREAMS} streams at once, ${STREAM_EVENTS} custom events each (events/s in all)`,
    columns: ["", "median", "least", "most", "rounds"],
    rows: [["POST runs/stream", median(rates), Math.min(...rates), Math.max(...rates), rates.length]],
    notes: ["target: at least 40000, none lost, none out of order"],
  };
}

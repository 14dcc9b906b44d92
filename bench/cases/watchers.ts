/** Many readers: one run that a thousand watch, and two hundred runs that are each watched by one. */
import type { ServerProcess } from "../../test/faults/server.ts";
import { newThread, numbered, post, stream, watch } from "../http.ts";
import { type Case, median, percentile, range } from "../measure.ts";
import { startAgent } from "../server.ts";

const WATCHERS = 1_000;
const PACED_EVENTS = 1_000;
const GATHER_S = 5;
const STREAMS = 200;
const STREAM_EVENTS = 500;
const ROUNDS = 3;

export const watchersCase: Case<"watchers"> = {
  name: "watchers",
  about: `one run with 100 events a second and ${WATCHERS} readers of it; ${STREAMS} streams at once`,
  async run({ say }) {
    const server = await startAgent("stream");
    const rates: number[] = [];
    let streamsLost = 0;
    // The first round warms up.
    for (let round = 0; round <= ROUNDS; round++) {
      const { rate, lost } = await manyStreams(server, STREAMS, STREAM_EVENTS);
      if (round > 0) rates.push(rate);
      streamsLost += lost;
    }
    say(`${WATCHERS} readers`);
    const { lags, missed } = await watched(server);
    return {
      tables: [
        {
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
          notes: [],
        },
        {
          title: `watchers: ${STREAMS} streams at once, ${STREAM_EVENTS} custom events each (events/s in all)`,
          columns: ["", "median", "least", "most", "rounds"],
          rows: [["POST runs/stream", ...range(rates)]],
          notes: [],
        },
      ],
      figures: {
        streams: { value: median(rates) },
        streams_lost: { value: streamsLost },
        lag: { value: percentile(lags, 0.99), beside: `p50 ${median(lags)} ms` },
        missed: { value: missed },
      },
    };
  },
};

async function watched(server: ServerProcess): Promise<{ lags: number[]; missed: number }> {
  const thread = await newThread(server);
  // Later, so that the readers are there before the first event.
  const run = { input: { way: "paced", events: PACED_EVENTS }, after_seconds: GATHER_S };
  const { run_id } = JSON.parse((await post(server, `/v1/threads/${thread}/runs`, run)).text);
  const lags: number[] = [];
  let there = 0;
  let allThere = Number.POSITIVE_INFINITY;
  const whole = await Promise.all(
    Array.from({ length: WATCHERS }, async () => {
      let count = 0;
      const seen = numbered((frame) => {
        const at = /"at":(\d+)/.exec(frame)?.[1];
        if (at === undefined) return;
        count++;
        // Those that were said before this reader came are no news.
        if (Number(at) > allThere) lags.push(Date.now() - Number(at));
      });
      await watch(server, `/v1/runs/${run_id}/events`, seen.frame, () => {
        if (++there === WATCHERS) allThere = Date.now();
      });
      return count === PACED_EVENTS && seen.outOfOrder === 0;
    }),
  );
  return { lags, missed: whole.filter((one) => !one).length };
}

/** `streams` new threads at once, a run with `events` custom events in each: events a second in all, and streams that lost one. */
export async function manyStreams(server: ServerProcess, streams: number, events: number) {
  const threads = await Promise.all(Array.from({ length: streams }, () => newThread(server)));
  const begun = performance.now();
  const whole = await Promise.all(
    threads.map(async (thread) => {
      let count = 0;
      const seen = numbered((frame) => {
        if (frame.includes('"type":"custom"')) count++;
      });
      const body = { input: { way: "custom", events } };
      await stream(server, `/v1/threads/${thread}/runs/stream`, body, seen.frame);
      return count === events && seen.outOfOrder === 0;
    }),
  );
  const seconds = (performance.now() - begun) / 1000;
  return { rate: (streams * events) / seconds, lost: whole.filter((one) => !one).length };
}

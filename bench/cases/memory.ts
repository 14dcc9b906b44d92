/** Whether memory stays flat: the heap of server and agent process after a forced collection, over 100,000 turns, a thread of 10,000 and 200 streams. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServerProcess } from "../../test/faults/server.ts";
import { lasting } from "../ends.ts";
import { heapMb, heapVariables } from "../heap.ts";
import { newThread, turn } from "../http.ts";
import type { Case } from "../measure.ts";
import { startAgent } from "../server.ts";
import { manyStreams } from "./watchers.ts";

const TURNS = 100_000;
const CLIENTS = 32;
/** So many clients keep one thread for good; the others open a new one after so many turns. */
const LONG_CLIENTS = 3;
const TURNS_A_THREAD = 20;
const LOOK_EVERY = 5_000;
/** Caches fill first. */
const SETTLED = 20_000;
const LONG_TURNS = 10_000;
const LONG_SETTLED = 2_000;
const LONG_LOOK_EVERY = 1_000;
const STREAMS = 200;
const STREAM_EVENTS = 500;
const content = "question ".repeat(45).slice(0, 400);

type Heaps = { at: number; server: number; agent: number; resident: number };

export const memoryCase: Case<"memory"> = {
  name: "memory",
  about: `the heap of server and agent process over ${TURNS} turns, in one thread of ${LONG_TURNS}, and after ${STREAMS} streams`,
  async run({ say }) {
    const folder = await lasting(mkdtempSync(join(tmpdir(), "crewship-heap-")), (folder) =>
      rmSync(folder, { recursive: true }),
    );
    const environment = heapVariables(folder);
    // Its state stays the same size, so nothing but a leak grows.
    const server = await startAgent("window", { environment });
    const crowd = await overTurns(folder, server, say);
    const long: Heaps[] = [];
    const thread = await newThread(server);
    for (let i = 1; i <= LONG_TURNS; i++) {
      await turn(server, thread, content);
      if (i % LONG_LOOK_EVERY === 0) {
        say(`one thread, turn ${i}`);
        long.push(await look(folder, server, i));
      }
    }
    await server.remove();
    const streaming = await startAgent("stream", { environment });
    // The first streams load code and fill caches.
    const streams: Heaps[] = [];
    for (let round = 0; round < 3; round++) {
      await manyStreams(streaming, STREAMS, STREAM_EVENTS);
      streams.push(await look(folder, streaming, (round + 1) * STREAMS));
    }
    const settled = crowd.filter(({ at }) => at >= SETTLED);
    const limit = "a flat line";
    return {
      tables: [
        table(`memory: ${TURNS} turns of ${CLIENTS} clients`, "turns", crowd),
        table(`memory: one thread of ${LONG_TURNS} turns`, "turns", long),
        table(`memory: ${STREAMS} streams at once, ${STREAM_EVENTS} events each`, "streams", streams),
      ],
      figures: {
        server: { value: growth(settled, "server"), limit },
        agent: { value: growth(settled, "agent"), limit },
        long_thread: {
          value: growth(
            long.filter(({ at }) => at >= LONG_SETTLED),
            "server",
          ),
          limit,
        },
        streams: { value: streams.at(-1)!.server - streams[0]!.server, limit },
      },
    };
  },
};

async function overTurns(
  folder: string,
  server: ServerProcess,
  say: (text: string) => void,
): Promise<Heaps[]> {
  const seen: Heaps[] = [];
  const threads: string[] = [];
  for (let at = 0; at < TURNS; ) {
    let left = LOOK_EVERY;
    await Promise.all(
      Array.from({ length: CLIENTS }, async (_, client) => {
        for (let i = 0; left > 0; i++) {
          left--;
          if (threads[client] === undefined || (client >= LONG_CLIENTS && i % TURNS_A_THREAD === 0))
            threads[client] = await newThread(server);
          await turn(server, threads[client], content);
        }
      }),
    );
    at += LOOK_EVERY;
    seen.push(await look(folder, server, at));
    say(`turn ${at} of ${TURNS}: server ${seen.at(-1)!.server.toFixed(1)} MB`);
  }
  return seen;
}

/** Nobody asks anything meanwhile. */
async function look(folder: string, server: ServerProcess, at: number): Promise<Heaps> {
  const agents = await server.agents();
  let agent = 0;
  for (const pid of agents) agent = Math.max(agent, await heapMb(folder, pid));
  return { at, server: await heapMb(folder, server.pid), agent, resident: server.residentMb() };
}

/** MB that a straight line through the heaps (least squares) rises from the first to the last. */
function growth(heaps: Heaps[], of: "server" | "agent"): number {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(heaps.map(({ at }) => at)), mean(heaps.map((heap) => heap[of]))];
  const slope =
    mean(heaps.map((heap) => (heap.at - x) * (heap[of] - y))) / mean(heaps.map(({ at }) => (at - x) ** 2));
  return slope * (heaps.at(-1)!.at - heaps[0]!.at);
}

const table = (title: string, of: string, heaps: Heaps[]) => ({
  title: `${title} (MB after a full collection)`,
  columns: [of, "server's heap", "agent's heap", "server, resident"],
  rows: heaps.map(({ at, server, agent, resident }) => [at, server, agent, resident]),
  notes: [],
});

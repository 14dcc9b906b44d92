/** What one turn costs a single client: a new thread each time, a one-node graph, the run awaited. */
import { Bare } from "../bare.ts";
import { flushes, startFloor } from "../floor.ts";
import { newThread, post, turn } from "../http.ts";
import { type Case, median, spread, timed } from "../measure.ts";
import { startEcho } from "../server.ts";

const WARM_UP = 150;
const ROUNDS = 20;
const TURNS = 25;
const FLUSHES = 200;
const content = "question ".repeat(45);

export const turnCase: Case = {
  name: "turn",
  async run() {
    const server = await startEcho();
    const floor = await startFloor();
    const bare = new Bare();
    let made = 0;
    const ours = async () => {
      const thread = await newThread(server);
      return timed(() => turn(server, thread, content));
    };
    const theirs = async () => (await bare.ask({ do: "turn", thread: `t ${++made}`, content })).ms;
    const loopback = () =>
      timed(() => post(floor, "/", { input: { messages: [{ type: "human", content }] } }));
    try {
      for (let i = 0; i < WARM_UP; i++) for (const one of [ours, theirs, loopback]) await one();
      const samples = { ours: [] as number[], theirs: [] as number[], loopback: [] as number[] };
      for (let round = 0; round < ROUNDS; round++) {
        for (let i = 0; i < TURNS; i++) samples.ours.push(await ours());
        for (let i = 0; i < TURNS; i++) samples.theirs.push(await theirs());
        for (let i = 0; i < TURNS; i++) samples.loopback.push(await loopback());
      }
      const flushed = flushes(server.folder, FLUSHES);
      const extra = median(samples.ours) - median(samples.theirs);
      return [
        {
          title: "turn: one client, a new thread each time (ms)",
          columns: ["", "p50", "p99", "samples"],
          rows: [
            ["POST runs/wait", ...spread(samples.ours)],
            ["bare graph.invoke, MemorySaver", ...spread(samples.theirs)],
            ["HTTP over loopback, nothing behind it", ...spread(samples.loopback)],
            ["one flush of the disk (fdatasync)", ...spread(flushed)],
          ],
          notes: [
            `ours - bare: ${extra.toFixed(2)} ms at the median (target: at most 4)`,
            `the disk flushes ${Math.round(1000 / median(flushed))} times a second`,
          ],
        },
      ];
    } finally {
      await Promise.all([server.remove(), floor.stop(), bare.stop()]);
    }
  },
};

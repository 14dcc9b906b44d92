/** How soon after the POST a stream says something: the run's first event, and the first that comes from the agent. */
import { newThread, stream } from "../http.ts";
import { type Case, median, spread } from "../measure.ts";
import { startAgent } from "../server.ts";

const WARM_UP = 100;
const STREAMS = 400;
const content = "question ".repeat(45);

export const firstEventCase: Case<"first-event"> = {
  name: "first-event",
  about: "one client, a new thread each time: POST runs/stream until its first events",
  async run() {
    const server = await startAgent("echo");
    const once = async () => {
      const thread = await newThread(server);
      let first = 0;
      let agent = 0;
      const started = performance.now();
      const body = { input: { messages: [{ type: "human", content }] } };
      await stream(server, `/v1/threads/${thread}/runs/stream`, body, (frame) => {
        if (first === 0) first = performance.now() - started;
        if (agent === 0 && frame.includes('"type":"task.started"')) agent = performance.now() - started;
      });
      return { first, agent, last: performance.now() - started };
    };
    for (let i = 0; i < WARM_UP; i++) await once();
    const samples = [];
    for (let i = 0; i < STREAMS; i++) samples.push(await once());
    const firsts = samples.map(({ first }) => first);
    return {
      tables: [
        {
          title: "first-event: one client, a new thread each time, POST runs/stream (ms after the POST)",
          columns: ["", "p50", "p99", "samples"],
          rows: [
            ["first event (run.started)", ...spread(firsts)],
            ["first event from the agent (task.started)", ...spread(samples.map(({ agent }) => agent))],
            ["end of the stream", ...spread(samples.map(({ last }) => last))],
          ],
          notes: [],
        },
      ],
      figures: { first: { value: median(firsts) } },
    };
  },
};

/** From kill -9 to the next step of the run: of its agent process, and of the server, which is started again at once. */
import { get, newThread, post } from "../http.ts";
import { type Case, spread } from "../measure.ts";
import { startAgent } from "../server.ts";

const ROUNDS = 10;
const STEPS = 400;
const LOOK_MS = 5;
const LIMIT_MS = 30_000;

type Server = Awaited<ReturnType<typeof startAgent>>;

export const recoveryCase: Case = {
  name: "recovery",
  async run() {
    const server = await startAgent("steps");
    try {
      const agents: number[] = [];
      const servers: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        agents.push(
          await recovered(server, async () => {
            for (const pid of await server.agents()) process.kill(pid, "SIGKILL");
          }),
        );
        servers.push(
          await recovered(server, async () => {
            await server.kill();
            await server.start();
          }),
        );
      }
      return [
        {
          title: "recovery: from kill -9 to the run's next checkpoint (ms)",
          columns: ["", "p50", "p99", "samples", "target"],
          rows: [
            ["agent process", ...spread(agents), 1_000],
            ["server, restarted at once", ...spread(servers), 3_000],
          ],
          notes: ["a step of the graph takes 50 ms, and is part of it"],
        },
      ];
    } finally {
      await server.remove();
    }
  },
};

/** How long after `harm` begins a run that is under way has taken a further step. */
async function recovered(server: Server, harm: () => Promise<void>): Promise<number> {
  const thread = await newThread(server);
  await post(server, `/v1/threads/${thread}/runs`, {
    input: { steps: STEPS },
    config: { recursion_limit: 2 * STEPS },
  });
  const before = await stepAfter(server, thread, 3);
  const started = performance.now();
  await harm();
  // Two further: one may have been committed while the signal was on its way.
  await stepAfter(server, thread, before + 2);
  const took = performance.now() - started;
  await post(server, `/v1/threads/${thread}/runs`, { input: null, multitask_strategy: "interrupt" }).catch(
    () => {},
  );
  return took;
}

async function stepAfter(server: Server, thread: string, least: number): Promise<number> {
  for (const deadline = Date.now() + LIMIT_MS; Date.now() < deadline; ) {
    const { text } = await get(server, `/v1/threads/${thread}?select=values`);
    const { values } = JSON.parse(text) as { values: { done?: number } | null };
    if ((values?.done ?? 0) >= least) return values!.done!;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  throw new Error(`no step ${least} within ${LIMIT_MS / 1000} s`);
}

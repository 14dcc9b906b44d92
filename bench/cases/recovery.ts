/** From kill -9 to the next step of the run: of its agent process, of the server, which is started again at once, and of one of two nodes over PostgreSQL. */
import { setTimeout as pause } from "node:timers/promises";
import type { ServerProcess } from "../../test/faults/server.ts";
import { get, newThread, post } from "../http.ts";
import { type Case, median, percentile, spread } from "../measure.ts";
import { startAgent, startCluster } from "../server.ts";

const ROUNDS = 10;
const STEPS = 400;
const LOOK_MS = 5;
const LIMIT_MS = 60_000;

export const recoveryCase: Case<"recovery"> = {
  name: "recovery",
  about:
    "from kill -9 to the run's next checkpoint: of its agent process, of the server, of one of two nodes",
  async run({ say }) {
    const server = await startAgent("steps");
    const cluster = await startCluster();
    const databaseUrl = await cluster.createDatabase();
    const [node, other] = [
      await startAgent("steps", { databaseUrl }),
      await startAgent("steps", { databaseUrl }),
    ];
    const killed: Record<"agents" | "servers" | "nodes", number[]> = { agents: [], servers: [], nodes: [] };
    for (let round = 0; round < ROUNDS; round++) {
      say(`round ${round + 1} of ${ROUNDS}`);
      killed.agents.push(
        await recovered(server, server, async () => {
          for (const pid of await server.agents()) process.kill(pid, "SIGKILL");
        }),
      );
      killed.servers.push(
        await recovered(server, server, async () => {
          await server.kill();
          await server.start();
        }),
      );
      killed.nodes.push(await recovered(node, other, () => node.kill()));
      await node.start();
    }
    const figure = (times: number[]) => ({
      value: median(times),
      beside: `at worst ${Math.round(percentile(times, 1))} ms`,
      limit: "a step takes 50 ms",
    });
    return {
      tables: [
        {
          title: "recovery: from kill -9 to the run's next checkpoint (ms)",
          columns: ["", "p50", "p99", "samples"],
          rows: [
            ["agent process", ...spread(killed.agents)],
            ["server, restarted at once", ...spread(killed.servers)],
            ["one of two nodes over PostgreSQL, seen by the other", ...spread(killed.nodes)],
          ],
          notes: ["a step of the graph takes 50 ms, and is part of it"],
        },
      ],
      figures: {
        agent: figure(killed.agents),
        server: figure(killed.servers),
        node: figure(killed.nodes),
      },
    };
  },
};

/** How long after `harm` begins a run that is under way has taken a further step, in its next attempt. */
async function recovered(
  server: ServerProcess,
  seenBy: ServerProcess,
  harm: () => Promise<unknown>,
): Promise<number> {
  const thread = await newThread(server);
  const accepted = await post(server, `/v1/threads/${thread}/runs`, {
    input: { steps: STEPS },
    config: { recursion_limit: 2 * STEPS },
  });
  const { run_id } = JSON.parse(accepted.text) as { run_id: string };
  const steps = async () => {
    const { text } = await get(seenBy, `/v1/threads/${thread}?select=values`);
    return (JSON.parse(text) as { values: { done?: number } | null }).values?.done ?? 0;
  };
  const attempt = async () =>
    (JSON.parse((await get(seenBy, `/v1/runs/${run_id}`)).text) as { attempt: number }).attempt;
  await until("a third step", async () => (await steps()) >= 3);
  const started = performance.now();
  await harm();
  await until("another attempt", async () => (await attempt()) > 1);
  const before = await steps();
  await until("a step of it", async () => (await steps()) > before);
  const took = performance.now() - started;
  // Else it would be in the way of the next: a run that lost its process gets one of its own.
  await post(seenBy, `/v1/runs/${run_id}/cancel`, {});
  return took;
}

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + LIMIT_MS; Date.now() < deadline; await pause(LOOK_MS))
    if (await condition()) return;
  throw new Error(`${what} did not come within ${LIMIT_MS / 1000} s`);
}

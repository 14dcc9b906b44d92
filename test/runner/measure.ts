/** Prints what a turn of a one-node echo graph costs in time and storage: `node test/runner/measure.ts [1.7|0.2]`. */
import { Agent, human, project, type Version } from "./harness.ts";

const version = (process.argv[2] ?? "1.7") as Version;
const entry = process.argv[3] ?? "./src/echo.ts:graph";
const agent = await Agent.load(project("chat", version), entry);
const text = "x".repeat(400);
let size = 0;
const times: number[] = [];
for (let turn = 1; turn <= 1010; turn++) {
  const before = performance.now();
  await agent.run({ input: { messages: [human(`${turn} ${text}`)] } });
  times.push(performance.now() - before);
  if ([1, 10, 100, 500, 1000].includes(turn)) size = agent.threads.log("t").size;
  if ([2, 11, 101, 501, 1001].includes(turn)) {
    const last = times.slice(-1)[0]!;
    const around = times.slice(-10).toSorted((a, b) => a - b);
    const grown = agent.threads.log("t").size - size;
    console.log(
      `turn ${turn}: ${last.toFixed(2)} ms, median of ten ${around[Math.floor(around.length / 2)]!.toFixed(2)} ms, ${grown} characters stored`,
    );
  }
}
console.log(`reads: ${agent.reads}, memory: ${agent.memory} MB`);
await agent.stop();

/** Runs the benchmarks: `node bench/main.ts [names] [--json file]`. Prints tables, writes the figures as JSON. */
import { writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, release, tmpdir, totalmem, type } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bigThreadCase } from "./cases/big_thread.ts";
import { coldCase } from "./cases/cold.ts";
import { diskCase } from "./cases/disk.ts";
import { firstEventCase } from "./cases/first_event.ts";
import { longThreadCase } from "./cases/long_thread.ts";
import { nodesCase } from "./cases/nodes.ts";
import { pythonTurnCase } from "./cases/python_turn.ts";
import { recoveryCase } from "./cases/recovery.ts";
import { searchCase } from "./cases/search.ts";
import { startCase } from "./cases/start.ts";
import { throughputCase } from "./cases/throughput.ts";
import { tokensCase } from "./cases/tokens.ts";
import { turnCase } from "./cases/turn.ts";
import { watchersCase } from "./cases/watchers.ts";
import { format, type Table } from "./measure.ts";

const all = [
  turnCase,
  firstEventCase,
  throughputCase,
  tokensCase,
  watchersCase,
  longThreadCase,
  bigThreadCase,
  diskCase,
  searchCase,
  recoveryCase,
  startCase,
  coldCase,
  nodesCase,
  pythonTurnCase,
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: "string", default: join(tmpdir(), "crewship-bench.json") } },
});
const unknown = positionals.filter((name) => !all.some((one) => one.name === name));
if (unknown.length > 0) {
  console.error(
    `There is no benchmark ${unknown.join(", ")}. Known: ${all.map(({ name }) => name).join(", ")}.`,
  );
  process.exit(2);
}

const machine = {
  cores: availableParallelism(),
  cpu: cpus()[0]?.model ?? "unknown",
  memory_gb: Math.round(totalmem() / 2 ** 30),
  system: `${type()} ${release()}`,
  node: process.version,
  at: new Date().toISOString(),
};
console.log(
  `${machine.cores} cores (${machine.cpu}), ${machine.memory_gb} GB, ${machine.system}, Node ${machine.node}, ${machine.at}`,
);
const results: Record<string, { load_average: number; tables: Table[] }> = {};
for (const one of all) {
  if (positionals.length > 0 && !positionals.includes(one.name)) continue;
  // A machine that does other work makes every figure worse: how much it did stands beside them.
  const [load_average = 0] = loadavg();
  const tables = await one.run();
  results[one.name] = { load_average, tables };
  for (const table of tables) console.log(`\n${format(table)}`);
  console.log(`  load of the machine before: ${load_average.toFixed(1)}`);
  // After each, so that a later failure loses nothing.
  writeFileSync(values.json, `${JSON.stringify({ machine, results }, null, 2)}\n`);
}
console.log(`\nwritten to ${values.json}`);

/** Runs the benchmarks: `npm run bench -- --help`. Prints tables and a summary, writes the figures as JSON and Markdown. */
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, release, tmpdir, totalmem, type } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { bigThreadCase } from "./cases/big_thread.ts";
import { coldCase } from "./cases/cold.ts";
import { diskCase } from "./cases/disk.ts";
import { firstEventCase } from "./cases/first_event.ts";
import { longThreadCase } from "./cases/long_thread.ts";
import { memoryCase } from "./cases/memory.ts";
import { nodesCase } from "./cases/nodes.ts";
import { pythonTurnCase } from "./cases/python_turn.ts";
import { recoveryCase } from "./cases/recovery.ts";
import { searchCase } from "./cases/search.ts";
import { startCase } from "./cases/start.ts";
import { throughputCase } from "./cases/throughput.ts";
import { tokensCase } from "./cases/tokens.ts";
import { turnCase } from "./cases/turn.ts";
import { watchersCase } from "./cases/watchers.ts";
import { endAll } from "./ends.ts";
import { measureFloor } from "./floor.ts";
import { type Goals, goals } from "./goals.ts";
import { type Case, format } from "./measure.ts";
import { PEER, preparePeer } from "./peer.ts";
import { judge, summaryText, type Verdict, writeMarkdown } from "./summary.ts";

const cases: { [Name in keyof Goals]: Case<Name> } = {
  turn: turnCase,
  "first-event": firstEventCase,
  throughput: throughputCase,
  tokens: tokensCase,
  watchers: watchersCase,
  "long-thread": longThreadCase,
  "big-thread": bigThreadCase,
  disk: diskCase,
  search: searchCase,
  recovery: recoveryCase,
  start: startCase,
  cold: coldCase,
  nodes: nodesCase,
  "python-turn": pythonTurnCase,
  memory: memoryCase,
};
const PROGRESS_MS = 5_000;
/** Of the error of a case that fails; all of it is on stderr. */
const WHY_CHARACTERS = 80;
const names = Object.keys(cases) as (keyof Goals)[];

const help = `npm run bench -- [names] [--peer ${PEER}] [--json FILE] [--markdown FILE]

Measures the named benchmarks, or all of them, and says of each goal whether it is met. The exit code is 0 whatever was
measured, 1 when something could not be, 2 for wrong usage.

${names.map((name) => `  ${name.padEnd(12)} ${cases[name].about}`).join("\n")}

  --peer ${PEER}  also installs LangGraph.js's own server (npm, into .cache/peer) and measures it in turns with ours
  --json FILE          where the figures go; default: crewship-bench.json in the temporary folder
  --markdown FILE      writes the whole table there; in a document with the heading "The last full table", below that

Examples:
  npm run bench                                                   # all, about 45 minutes
  npm run bench -- turn throughput                                # two
  npm run bench -- turn --peer ${PEER}                       # beside the peer
  npm run bench -- --peer ${PEER} --markdown bench/README.md
  node bench/plot.ts                                              # docs/images/turns.svg, from what long-thread measured
`;

function refuse(message: string): never {
  console.error(`${message}\nSee npm run bench -- --help.`);
  process.exit(2);
}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        peer: { type: "string" },
        json: { type: "string", default: join(tmpdir(), "crewship-bench.json") },
        markdown: { type: "string" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    return refuse((error as Error).message);
  }
}

const { values, positionals } = parse();
if (values.help) {
  console.log(help);
  process.exit(0);
}
const unknown = positionals.filter((name) => !Object.hasOwn(cases, name));
if (unknown.length > 0) refuse(`There is no benchmark ${unknown.join(", ")}. Known: ${names.join(", ")}.`);
if (values.peer !== undefined && values.peer !== PEER)
  refuse(`There is no peer ${values.peer}. Known: ${PEER}.`);

let interrupted = false;
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, async () => {
    if (interrupted) return;
    say("stopping what was started");
    interrupted = true;
    await endAll();
    process.exit(130);
  });

function say(text: string): void {
  if (!interrupted) console.error(`[${new Date().toTimeString().slice(0, 8)}] ${text}`);
}

/** Whoever waits wants to see that something moves, not each step of it. */
function seldom(speak: (text: string) => void): (text: string) => void {
  let last = Number.NEGATIVE_INFINITY;
  return (text) => {
    if (performance.now() - last < PROGRESS_MS) return;
    last = performance.now();
    speak(text);
  };
}

const machine = {
  cores: availableParallelism(),
  cpu: cpus()[0]?.model ?? "unknown",
  memory_gb: Math.round(totalmem() / 2 ** 30),
  system: `${type()} ${release()}`,
  node: process.version,
  at: new Date().toISOString(),
};
const machineText = `${machine.cores} cores (${machine.cpu}), ${machine.memory_gb} GB, ${machine.system}, Node ${machine.node}, ${machine.at}`;
const command = ["npm run bench", ...process.argv.slice(2)].join(" ").replace("bench ", "bench -- ");
console.log(machineText);

for (const file of [values.json, values.markdown])
  if (file !== undefined) mkdirSync(dirname(file), { recursive: true });
if (values.peer !== undefined) await preparePeer(say);

const results: Partial<Record<keyof Goals, object>> = {};
const verdicts: Verdict[] = [];
const texts: string[] = [];
for (const name of names) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  say(`${name} begins`);
  // A machine that does other work makes every figure worse: how much it did stands beside them.
  const [load_average = 0] = loadavg();
  const before = `load of the machine before: ${load_average.toFixed(1)}`;
  try {
    const floor = await measureFloor();
    const outcome = await (cases[name] as Case).run({
      peer: values.peer !== undefined,
      say: seldom((text) => say(`${name}: ${text}`)),
    });
    results[name] = { load_average, ...outcome };
    verdicts.push(...judge(name, outcome.figures, floor));
    texts.push(...outcome.tables.map(format), `  ${before}; ${floor}`);
    console.log(`\n${[...outcome.tables.map(format), `  ${before}; ${floor}`].join("\n\n")}`);
  } catch (error) {
    if (interrupted) await new Promise(() => {});
    process.exitCode = 1;
    const why = (error as Error).message.split("\n")[0]!.slice(0, WHY_CHARACTERS);
    console.error(error);
    const figures = Object.fromEntries(Object.keys(goals[name]).map((goal) => [goal, { why }]));
    verdicts.push(...judge(name, figures, ""));
  } finally {
    await endAll();
  }
  // After each, so that a later failure loses nothing.
  writeFileSync(values.json, `${JSON.stringify({ machine, command, verdicts, results }, null, 2)}\n`);
  if (values.markdown !== undefined)
    writeMarkdown(values.markdown, { machine: machineText, command, verdicts, texts });
}
console.log(
  `\n${summaryText(verdicts)}\n\nwritten to ${[values.json, values.markdown].filter(Boolean).join(" and ")}`,
);
// Whatever a failed case has left behind does not keep this process.
process.exit();

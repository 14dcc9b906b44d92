/**
 * The entry of a Node agent process: it loads one version's agent and executes the runs the server sends over file
 * descriptor 3. Everything it knows comes from there; it reads no settings of its own.
 */
import { flushCompileCache } from "node:module";
import { Socket } from "node:net";
import type { RunStart, ServerMessage } from "../../src/runner/protocol.ts";
import { provideArtifacts, withArtifacts } from "./artifacts.ts";
import { type Embedder, openEmbedder } from "./embedder.ts";
import { describeError } from "./errors.ts";
import { type AgentFunction, FunctionHost } from "./function.ts";
import type { Host } from "./host.ts";
import { LangGraphHost } from "./langgraph.ts";
import { loadEntrypoint } from "./load.ts";
import { captureOutput, withLogs } from "./logs.ts";
import { endWithServer } from "./orphan.ts";
import { type Done, RunPipe } from "./pipe.ts";
import { findClasses, findFramework, preloadFramework, toGraph } from "./project.ts";
import { WarmStates } from "./warm.ts";
import { Wire } from "./wire.ts";

const ALIVE_INTERVAL_MS = 1000;

type Load = Extract<ServerMessage, { type: "load" }>;

captureOutput();
provideArtifacts();
endWithServer();
let host: Host | undefined;
let maxUnacknowledged = 0;
let embedder: Embedder | undefined;
const runs = new Map<string, { pipe: RunPipe; cancel: AbortController }>();
const wire = new Wire(new Socket({ fd: 3 }), receive, () => process.exit(0));

// One run's forgotten promise must not end the others' process; where it came from stands on stderr.
process.on("unhandledRejection", (reason) => {
  const { message, traceback } = describeError(reason);
  process.stderr.write(`Unhandled rejection: ${traceback ?? message}\n`);
});

wire.send({ type: "ready" });
const alive = () =>
  wire.send({ type: "alive", memory_mb: Math.round(process.memoryUsage.rss() / 104857.6) / 10 });
setInterval(alive, ALIVE_INTERVAL_MS);

function receive(message: ServerMessage): void {
  switch (message.type) {
    case "load":
      void load(message);
      break;
    case "describe":
      void describe();
      break;
    case "run":
      // Said before the user's code may block the loop: the run has arrived, its silence is its own.
      alive();
      void execute(message, (agent, pipe, signal) => agent.run(message, pipe, signal));
      break;
    case "update":
      alive();
      void execute(message, (agent, pipe) => agent.update(message, pipe));
      break;
    case "cancel":
      runs.get(message.run_id)?.cancel.abort();
      break;
    case "ack":
      runs.get(message.run_id)?.pipe.acknowledge(message.n);
      break;
    case "reply":
      runs.get(message.run_id)?.pipe.reply(message);
      break;
    case "stored":
      runs.get(message.run_id)?.pipe.stored(message);
      break;
    case "embed":
      void embed(message);
      break;
  }
}

async function load(message: Load): Promise<void> {
  maxUnacknowledged = message.max_unacknowledged_bytes;
  try {
    host = await open(message);
    wire.send({ type: "loaded" });
    // A process that is killed later leaves nothing by itself.
    flushCompileCache();
  } catch (error) {
    wire.send({ type: "load_failed", error: { ...describeError(error), code: "load_failed" } });
  }
}

/** Answered however it goes. */
async function embed({ request_id, ...request }: Extract<ServerMessage, { type: "embed" }>): Promise<void> {
  try {
    if (!embedder) throw new Error("[store] index is not set.");
    const vectors =
      "query" in request
        ? [["", await embedder.query(request.query)] as [string, string]]
        : await embedder.value(request.value, request.fields);
    wire.send({ type: "embedded", request_id, vectors });
  } catch (error) {
    wire.send({ type: "embedded", request_id, error: describeError(error) });
  }
}

/** Whatever fails here is only not said. */
async function describe(): Promise<void> {
  const structure = host ? await host.describe().catch(() => null) : null;
  wire.send({ type: "described", structure });
}

async function open({ framework, entrypoint, directory, max_warm_bytes, store }: Load): Promise<Host> {
  const prepare = framework === "function" ? undefined : preloadFramework;
  const { value, entry } = await loadEntrypoint(directory, entrypoint, prepare);
  if (store?.index) embedder = await openEmbedder(directory, store.index);
  if (framework === "function") {
    if (typeof value !== "function") throw new Error(`The entrypoint "${entrypoint}" is not a function.`);
    return new FunctionHost(value as AgentFunction, await findClasses(entry), embedder);
  }
  const graph = await toGraph(value, entrypoint);
  return new LangGraphHost(graph, await findFramework(graph, entry), {
    warm: new WarmStates(max_warm_bytes),
    embedder,
  });
}

/** Every run and update ends with exactly one `done`. */
async function execute(
  { run_id, artifacts }: RunStart,
  work: (agent: Host, pipe: RunPipe, signal: AbortSignal) => Promise<Done>,
): Promise<void> {
  const pipe = new RunPipe(wire, run_id, maxUnacknowledged);
  const cancel = new AbortController();
  runs.set(run_id, { pipe, cancel });
  let done: Done;
  try {
    if (!host) throw new Error("No agent is loaded.");
    const agent = host;
    done = await withLogs(pipe, () => withArtifacts(artifacts, () => work(agent, pipe, cancel.signal)));
  } catch (error) {
    done = { outcome: "failed", error: describeError(error) };
  }
  pipe.done(done);
  runs.delete(run_id);
}

/** The server under test, over an empty data folder, with the agents in bench/agent. */
import { fileURLToPath } from "node:url";
import { ServerProcess } from "../test/faults/server.ts";

const project = fileURLToPath(new URL("agent", import.meta.url));

/** For a profile: flags of the server's Node, such as `--cpu-prof --cpu-prof-dir=/tmp/profile`. */
const nodeFlags = (process.env.CREWSHIP_BENCH_NODE_FLAGS ?? "").split(" ").filter(Boolean);

export type Agent = "echo" | "window" | "nested" | "steps" | "stream";

/** Over SQLite, or over the PostgreSQL at an address. */
export const startAgent = (name: Agent, databaseUrl?: string) =>
  ServerProcess.start({
    project,
    name,
    nodeFlags,
    ...(databaseUrl === undefined ? {} : { databaseUrl }),
  });
export const startEcho = (databaseUrl?: string) => startAgent("echo", databaseUrl);
export const startStream = () => startAgent("stream");

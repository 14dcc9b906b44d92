/** The server under test, over an empty data folder, with the agents in bench/agent. */
import { fileURLToPath } from "node:url";
import { type ServerOptions, ServerProcess } from "../test/faults/server.ts";
import { Cluster } from "../test/fixtures/postgres.ts";
import { lasting } from "./ends.ts";

const project = fileURLToPath(new URL("agent", import.meta.url));

/** For a profile: flags of the server's Node, such as `--cpu-prof --cpu-prof-dir=/tmp/profile`. */
const nodeFlags = (process.env.CREWSHIP_BENCH_NODE_FLAGS ?? "").split(" ").filter(Boolean);

export type Agent = "echo" | "window" | "nested" | "steps" | "stream";

/** Over SQLite, unless the options name a PostgreSQL. */
export const startServer = (options: ServerOptions) =>
  lasting(ServerProcess.start({ nodeFlags, ...options }), (server) => server.remove());
export const startAgent = (name: Agent, options: Partial<ServerOptions> = {}) =>
  startServer({ project, name, ...options });

/** A PostgreSQL of the case's own, that flushes as it does by default. */
export const startCluster = (settings: string[] = []) =>
  lasting(Cluster.start({ durable: true, settings }), (cluster) => cluster.remove());

/**
 * Runs a command while a PostgreSQL is there for all the tests in it, and has those that are for either database use it.
 * Usage: node test/with_postgres.ts node --test …
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { Cluster } from "./fixtures/postgres.ts";

const [command, ...args] = process.argv.slice(2);
if (command === undefined) throw new Error("Say which command to run.");
const cluster = await Cluster.start({ settings: ["max_connections=300"] });
const child = spawn(command, args, {
  stdio: "inherit",
  env: {
    ...process.env,
    CREWSHIP_TEST_DATABASE: "postgres",
    CREWSHIP_TEST_POSTGRES_URL: cluster.url(),
  },
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal));
const [code] = (await once(child, "exit")) as [number | null];
await cluster.remove();
process.exitCode = code ?? 1;

/**
 * Runs on one real PostgreSQL the test files that are for either database, two at a time: those that open theirs with
 * fixtures/database.ts and are not about PostgreSQL anyway. Usage: node test/on_postgres.ts [test/engine.test.ts …]
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Cluster } from "./fixtures/postgres.ts";

const root = dirname(import.meta.dirname);
const EITHER = "test/fixtures/database.ts";
const flags = [
  "--test",
  "--test-concurrency=2",
  "--test-timeout=900000",
  "--test-reporter=./test/reporter.ts",
];

/** The modules of test/ that one imports. */
function imports(module: string): string[] {
  const paths = readFileSync(join(root, module), "utf8").matchAll(/ from "(\.[^"]+)"/g);
  return [...paths]
    .map(([, path]) => join(dirname(module), path!))
    .filter((path) => path.startsWith("test/"));
}

function reaches(module: string, wanted: string, seen = new Set<string>()): boolean {
  if (module === wanted) return true;
  if (seen.has(module)) return false;
  seen.add(module);
  return imports(module).some((path) => reaches(path, wanted, seen));
}

const isForEither = (file: string) =>
  reaches(file, EITHER) && !imports(file).some((path) => path.endsWith("postgres.ts"));

const named = process.argv.slice(2);
const all = globSync(["test/*.test.ts", "test/faults/*.test.ts"], { cwd: root }).toSorted();
const files = named.length > 0 ? named : all.filter(isForEither);
const cluster = await Cluster.start({ settings: ["max_connections=300"] });
const child = spawn(process.execPath, [...flags, ...files], {
  cwd: root,
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

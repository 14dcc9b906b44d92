/**
 * Everything about PostgreSQL and everything that is for either database, on other versions of PostgreSQL, which npm
 * brings into .cache. Takes some ten minutes a version. Usage: node test/postgres_versions.ts [14 15 16 17]
 */
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { POSTGRES_PACKAGE } from "./fixtures/postgres.ts";

const root = dirname(import.meta.dirname);
/** The newest release of each. All are called beta, so npm takes none by its major number. */
const releases: Record<string, string> = {
  14: "14.23.0-beta.17",
  15: "15.18.0-beta.17",
  16: "16.14.0-beta.17",
  17: "17.10.0-beta.17",
};
const own = ["store_postgres", "nodes", "deploy_nodes", "postgres_migrations", "postgres_refusals", "backup"];

function run(command: string, args: string[], env: Record<string, string> = {}): boolean {
  const { status } = spawnSync(command, args, {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, ...env },
  });
  return status === 0;
}

function isSoundOn(version: string): boolean {
  const folder = join(root, ".cache", `postgres-${version}`);
  mkdirSync(folder, { recursive: true });
  const flags = ["--prefix", folder, "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"];
  if (!run("npm", ["install", ...flags, `${POSTGRES_PACKAGE}@${releases[version]}`])) return false;
  const env = { CREWSHIP_TEST_POSTGRES_PACKAGE: join(folder, "node_modules", POSTGRES_PACKAGE) };
  const tests = ["--test", "--test-timeout=900000", "--test-reporter=./test/reporter.ts"];
  const files = own.map((name) => `test/${name}.test.ts`);
  const alone = run(process.execPath, [...tests, ...files], env);
  return run(process.execPath, ["test/on_postgres.ts"], env) && alone;
}

const named = process.argv.slice(2);
const unknown = named.find((version) => !(version in releases));
if (unknown !== undefined) throw new Error(`Not one of ${Object.keys(releases).join(", ")}: ${unknown}`);
const results = (named.length > 0 ? named : Object.keys(releases)).map((version) => {
  console.log(`\n== PostgreSQL ${version}`);
  return { version, isSound: isSoundOn(version) };
});
for (const { version, isSound } of results)
  console.log(`PostgreSQL ${version}: ${isSound ? "sound" : "FAILED"}`);
process.exitCode = results.every(({ isSound }) => isSound) ? 0 : 1;

/**
 * The packages of a version in Node: installed by npm from its lock file, kept in the cache under a key of everything they
 * depend on, and shared by all versions that ask for the same.
 */
import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, rename, rm, symlink } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { isObject } from "../core/json.ts";
import { LoadError } from "../runner/errors.ts";
import { installerEnvironment, runTool, ToolFailed } from "./installer.ts";
import type { Progress } from "./python_environment.ts";

/** Raised when packages are installed in another way. */
const RECIPE = 1;
const INSTALL_TIMEOUT_MS = 20 * 60_000;
const LOCKS = ["npm-shrinkwrap.json", "package-lock.json"];
const DEPENDENCIES = ["dependencies", "optionalDependencies", "peerDependencies"];
/** Scripts of the project's own that npm runs when it installs, for which it needs the source. */
const SCRIPTS = ["preinstall", "install", "postinstall", "prepare"];
/** What the lock file names is the same from the cache. The lines of what is fetched show that something happens. */
const OPTIONS = ["--omit=dev", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=http"];

export type NodeOrder = {
  /** The version's own copy of its source: node_modules is put there. */
  directory: string;
  cacheFolder: string;
  environment: Readonly<Record<string, string | undefined>>;
  onProgress: (progress: Progress) => void;
  signal: AbortSignal;
};

/** Throws a LoadError, or the signal's reason. */
export async function installNodePackages(order: NodeOrder): Promise<void> {
  const { directory, cacheFolder } = order;
  const about = await readJson(join(directory, "package.json"));
  if (!about || !DEPENDENCIES.some((key) => isObject(about[key]) && Object.keys(about[key]).length > 0))
    return;
  const lockName = LOCKS.find((name) => existsSync(join(directory, name)));
  if (lockName === undefined) {
    const text =
      "There is no package-lock.json: the newest packages that package.json allows are installed, and another node may get others";
    order.onProgress({ status: "output", text });
    return npm(order, directory, ["install", "--no-package-lock"]);
  }
  const lock = await readFile(join(directory, lockName), "utf8");
  if (needsSource(about, lock)) return npm(order, directory, ["ci"]);
  const npmrc = await readFile(join(directory, ".npmrc"), "utf8").catch(() => "");
  const asked = [...DEPENDENCIES, "overrides"].map((key) => about[key] ?? null);
  const { modules } = process.versions;
  const parts = JSON.stringify([RECIPE, modules, process.platform, process.arch, asked, lock, npmrc]);
  const kept = join(cacheFolder, "packages", createHash("sha256").update(parts).digest("hex").slice(0, 32));
  if (!existsSync(kept)) {
    // Made elsewhere and renamed when it is whole: what was killed in the middle is never taken for it.
    const making = `${kept}.${randomBytes(4).toString("hex")}`;
    try {
      await mkdir(making, { recursive: true });
      for (const name of ["package.json", lockName, ".npmrc"]) {
        if (existsSync(join(directory, name))) await copyFile(join(directory, name), join(making, name));
      }
      await npm(order, making, ["ci"]);
      await mkdir(join(making, "node_modules"), { recursive: true });
      await rename(making, kept).catch((error: unknown) => {
        if (!existsSync(kept)) throw error;
      });
    } finally {
      await rm(making, { recursive: true, force: true, maxRetries: 3 });
    }
  }
  await symlink(join(kept, "node_modules"), join(directory, "node_modules"));
}

/** Whether the packages cannot be installed apart from the source. */
function needsSource(about: Record<string, unknown>, lock: string): boolean {
  const scripts = isObject(about.scripts) ? about.scripts : {};
  return (
    about.workspaces !== undefined ||
    SCRIPTS.some((name) => name in scripts) ||
    /"link": true|"resolved": "file:|"file:/.test(lock)
  );
}

async function npm(order: NodeOrder, cwd: string, what: string[]): Promise<void> {
  const { environment, onProgress } = order;
  const startedAt = performance.now();
  const deadline = AbortSignal.timeout(INSTALL_TIMEOUT_MS);
  onProgress({ status: "started", text: `Installing the packages of package.json with npm ${what[0]}` });
  const env = installerEnvironment(environment);
  // npm is a script that runs with the first Node on PATH: the one that will execute the agent.
  env.PATH = [dirname(process.execPath), env.PATH].filter(Boolean).join(delimiter);
  try {
    await runTool("npm", [...what, ...OPTIONS], {
      cwd,
      env,
      signal: AbortSignal.any([order.signal, deadline]),
      onLine: (text) => onProgress({ status: "output", text }),
    });
  } catch (error) {
    if (order.signal.aborted) throw order.signal.reason;
    if (deadline.aborted)
      throw failed(
        `Installing packages with npm took longer than ${INSTALL_TIMEOUT_MS / 60_000} minutes and was stopped.`,
      );
    if (!(error instanceof ToolFailed)) throw error;
    const last = error.lines.map((line) => `  ${line}`).join("\n");
    throw failed(
      `The packages of package.json could not be installed (npm: ${error.message}). Correct package.json and its lock file, or this machine's access to the registry. The last lines were:\n${last}`,
    );
  }
  onProgress({ status: "done", text: "Packages installed", duration_ms: performance.now() - startedAt });
}

async function readJson(path: string): Promise<Record<string, unknown> | undefined> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch {
    // Said below.
  }
  throw failed("package.json is no JSON object. Correct it.");
}

function failed(message: string): LoadError {
  return new LoadError({ code: "load_failed", message });
}

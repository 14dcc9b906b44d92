/**
 * The virtual environment of a project in Python: made from requirements.txt or pyproject.toml, kept in the cache
 * under a key of everything it depends on, and shared by all versions that need the same. The project's folder is
 * only read.
 */
import { createHash, randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isObject } from "../core/json.ts";
import { LoadError } from "../runner/errors.ts";
import { BuildLock } from "./build_lock.ts";
import { installerEnvironment, runTool, ToolFailed } from "./installer.ts";
import { copyProject } from "./project_copy.ts";
import { findOnPath, type Interpreter } from "./python_interpreter.ts";
import { type Packages, PYPROJECT, REQUIREMENTS, readPackages, UV_LOCK } from "./python_packages.ts";

/** Raised when an environment is made in another way, so that none of the old way is taken for one of the new. */
const RECIPE = 1;
const BUILD_TIMEOUT_MS = 20 * 60_000;
/** Longer than a build may take, so that waiting for one ends with an environment or with the right to make it. */
const LOCK_TIMEOUT_MS = BUILD_TIMEOUT_MS + 60_000;
const UV_ANSWER_MS = 10_000;
const PIP_OPTIONS = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off"];
/** Written last: an environment without it does not count. */
const COMPLETE = "complete.json";
const LOCK = "lock.db";

/** What a person watching reads. `output` is a line of the tool; a cached environment is not spoken of. */
export type Progress = {
  status: "waiting" | "started" | "output" | "done";
  text: string;
  /** With `done`. */
  duration_ms?: number;
};

export type PythonOrder = {
  /** The project's folder, absolute. */
  directory: string;
  interpreter: Interpreter;
  cacheFolder: string;
  /** The caller's environment: on its PATH uv is looked for, and an installer sees a part of it. */
  environment: Readonly<Record<string, string | undefined>>;
  onProgress: (progress: Progress) => void;
  signal: AbortSignal;
};

/** The absolute path of the environment's own interpreter. Throws a LoadError, or the signal's reason. */
export async function preparePython(order: PythonOrder): Promise<string> {
  const { directory, interpreter, cacheFolder, onProgress, signal } = order;
  const packages = await readPackages(directory);
  const folder = join(cacheFolder, "environments", await keyOf(interpreter, packages));
  const ready = await readyIn(folder);
  if (ready !== null) return ready;
  try {
    await mkdir(folder, { recursive: true });
    using lock = new BuildLock(join(folder, LOCK));
    await lock.take({
      signal,
      timeoutMs: LOCK_TIMEOUT_MS,
      onWait: () =>
        onProgress({ status: "waiting", text: "Another crewship is making the same Python environment" }),
    });
    return (await readyIn(folder)) ?? (await build(order, packages, folder));
  } catch (error) {
    if (signal.aborted || error instanceof LoadError) throw error;
    if (!(error instanceof Error) || !("code" in error)) throw error;
    throw failed(
      `The Python environment could not be made in ${cacheFolder}: ${error.message}. Make room or correct the folder's rights, or name another with XDG_CACHE_HOME.`,
    );
  }
}

async function keyOf({ version, home, platform }: Interpreter, { identity }: Packages): Promise<string> {
  const parts = JSON.stringify([RECIPE, version, await realpath(home), platform, identity]);
  return createHash("sha256").update(parts).digest("hex").slice(0, 32);
}

/** The interpreter of the finished environment in the folder, or null. */
async function readyIn(folder: string): Promise<string | null> {
  try {
    const marker: unknown = JSON.parse(await readFile(join(folder, COMPLETE), "utf8"));
    if (!isObject(marker) || typeof marker.venv !== "string") return null;
    const python = pythonIn(join(folder, marker.venv));
    // Follows the link to the installation, which may be gone.
    await stat(python);
    return python;
  } catch {
    return null;
  }
}

/**
 * Each build has a folder of its own, and the marker names it. What a killed server's installer still writes then
 * goes where nobody looks, and the next build removes it.
 */
async function build(order: PythonOrder, packages: Packages, folder: string): Promise<string> {
  const { interpreter, environment, onProgress } = order;
  const startedAt = performance.now();
  await empty(folder);
  const deadline = AbortSignal.timeout(BUILD_TIMEOUT_MS);
  const signal = AbortSignal.any([order.signal, deadline]);
  const uv = await usableUv(environment, signal);
  const tool = uv === null ? "pip" : "uv";
  onProgress({ status: "started", text: titleOf(packages, interpreter, tool) });
  const venv = `venv-${randomBytes(4).toString("hex")}`;
  try {
    await install({ ...order, signal }, packages, { folder, venv: join(folder, venv), uv });
    await rm(sourceIn(folder), { recursive: true, force: true });
    const marker = { venv, python: interpreter.version, tool, made_at: new Date().toISOString() };
    await writeFile(join(folder, `${COMPLETE}.new`), `${JSON.stringify(marker)}\n`);
    await rename(join(folder, `${COMPLETE}.new`), join(folder, COMPLETE));
  } catch (error) {
    await empty(folder).catch(() => undefined);
    if (order.signal.aborted) throw order.signal.reason;
    if (deadline.aborted) {
      throw failed(
        `Installing Python packages took longer than ${BUILD_TIMEOUT_MS / 60_000} minutes and was stopped. Ask for fewer packages, or for versions that need no compiling.`,
      );
    }
    if (error instanceof ToolFailed) throw explained(error, packages, interpreter, tool);
    throw error;
  }
  onProgress({
    status: "done",
    text: `Python ${interpreter.version} environment ready`,
    duration_ms: performance.now() - startedAt,
  });
  return pythonIn(join(folder, venv));
}

type Place = { folder: string; venv: string; uv: string | null };

async function install(order: PythonOrder, packages: Packages, { folder, venv, uv }: Place): Promise<void> {
  const { directory, interpreter, signal } = order;
  const run = (cwd: string, command: string, args: string[]) =>
    runTool(command, args, {
      cwd,
      env: installerEnvironment(order.environment),
      signal,
      onLine: (text) => order.onProgress({ status: "output", text }),
    });
  if (uv !== null) await run(folder, uv, ["venv", "--quiet", "--python", interpreter.path, venv]);
  else {
    const pip = packages.kind === "none" ? ["--without-pip"] : [];
    await run(folder, interpreter.path, ["-I", "-m", "venv", ...pip, venv]);
  }

  const python = pythonIn(venv);
  const add = (cwd: string, what: string[]) =>
    uv === null
      ? // -I: the project's folder is not searched for modules, so that its logging.py is not pip's.
        run(cwd, python, ["-I", "-m", "pip", "install", ...PIP_OPTIONS, ...what])
      : // Compiled once here, and not by each process of an agent whose variables forbid writing bytecode.
        run(cwd, uv, ["pip", "install", "--python", python, "--compile-bytecode", ...what]);
  const useLock = packages.isLocked && uv !== null;
  if (useLock) {
    const list = join(folder, "locked.txt");
    const options = ["--frozen", "--no-dev", "--no-emit-project", "--quiet", "--python", interpreter.path];
    await run(directory, uv, ["export", ...options, "--format", "requirements-txt", "--output-file", list]);
    await add(directory, ["-r", list]);
  } else if (packages.isLocked) {
    const text = `${UV_LOCK} is for uv, which is not on PATH: the newest packages that ${PYPROJECT} allows are installed`;
    order.onProgress({ status: "output", text });
  }
  switch (packages.kind) {
    case "requirements":
      return add(directory, ["-r", REQUIREMENTS]);
    case "dependencies":
      if (packages.dependencies.length === 0 || useLock) return;
      // uv reads the file itself, with the sources it names for its dependencies.
      return add(directory, uv === null ? ["--", ...packages.dependencies] : ["-r", PYPROJECT]);
    case "project": {
      const source = sourceIn(folder);
      await copyProject(directory, source, signal);
      return add(source, useLock ? ["--no-deps", "."] : ["."]);
    }
    case "none":
  }
}

function titleOf({ kind }: Packages, { version }: Interpreter, tool: string): string {
  if (kind === "none") return `Making a Python ${version} environment without packages`;
  return `Installing Python packages from ${kind === "requirements" ? REQUIREMENTS : PYPROJECT} with ${tool}`;
}

/** uv when it is on PATH and answers: it may be a launcher that has no uv to launch. */
async function usableUv(
  environment: PythonOrder["environment"],
  signal: AbortSignal,
): Promise<string | null> {
  const uv = await findOnPath("uv", environment);
  if (uv === null) return null;
  try {
    await runTool(uv, ["--version"], {
      cwd: "/",
      env: installerEnvironment(environment),
      signal: AbortSignal.any([signal, AbortSignal.timeout(UV_ANSWER_MS)]),
      onLine: () => undefined,
    });
    return uv;
  } catch {
    signal.throwIfAborted();
    return null;
  }
}

function explained(
  { message, lines }: ToolFailed,
  { kind }: Packages,
  { path, version }: Interpreter,
  tool: string,
): LoadError {
  const last = lines.map((line) => `  ${line}`).join("\n");
  if (/ensurepip is not available|No module named '?(venv|ensurepip)/.test(last)) {
    const minor = version.split(".").slice(0, 2).join(".");
    return failed(
      `Python ${version} at ${path} cannot make virtual environments: its venv module is missing. Install it (Debian and Ubuntu: apt install python${minor}-venv), install uv, or choose another Python with [deployment] python in crewship.toml.`,
    );
  }
  if (kind === "none") {
    return failed(
      `A virtual environment could not be made with ${path} (${message}). Repair this Python or choose another with [deployment] python in crewship.toml. The last lines were:\n${last}`,
    );
  }
  const file = kind === "requirements" ? REQUIREMENTS : PYPROJECT;
  return failed(
    `The Python packages of ${file} could not be installed (${tool}: ${message}). Correct ${file}, or this machine's access to its package index. The last lines were:\n${last}`,
  );
}

/** Removes what builds have left, and keeps the lock. */
async function empty(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith(LOCK)) await rm(join(folder, name), { recursive: true, force: true, maxRetries: 3 });
  }
}

const pythonIn = (venv: string): string => join(venv, "bin", "python");
const sourceIn = (folder: string): string => join(folder, "source");

function failed(message: string): LoadError {
  return new LoadError({ code: "load_failed", message });
}

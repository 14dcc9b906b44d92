/** Spawns the runners: Node's, and Python's under the interpreter of the version's environment. */
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Child, type Command, spawnChild } from "./child.ts";

/** TypeScript in a clone, JavaScript in the published package. */
const nodeRunner = fileURLToPath(
  new URL(`../../runners/node/main.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url),
);
const pythonRunner = fileURLToPath(new URL("../../runners/python/main.py", import.meta.url));

/**
 * Where Node keeps what it has compiled, by default. From a variable it works from a process's first module on: our own load
 * in 160 ms instead of 310, so that less of a run's time passes after its process was lost.
 */
const NODE_COMPILE_CACHE = join(tmpdir(), "node-compile-cache");

export type RunnerOptions = {
  /** Null for Node. */
  python: string | null;
  /** The project's folder, absolute: also the working directory. */
  directory: string;
  memoryMb: number;
  env: Record<string, string>;
  nodePath?: string | undefined;
  /** Another main file in the runner's place. */
  runnerPath?: string | undefined;
  args?: string[];
};

/** Rejects with an Error whose message completes "The agent process …". */
export async function spawnRunner(options: RunnerOptions): Promise<Child> {
  try {
    return await spawnChild(runnerCommand(options));
  } catch (error) {
    throw new Error(whyNotStarted(options, error as Error), { cause: error });
  }
}

function runnerCommand(options: RunnerOptions): Command {
  const { python, directory, memoryMb, env, nodePath, runnerPath, args = [] } = options;
  if (python === null) {
    return {
      command: nodePath ?? process.execPath,
      args: [`--max-old-space-size=${memoryMb}`, runnerPath ?? nodeRunner, ...args],
      directory,
      env: { NODE_COMPILE_CACHE, ...env },
    };
  }
  return {
    command: python,
    args: [runnerPath ?? pythonRunner, ...args],
    directory,
    env: activated(python, env),
  };
}

/** What keeps a runner from being started, in words that say what to do; else the system's own. */
function whyNotStarted({ python, directory }: RunnerOptions, error: Error): string {
  // The link of a virtual environment may lead to an installation that is gone.
  if (python !== null && existsSync(directory) && !existsSync(python)) {
    return `could not be started: its Python interpreter ${python} is missing. The next run makes its environment anew`;
  }
  return `could not be started in ${directory}: ${error.message}`;
}

/** As the environment's own `activate` leaves it, so that programs the agent starts find what is installed there. */
function activated(python: string, env: Record<string, string>): Record<string, string> {
  const programs = dirname(python);
  const root = dirname(programs);
  if (!existsSync(join(root, "pyvenv.cfg"))) return env;
  const { PYTHONHOME: _, ...rest } = env;
  const path = env.PATH === undefined ? programs : `${programs}${delimiter}${env.PATH}`;
  return { ...rest, VIRTUAL_ENV: root, PATH: path };
}

/**
 * CREWSHIP_ARTIFACTS: the folder for the files of the run whose code looks, made when it looks. Runs share the process, so
 * the variable has a value of its own in each.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { mkdirSync } from "node:fs";

const NAME = "CREWSHIP_ARTIFACTS";
const current = new AsyncLocalStorage<string>();
/** The folders of the runs under way. */
const open = new Set<string>();

/** Puts the variable into `process.env`, for the life of the process. */
export function provideArtifacts(): void {
  const described = (value: string) => ({ value, writable: true, enumerable: true, configurable: true });
  process.env = new Proxy(process.env, {
    get: (env, name) => (name === NAME ? artifactFolder() : Reflect.get(env, name)),
    has: (env, name) => (name === NAME ? folderOfRun() !== undefined : Reflect.has(env, name)),
    ownKeys: (env) => [...Reflect.ownKeys(env), ...(folderOfRun() === undefined ? [] : [NAME])],
    getOwnPropertyDescriptor: (env, name) => {
      if (name !== NAME) return Reflect.getOwnPropertyDescriptor(env, name);
      const folder = artifactFolder();
      return folder === undefined ? undefined : described(folder);
    },
  });
}

/** Calls `work` with `folder` as the run's own; null: it has none. */
export async function withArtifacts<T>(folder: string | null, work: () => Promise<T>): Promise<T> {
  if (folder === null) return work();
  open.add(folder);
  try {
    return await current.run(folder, work);
  } finally {
    open.delete(folder);
  }
}

/** The folder of the run whose code asks, which is there from now on. Undefined outside of runs. */
export function artifactFolder(): string | undefined {
  const folder = folderOfRun();
  if (folder !== undefined) mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}

/** Code that has lost its run (a callback of a pool made earlier) is that of the only one there is. */
function folderOfRun(): string | undefined {
  const own = current.getStore();
  if (own !== undefined) return open.has(own) ? own : undefined;
  return open.size === 1 ? [...open][0] : undefined;
}

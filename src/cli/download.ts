/** Saves the files a run left. Nothing is written outside of the folder, whatever the names are. */
import { createWriteStream } from "node:fs";
import { access, mkdir, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import type { CrewshipClient } from "../client/client.ts";
import { isArtifactName } from "../core/artifact.ts";
import { UsageError } from "./failure.ts";

export type DownloadOptions = { output?: string; force?: boolean };

/** Resolves with the paths of the files that were saved. `names` empty: all. Throws a UsageError for a file that is there. */
export async function download(
  client: CrewshipClient,
  run_id: string,
  names: string[],
  { folder, force, signal }: { folder: string; force: boolean; signal: AbortSignal },
): Promise<string[]> {
  const wanted =
    names.length > 0
      ? names
      : (await client.listArtifacts(run_id, { signal })).artifacts.map((one) => one.name);
  const targets = wanted.map((name) => ({ name, path: join(folder, name) }));
  for (const { name, path } of targets) {
    if (!isArtifactName(name)) throw new UsageError(`"${name}" is no artifact's name.`);
    if (!force && (await exists(path)))
      throw new UsageError(`${path} is there already. --force replaces it.`);
  }
  for (const { name, path } of targets)
    await save(await client.downloadArtifact(run_id, name, { signal }), path, signal);
  return targets.map(({ path }) => path);
}

/** Under another name until it is whole. */
async function save(response: Response, path: string, signal: AbortSignal): Promise<void> {
  const part = `${resolve(path)}.part`;
  await mkdir(dirname(part), { recursive: true });
  try {
    const body = response.body ? Readable.fromWeb(response.body as ReadableStream) : Readable.from([]);
    await pipeline(body, createWriteStream(part), { signal });
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Where a run leaves the files it makes: a folder of its own below the data folder, kept as long as the run. */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { existingRuns } from "../store/runs.ts";
import type { Node } from "./node.ts";

/** Folders looked at in one query. */
const PAGE = 500;

/** The run's folder, absolute. The agent process makes it when it has something to put there. */
export function artifactFolder(node: Node, run_id: string): string {
  return join(node.artifacts, run_id);
}

/** Removes the folders of runs that are gone, as those of a deleted thread are. */
export async function sweepArtifacts(node: Node): Promise<void> {
  const names = await readdir(node.artifacts).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  for (let i = 0; i < names.length; i += PAGE) {
    const page = names.slice(i, i + PAGE);
    const kept = await existingRuns(node.database, page);
    for (const name of page) {
      if (!kept.has(name)) await rm(join(node.artifacts, name), { recursive: true, force: true });
    }
  }
}

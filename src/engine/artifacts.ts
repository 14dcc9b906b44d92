/**
 * The files a run leaves. The agent writes them into a folder of the run's own; when the run is over they are stored by
 * content, and the folder goes.
 */
import { constants, existsSync } from "node:fs";
import { open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { isArtifactName } from "../core/artifact.ts";
import type { Event } from "../core/event.ts";
import { isOver } from "../core/moves.ts";
import { addArtifacts, contentType, type StoredFile } from "../store/artifacts.ts";
import { storeBlob } from "../store/blobs.ts";
import { findRun } from "../store/runs.ts";
import type { Node } from "./node.ts";

const MEGABYTE = 1024 * 1024;
const MAX_FILE_BYTES = 100 * MEGABYTE;
const MAX_RUN_BYTES = 500 * MEGABYTE;
const MAX_FILES = 1_000;
/** Folders and files looked at, whatever they are. */
const MAX_ENTRIES = 10_000;
/** Of each file that is left out the run says why, up to so many. */
const MAX_NOTES = 20;

/** What was found in a run's folder; its content is stored. `notes`: why something was left out. */
export type Gathered = { files: StoredFile[]; notes: string[] };

/** The run's folder, absolute. The agent process makes it when it has something to put there. */
export function artifactFolder(node: Node, run_id: string): string {
  return join(node.artifacts, run_id);
}

/** Stores the content of the files in the run's folder. Undefined: the run made no folder. */
export async function gather(node: Node, run_id: string): Promise<Gathered | undefined> {
  const folder = artifactFolder(node, run_id);
  // Most runs leave none: no turn through the thread pool before their last commit.
  if (!existsSync(folder)) return undefined;
  const names = await namesIn(folder);
  const gathered: Gathered = { files: [], notes: [] };
  const leaveOut = (why: string) => {
    if (gathered.notes.length < MAX_NOTES) gathered.notes.push(why);
  };
  let room = MAX_RUN_BYTES;
  for (const name of names.sort()) {
    if (!isArtifactName(name)) {
      leaveOut(`The file ${JSON.stringify(name)} is no artifact: its name is too long or cannot be shown.`);
    } else if (gathered.files.length === MAX_FILES) {
      leaveOut(`The file ${name}, and what follows it, is no artifact: a run may leave ${MAX_FILES}.`);
      break;
    } else {
      const file = await storeFile(node, folder, name, room);
      if (typeof file === "string") leaveOut(file);
      else if (file) {
        gathered.files.push(file);
        room -= file.size;
      }
    }
  }
  return gathered;
}

/** What a run says of its files before its last event. */
export function artifactEvents({ files, notes }: Gathered): Event[] {
  return [
    ...files.map(({ name, size }) => ({
      type: "artifact",
      data: { name, size, content_type: contentType(name) },
    })),
    ...notes.map((message) => ({ type: "log", data: { level: "warning", message } })),
  ];
}

export async function removeFolder(node: Node, run_id: string): Promise<void> {
  await rm(artifactFolder(node, run_id), { recursive: true, force: true });
}

/**
 * Takes in what a run left that has ended by itself no more: it was canceled, lost, or its node died. A run that is still
 * to go on keeps its folder; of a run that is gone it is removed.
 */
export async function gatherLeft(node: Node, run_id: string): Promise<void> {
  const run = await findRun(node.database, run_id);
  if (run && !isOver(run.status)) return;
  const gathered = run && (await gather(node, run_id));
  if (run && gathered) {
    await node.database.transaction((tx) => addArtifacts(tx, run, gathered.files));
    for (const note of gathered.notes) node.logger.warn({ run_id }, note);
  }
  await removeFolder(node, run_id);
}

/** Does so for every folder there is. */
export async function sweepArtifacts(node: Node): Promise<void> {
  for (const run_id of (await entriesOf(node.artifacts)) ?? []) await gatherLeft(node, run_id.name);
}

async function entriesOf(folder: string) {
  return readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
    throw error;
  });
}

/** The regular files below a folder, by their paths with / between; links are not followed. */
async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  const below = [""];
  let looked = 0;
  for (let path = below.shift(); path !== undefined; path = below.shift()) {
    const entries = await entriesOf(join(folder, path));
    for (const entry of entries ?? []) {
      if (++looked > MAX_ENTRIES) return names;
      if (entry.isDirectory()) below.push(`${path}${entry.name}/`);
      else if (entry.isFile()) names.push(path + entry.name);
    }
  }
  return names;
}

/** A text says why the file is left out; undefined: it is gone, or no file any more. */
async function storeFile(
  node: Node,
  folder: string,
  name: string,
  room: number,
): Promise<StoredFile | string | undefined> {
  const handle = await open(
    join(folder, name),
    constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
  ).catch((error: NodeJS.ErrnoException) => error);
  if (handle instanceof Error)
    return handle.code === "ENOENT" ? undefined : `The file ${name} cannot be read: ${handle.code}.`;
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) return undefined;
    if (stat.size > MAX_FILE_BYTES) {
      return `The file ${name} is no artifact: it has more than ${MAX_FILE_BYTES / MEGABYTE} MB.`;
    }
    if (stat.size > room) {
      return `The file ${name} is no artifact: a run's files may have ${MAX_RUN_BYTES / MEGABYTE} MB together.`;
    }
    const stored = await storeBlob(node.database, handle, MAX_FILE_BYTES);
    return stored ? { name, ...stored } : `The file ${name} is no artifact: it changed after the run's end.`;
  } finally {
    await handle.close();
  }
}

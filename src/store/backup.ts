/** Copies of the embedded database: taken while a server writes to it, checked, and put in place again. */
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
} from "node:fs";
import { dirname } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { Problem } from "../core/problem.ts";
import { SCHEMA_VERSION } from "./migrate.ts";
import { databaseFile, lockFolder } from "./sqlite.ts";

/** Pages copied in one go: the server waits for none of them, and progress is told in between. */
const PAGES_PER_STEP = 2_000;

export type Progress = (part: number) => void;

/**
 * Copies the database in `folder` to the new file `target`, as it was at one moment; a server may go on writing. Throws
 * a bad_request when there is no database or the target exists. Resolves once it is flushed to disk.
 */
export async function backupSqlite(
  folder: string,
  target: string,
  onProgress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const path = databaseFile(folder);
  if (!existsSync(path)) refuse(`There is no database in ${folder}. Say where it is with --data.`);
  if (existsSync(target)) refuse(`${target} exists. Choose another name, or remove it first.`);
  if (!existsSync(dirname(target))) refuse(`There is no folder ${dirname(target)}. Make it first.`);
  const source = new DatabaseSync(path, { readOnly: true });
  await complete(target, async (part) => {
    try {
      // The open transaction keeps what is copied as it is now; without one every write would begin the copy anew.
      source.exec("pragma busy_timeout = 5000; begin; select count(*) from schema_version");
      await backup(source, part, {
        rate: PAGES_PER_STEP,
        progress({ totalPages, remainingPages }) {
          signal.throwIfAborted();
          onProgress(1 - remainingPages / totalPages);
        },
      });
    } finally {
      source.close();
    }
  });
}

/**
 * Puts a backup in place as the database in `folder`, which must have none. Throws a bad_request for a file that is no
 * whole database of ours, a folder with a database, and DataFolderLocked for one that a server uses.
 */
export async function restoreSqlite(file: string, folder: string): Promise<void> {
  if (!existsSync(file)) refuse(`There is no file ${file}.`);
  checkBackup(file);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const lock = lockFolder(folder);
  try {
    const path = databaseFile(folder);
    if (existsSync(path)) refuse(`${path} exists. Choose another --data, or move it away first.`);
    await complete(path, async (part) => copyFileSync(file, part, constants.COPYFILE_EXCL));
  } finally {
    lock.close();
  }
}

function checkBackup(file: string): void {
  let version: number;
  try {
    const database = new DatabaseSync(file, { readOnly: true });
    try {
      version = Number(database.prepare("select max(version) as version from schema_version").get()?.version);
      const found = database.prepare("pragma integrity_check(1)").get()?.integrity_check;
      if (found !== "ok") throw new Error(String(found));
    } finally {
      database.close();
    }
  } catch (error) {
    refuse(`${file} is not a whole backup of crewship: ${error instanceof Error ? error.message : error}`);
  }
  if (version > SCHEMA_VERSION)
    refuse(
      `${file} has schema ${version}, and this crewship knows ${SCHEMA_VERSION}. Upgrade crewship first.`,
    );
}

/** The file appears under its name only when it is whole and flushed. */
async function complete(target: string, write: (part: string) => Promise<void>): Promise<void> {
  const part = `${target}.part`;
  rmSync(part, { force: true });
  try {
    await write(part);
    chmodSync(part, 0o600);
    flush(part);
    renameSync(part, target);
    flush(dirname(target));
  } finally {
    for (const left of [part, `${part}-journal`, `${part}-wal`, `${part}-shm`]) rmSync(left, { force: true });
  }
}

function flush(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function refuse(message: string): never {
  throw new Problem("bad_request", { message });
}

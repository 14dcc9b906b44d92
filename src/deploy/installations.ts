/**
 * What this node has of its versions: their source, unpacked, and the packages it needs. Prepared once for all who wait for
 * it, and again when its version was forgotten; a failure is told to everybody for a moment before it is tried again.
 */
import { randomBytes } from "node:crypto";
import { existsSync, lstatSync, readlinkSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { Problem } from "../core/problem.ts";
import { LoadError } from "../runner/errors.ts";
import { unlessAborted } from "../runner/unless_aborted.ts";
import { readBlob } from "../store/blobs.ts";
import type { Queryable } from "../store/database.ts";
import type { VersionRow } from "../store/versions.ts";
import { unpackArchive } from "./archive.ts";
import { runsInPython } from "./entrypoint.ts";
import { installNodePackages } from "./node_packages.ts";
import { type Progress, type PythonOrder, preparePython } from "./python_environment.ts";
import { findPython, type Interpreter } from "./python_interpreter.ts";

/** A package index may be away for a moment, and a run that comes later should not fail for it. */
const FAILED_FOR_MS = 15_000;

export type InstallationsOptions = Pick<PythonOrder, "cacheFolder" | "environment"> & {
  /** Where the archives of versions are. */
  database: Queryable;
  onProgress: (version: VersionRow, progress: Progress) => void;
};

export type Installation = {
  /** The version's source, absolute. */
  directory: string;
  /** The absolute path of the Python that runs it, null for an agent in Node. */
  python: string | null;
};

type Preparation = { installed: Promise<Installation>; stop: AbortController };

export class Installations {
  readonly #options: InstallationsOptions;
  readonly #preparations = new Map<string, Preparation>();
  /** By what was wanted: a search asks a dozen programs, and a reload should not wait for it. */
  readonly #found = new Map<string | null, Interpreter>();
  /** Also of versions that were forgotten: a tool that is stopped needs a moment. */
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();

  constructor(options: InstallationsOptions) {
    this.#options = options;
  }

  /** Throws a LoadError, or the reason of the signal, which ends only this waiting. */
  async of(version: VersionRow, signal: AbortSignal): Promise<Installation> {
    for (;;) {
      const preparation = this.#preparations.get(version.version_id) ?? this.#prepare(version);
      try {
        const installation = await unlessAborted(preparation.installed, signal);
        // A cache is there to be deleted.
        if (isThere(installation)) return installation;
        if (this.#preparations.get(version.version_id) === preparation) this.forget(version.version_id);
      } catch (error) {
        signal.throwIfAborted();
        // Forgotten meanwhile, since its files changed: the next one counts.
        if (!preparation.stop.signal.aborted || this.#closing.signal.aborted) throw error;
      }
    }
  }

  /** The version's files have changed: what is under way for it ends, and whoever asks next has it prepared anew. */
  forget(version_id: string): void {
    this.#preparations.get(version_id)?.stop.abort();
    this.#preparations.delete(version_id);
  }

  /** Ends what is under way, and resolves when its tools are gone. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#underWay);
  }

  #prepare(version: VersionRow): Preparation {
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, this.#closing.signal]);
    const installed = this.#make(version, signal).catch((error: unknown) => {
      // A database that is away says nothing about the version.
      const isOurs = error instanceof Problem;
      setTimeout(
        () => {
          if (this.#preparations.get(version.version_id) === preparation)
            this.#preparations.delete(version.version_id);
        },
        isOurs ? 0 : FAILED_FOR_MS,
      ).unref();
      throw error instanceof LoadError || isOurs || signal.aborted ? error : asLoadError(error);
    });
    this.#underWay.add(installed);
    // Whoever asked may have stopped waiting.
    installed.catch(() => undefined).finally(() => this.#underWay.delete(installed));
    const preparation = { installed, stop };
    this.#preparations.set(version.version_id, preparation);
    return preparation;
  }

  async #make(version: VersionRow, signal: AbortSignal): Promise<Installation> {
    const { cacheFolder, environment, onProgress } = this.#options;
    const directory = version.directory ?? (await this.#unpack(version, signal));
    if (!runsInPython(version.framework, version.entrypoint)) return { directory, python: null };
    const { python: wanted } = version;
    const known = this.#found.get(wanted);
    const interpreter =
      known && existsSync(known.path) ? known : await findPython({ wanted, environment, signal });
    this.#found.set(wanted, interpreter);
    const python = await preparePython({
      directory,
      interpreter,
      cacheFolder,
      environment,
      signal,
      onProgress: (progress) => onProgress(version, progress),
    });
    return { directory, python };
  }

  /** The version's own folder, made when it is not there: its source, and for Node its packages. */
  async #unpack(version: VersionRow, signal: AbortSignal): Promise<string> {
    const { cacheFolder, environment, database, onProgress } = this.#options;
    const inNode = !runsInPython(version.framework, version.entrypoint);
    const name = inNode ? `${version.archive}-node${process.versions.modules}` : version.archive!;
    const folder = join(cacheFolder, "versions", name);
    if (isThere({ directory: folder, python: null })) return folder;
    // Made elsewhere and renamed when it is whole: what was killed in the middle is never taken for it.
    const making = `${folder}.${randomBytes(4).toString("hex")}`;
    try {
      await mkdir(making, { recursive: true });
      const archive = Readable.from(readBlob(database, version.archive!), { objectMode: false });
      await unpackArchive(archive, making);
      signal.throwIfAborted();
      if (inNode)
        await installNodePackages({
          directory: making,
          cacheFolder,
          environment,
          signal,
          onProgress: (progress) => onProgress(version, progress),
        });
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
      await rename(making, folder);
    } finally {
      await rm(making, { recursive: true, force: true, maxRetries: 3 });
    }
    return folder;
  }
}

/** The folder, the interpreter, and the shared packages it links to. */
function isThere({ directory, python }: Installation): boolean {
  const packages = linkedPackages(join(directory, "node_modules"));
  return (
    existsSync(directory) &&
    (packages === null || existsSync(packages)) &&
    (python === null || existsSync(python))
  );
}

/** Asked at each run: without an exception for the folder that is none. */
function linkedPackages(path: string): string | null {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ? readlinkSync(path) : null;
}

function asLoadError(error: unknown): LoadError {
  const message = error instanceof Error ? error.message : String(error);
  return new LoadError({
    code: "load_failed",
    message: `The version could not be prepared on this node: ${message}`,
  });
}

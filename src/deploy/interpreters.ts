/**
 * The interpreters of this node's versions. An environment is prepared once for all who wait for it, and again when
 * its version was forgotten; a failure is told to everybody for a moment before it is tried again.
 */
import { existsSync } from "node:fs";
import { LoadError } from "../runner/errors.ts";
import { unlessAborted } from "../runner/unless_aborted.ts";
import type { VersionRow } from "../store/deployments.ts";
import { runsInPython } from "./entrypoint.ts";
import { type Progress, type PythonOrder, preparePython } from "./python_environment.ts";
import { findPython, type Interpreter } from "./python_interpreter.ts";

/** A package index may be away for a moment, and a run that comes later should not fail for it. */
const FAILED_FOR_MS = 15_000;

export type InterpretersOptions = Pick<PythonOrder, "cacheFolder" | "environment"> & {
  onProgress: (version: VersionRow, progress: Progress) => void;
};

type Preparation = { python: Promise<string>; stop: AbortController };

export class Interpreters {
  readonly #options: InterpretersOptions;
  readonly #preparations = new Map<string, Preparation>();
  /** By what was wanted: a search asks a dozen programs, and a reload should not wait for it. */
  readonly #found = new Map<string | null, Interpreter>();
  /** Also of versions that were forgotten: a tool that is stopped needs a moment. */
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();

  constructor(options: InterpretersOptions) {
    this.#options = options;
  }

  /**
   * The absolute path of the Python that runs the version, null for an agent in Node. Throws a LoadError, or the
   * reason of the signal, which ends only this waiting.
   */
  async of(version: VersionRow, signal: AbortSignal): Promise<string | null> {
    if (!runsInPython(version.framework, version.entrypoint)) return null;
    for (;;) {
      const preparation = this.#preparations.get(version.version_id) ?? this.#prepare(version);
      try {
        const python = await unlessAborted(preparation.python, signal);
        // A cache is there to be deleted.
        if (existsSync(python)) return python;
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
    const python = this.#make(version, signal).catch((error: unknown) => {
      setTimeout(() => {
        if (this.#preparations.get(version.version_id) === preparation)
          this.#preparations.delete(version.version_id);
      }, FAILED_FOR_MS).unref();
      throw error instanceof LoadError || signal.aborted ? error : asLoadError(error);
    });
    this.#underWay.add(python);
    // Whoever asked may have stopped waiting.
    python.catch(() => undefined).finally(() => this.#underWay.delete(python));
    const preparation = { python, stop };
    this.#preparations.set(version.version_id, preparation);
    return preparation;
  }

  async #make(version: VersionRow, signal: AbortSignal): Promise<string> {
    const { cacheFolder, environment, onProgress } = this.#options;
    const { directory, python: wanted } = version;
    const known = this.#found.get(wanted);
    const interpreter =
      known && existsSync(known.path) ? known : await findPython({ wanted, environment, signal });
    this.#found.set(wanted, interpreter);
    return preparePython({
      directory,
      interpreter,
      cacheFolder,
      environment,
      signal,
      onProgress: (progress) => onProgress(version, progress),
    });
  }
}

function asLoadError(error: unknown): LoadError {
  const message = error instanceof Error ? error.message : String(error);
  return new LoadError({
    code: "load_failed",
    message: `The Python environment could not be made: ${message}`,
  });
}

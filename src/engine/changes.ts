/**
 * Tells readers of lists what has changed, a second after it did at most. It lives on the hints that this node hears anyway:
 * nothing is asked of the database while nobody reads or nothing happens. A hint may be lost, so a list is read anew now
 * and then all the same.
 */
import type { Change } from "../core/change.ts";
import { changedSince } from "../store/changes.ts";
import type { Database } from "../store/database.ts";
import { readClock } from "../store/schedules.ts";
import { DELETED_TOPIC, hintedLog, type Logger } from "./node.ts";
import { logFailure } from "./outage.ts";
import { after } from "./worker.ts";

const LOOK_MS = 500;
/** Logs of one look; if more have changed, readers are told that it is not all. */
const MAX_LOGS = 500;
/** A transaction's times are those of its beginning: one that was committed after the last look may say an earlier one. */
const OVERLAP_MS = 10_000;

const SOMETHING: Change = { threads: [], runs: [], is_complete: false };

type News = Pick<Change, "threads" | "runs">;
type Reader = { waiting: Change | undefined; wake: () => void };

export class Changes {
  readonly #database: Database;
  readonly #logger: Logger;
  readonly #readers = new Set<Reader>();
  readonly #logs = new Set<number>();
  /** What readers have been told, by id: within the overlap the same is found again. */
  #told = new Map<string, string>();
  /** Something has changed that no log here names. */
  #more = false;
  #stop: (() => void) | undefined;

  constructor(database: Database, logger: Logger) {
    this.#database = database;
    this.#logger = logger;
  }

  /** Begins with a change that is not complete: whatever was read before is to be read once more. */
  async *read(signal: AbortSignal): AsyncGenerator<Change> {
    const reader: Reader = { waiting: SOMETHING, wake: () => {} };
    this.#readers.add(reader);
    if (this.#readers.size === 1) this.#begin();
    try {
      while (!signal.aborted) {
        const change = reader.waiting;
        reader.waiting = undefined;
        if (change) yield change;
        else await this.#wait(reader, signal);
      }
    } finally {
      this.#readers.delete(reader);
      if (this.#readers.size === 0) this.#end();
    }
  }

  #wait(reader: Reader, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      reader.wake = () => {
        signal.removeEventListener("abort", reader.wake);
        resolve();
      };
      if (signal.aborted) resolve();
      else signal.addEventListener("abort", reader.wake, { once: true });
    });
  }

  #begin(): void {
    const stopping = new AbortController();
    const deafen = this.#database.listen((topic) => {
      const log_id = hintedLog(topic);
      if (log_id === undefined) this.#more ||= topic === DELETED_TOPIC;
      else if (this.#logs.size < MAX_LOGS) this.#logs.add(log_id);
      else this.#more = true;
    });
    this.#stop = () => {
      deafen();
      stopping.abort();
    };
    void this.#look(stopping.signal);
  }

  #end(): void {
    this.#stop?.();
    this.#logs.clear();
    this.#told.clear();
    this.#more = false;
  }

  async #look(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await after(LOOK_MS, signal);
      if (signal.aborted || (this.#logs.size === 0 && !this.#more)) continue;
      const [logs, more] = [[...this.#logs], this.#more];
      this.#logs.clear();
      this.#more = false;
      try {
        this.#tell(await this.#newsOf(logs), !more);
      } catch (error) {
        logFailure(this.#logger, error, "could not look at what has changed");
        this.#tell(SOMETHING, false);
      }
    }
  }

  /** What has changed in the logs that nobody was told yet. */
  async #newsOf(logs: number[]): Promise<News> {
    if (logs.length === 0) return { threads: [], runs: [] };
    const now = await readClock(this.#database);
    const since = new Date(Date.parse(now) - OVERLAP_MS).toISOString();
    const { threads, runs } = await changedSince(this.#database, logs, since);
    const isNew = (id: string, status: string, changed_at: string) => {
      const stamp = `${changed_at} ${status}`;
      if (this.#told.get(id) === stamp) return false;
      this.#told.set(id, stamp);
      return true;
    };
    const news = {
      threads: threads
        .filter(({ thread_id, status, changed_at }) => isNew(thread_id, status, changed_at))
        .map(({ changed_at: _, ...thread }) => thread),
      runs: runs
        .filter(({ run_id, status, changed_at }) => isNew(run_id, status, changed_at))
        .map(({ changed_at: _, ...run }) => run),
    };
    for (const [id, stamp] of this.#told) if (stamp < since) this.#told.delete(id);
    return news;
  }

  /** A reader that has not taken the last change yet gets no list that grows: it is told to read anew. */
  #tell({ threads, runs }: News, is_complete: boolean): void {
    if (is_complete && threads.length === 0 && runs.length === 0) return;
    for (const reader of this.#readers) {
      reader.waiting = reader.waiting ? SOMETHING : { threads, runs, is_complete };
      reader.wake();
    }
  }
}

/**
 * The embedded database: node:sqlite in WAL mode, inside the server process.
 *
 * Transactions run one after another, each a savepoint of the open group; the group commits together. A commit is
 * written with synchronous=NORMAL and then made durable by one fdatasync of the WAL off the main loop, shared by all
 * groups that wait for it: the main loop is blocked for well under a millisecond instead of for each disk flush.
 */
import { closeSync, fdatasync, mkdirSync, openSync } from "node:fs";
import { join as joinPath } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { Problem } from "../core/problem.ts";
import type { Database, Dialect, Transaction } from "./database.ts";
import { type Sql, type SqlValue, sql } from "./sql.ts";

const FORMAT = "%Y-%m-%dT%H:%M:%fZ";
/** A group commits after this many transactions even when more are waiting, so that none waits for long. */
const MAX_GROUP = 256;
const MAX_CACHED_STATEMENTS = 500;
const SQLITE_FULL = 13;
const SQLITE_IOERR = 10;

export type Durability = "full" | "normal";

/** Another server holds the data folder. */
export class DataFolderLocked extends Error {
  constructor(folder: string) {
    super(`Another server is using ${folder}. Stop it, or choose another folder with --data.`);
    this.name = "DataFolderLocked";
  }
}

const dialect: Dialect = {
  name: "sqlite",
  shared: false,
  now: sql`strftime(${FORMAT}, 'now')`,
  nowPlus: (seconds) => sql`strftime(${FORMAT}, 'now', ${`${seconds} seconds`})`,
  forUpdate: sql``,
  forUpdateSkipLocked: sql``,
  schema: (text) => text.replace(/\bconcurrently\b/g, ""),
};

export const databaseFile = (folder: string): string => joinPath(folder, "crewship.db");

type Job = {
  body: (tx: Transaction) => Promise<unknown>;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
};

/** What a group's transactions have to say once it is committed. */
type Told = { topics: Set<string>; begins: (() => void)[] };

class Connection {
  readonly db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(path: string, readOnly: boolean) {
    this.db = new DatabaseSync(path, { readOnly });
    // 16 MB each for writer and reader: searches among a million threads grew the process by 21 MB, with 64 MB by 71. The
    // system keeps the pages too.
    this.db.exec("pragma busy_timeout = 5000; pragma cache_size = -16384; pragma temp_store = memory");
  }

  all<R>(statement: Sql): R[] {
    const { text, values } = statement.render(() => "?");
    try {
      return this.#prepared(text).all(...(values as SqlValue[])) as R[];
    } catch (error) {
      throw asProblem(error);
    }
  }

  #prepared(text: string): StatementSync {
    const cached = this.#statements.get(text);
    if (cached) return cached;
    if (this.#statements.size >= MAX_CACHED_STATEMENTS) this.#statements.clear();
    const prepared = this.db.prepare(text);
    this.#statements.set(text, prepared);
    return prepared;
  }
}

export class SqliteDatabase implements Database {
  readonly dialect = dialect;
  readonly #writer: Connection;
  readonly #reader: Connection;
  readonly #lock: DatabaseSync;
  readonly #wal: number;
  readonly #durability: Durability;
  readonly #listeners = new Set<(topic: string) => void>();
  readonly #queue: Job[] = [];
  #pumping: Promise<void> | undefined;
  #awaitingSync: (() => void)[] = [];
  #syncing: Promise<void> | undefined;
  #closed = false;

  /** Opens the database in `folder`, making it when missing. Throws DataFolderLocked when another server has it. */
  constructor(folder: string, durability: Durability) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#lock = lockFolder(folder);
    this.#durability = durability;
    const path = databaseFile(folder);
    this.#writer = new Connection(path, false);
    this.#writer.db.exec("pragma journal_mode = wal; pragma synchronous = normal; pragma foreign_keys = on");
    this.#reader = new Connection(path, true);
    // SQLite's own locks are on the database and the -shm file, so a second descriptor of the WAL disturbs none.
    this.#wal = openSync(`${path}-wal`, "r+");
  }

  async query<R>(statement: Sql): Promise<R[]> {
    return (this.#writer.db.isTransaction ? this.#reader : this.#writer).all<R>(statement);
  }

  transaction<T>(body: (tx: Transaction) => Promise<T>): Promise<T> {
    if (this.#closed)
      return Promise.reject(new Problem("unavailable", { message: "The server is stopping." }));
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ body, resolve: resolve as (value: unknown) => void, reject });
      this.#pumping ??= this.#pump();
    });
  }

  exclusively(body: (ask: (statement: Sql) => Promise<unknown>) => Promise<void>): Promise<void> {
    return body((statement) => this.transaction((tx) => tx.query(statement)));
  }

  listen(listener: (topic: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    while (this.#pumping || this.#syncing) await (this.#pumping ?? this.#syncing);
    this.#reader.db.close();
    this.#writer.db.exec("pragma wal_checkpoint(truncate)");
    closeSync(this.#wal);
    this.#writer.db.close();
    this.#lock.close();
  }

  async #pump(): Promise<void> {
    // Whoever asks in the same turn of the loop joins the first group.
    await Promise.resolve();
    while (this.#queue.length > 0) await this.#commitGroup();
    this.#pumping = undefined;
  }

  async #commitGroup(): Promise<void> {
    const settle: (() => void)[] = [];
    const jobs: Job[] = [];
    const told: Told = { topics: new Set(), begins: [] };
    try {
      this.#writer.db.exec("begin immediate");
      while (this.#queue.length > 0 && jobs.length < MAX_GROUP) {
        const job = this.#queue.shift()!;
        jobs.push(job);
        settle.push(await this.#runInSavepoint(job, told));
      }
      this.#writer.db.exec("commit");
    } catch (error) {
      if (this.#writer.db.isTransaction) this.#writer.db.exec("rollback");
      const problem = asProblem(error);
      for (const job of jobs) job.reject(problem);
      if (jobs.length === 0) this.#queue.shift()?.reject(problem);
      return;
    }
    for (const begin of told.begins) begin();
    this.#whenDurable(() => {
      for (const done of settle) done();
      for (const topic of told.topics) for (const listener of this.#listeners) listener(topic);
    });
  }

  /** Runs one transaction; returns how to tell its caller, once the group is durable. */
  async #runInSavepoint(job: Job, told: Told): Promise<() => void> {
    const own: Told = { topics: new Set(), begins: [] };
    this.#writer.db.exec("savepoint one");
    try {
      const value = await job.body({
        dialect,
        query: async <R>(statement: Sql) => this.#writer.all<R>(statement),
        hint: (topic) => own.topics.add(topic),
        onCommit: (begin) => own.begins.push(begin),
      });
      this.#writer.db.exec("release one");
      for (const topic of own.topics) told.topics.add(topic);
      told.begins.push(...own.begins);
      return () => job.resolve(value);
    } catch (error) {
      // Some errors (a full disk) make SQLite roll back everything: then the whole group has failed.
      if (!this.#writer.db.isTransaction) throw error;
      this.#writer.db.exec("rollback to one; release one");
      return () => job.reject(error);
    }
  }

  #whenDurable(callback: () => void): void {
    if (this.#durability === "normal") callback();
    else {
      this.#awaitingSync.push(callback);
      this.#syncing ??= this.#syncLoop();
    }
  }

  async #syncLoop(): Promise<void> {
    while (this.#awaitingSync.length > 0) {
      const callbacks = this.#awaitingSync;
      this.#awaitingSync = [];
      await new Promise<void>((resolve) => {
        fdatasync(this.#wal, (error) => {
          // What cannot be made durable must not be acknowledged, and the page cache can no longer be trusted.
          if (error) throw new Error("the disk refused to flush the write-ahead log", { cause: error });
          resolve();
        });
      });
      for (const callback of callbacks) callback();
    }
    this.#syncing = undefined;
  }
}

/** Held until it is closed. Throws DataFolderLocked. */
export function lockFolder(folder: string): DatabaseSync {
  const lock = new DatabaseSync(joinPath(folder, "lock.db"));
  try {
    lock.exec("pragma busy_timeout = 0; pragma locking_mode = exclusive; begin exclusive");
    return lock;
  } catch (error) {
    lock.close();
    throw error instanceof Error && /locked|busy/.test(error.message) ? new DataFolderLocked(folder) : error;
  }
}

/** A full or failing disk is a 503; anything else is thrown on as it is. */
function asProblem(error: unknown): unknown {
  const code = error instanceof Error ? ((error as { errcode?: number }).errcode ?? 0) & 0xff : 0;
  if (code !== SQLITE_FULL && code !== SQLITE_IOERR) return error;
  const message =
    code === SQLITE_FULL ? "The disk is full. Free some space and try again." : "The disk failed.";
  return new Problem("unavailable", { message }, { cause: error });
}

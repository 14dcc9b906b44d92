/**
 * PostgreSQL, from 14 on, shared by any number of nodes.
 *
 * Transactions run side by side. Whoever changes a thread's log locks its row first (`lockLog`), so what happens in one
 * thread is as serial as on SQLite; READ COMMITTED is enough for that, since each statement sees what the lock's earlier
 * holders committed. What the database gives up (a deadlock) is begun again.
 */
import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { Problem } from "../core/problem.ts";
import type { Database, Dialect, Transaction } from "./database.ts";
import { Notices } from "./notices.ts";
import { atStart, begunAgain, isStaleStatement, unavailable } from "./postgres_errors.ts";
import { raw, type Sql, sql } from "./sql.ts";

const OLDEST_VERSION = 140_000;
/** How long a transaction waits for a connection of the pool, and a connection for its server. */
const CONNECT_MS = 5_000;
/** How much longer than its statement may take, the node waits for an answer. */
const DEAD_CONNECTION_MS = 5_000;
/** A transaction that asks nothing for so long is ended by the database: its node hangs, and it holds locks. */
const IDLE_TRANSACTION_MS = 3_000;
/** How often the migrations' lock is asked for, and after how long the log says what is waited for. */
const LOCK_AGAIN_MS = 100;
const TELL_OF_LOCK_MS = 2_000;
/** How often a transaction is begun, when the database gives it up. */
const MAX_TRIES = 10;
/** Statements a connection keeps prepared; each costs the database some 20 KB. */
const MAX_PREPARED = 200;
/** Migrations of several nodes take turns by this lock: the first eight bytes of SHA-256 of "crewship migrations". */
const MIGRATION_LOCK = createHash("sha256")
  .update("crewship migrations")
  .digest()
  .readBigInt64BE()
  .toString();

/** Begins a transaction that holds the lock; false: another does. The lock of a session would outlive us behind a pooler. */
async function tryLock(client: pg.Client): Promise<boolean> {
  await client.query("begin; set local idle_in_transaction_session_timeout = 0");
  // Without parameters: a portal would keep its snapshot, for whose end an index built concurrently waits.
  const { rows } = await client.query<{ locked: boolean }>(
    `select pg_try_advisory_xact_lock(${MIGRATION_LOCK}) as locked`,
  );
  if (!rows[0]!.locked) await client.query("rollback");
  return rows[0]!.locked;
}

/** A time as ISO 8601 text, UTC, milliseconds. */
const text = (time: Sql): Sql =>
  sql`to_char((${time}) at time zone 'UTC', ${raw(`'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'`)})`;

const dialect: Dialect = {
  name: "postgres",
  shared: true,
  now: text(sql`statement_timestamp()`),
  nowPlus: (seconds) =>
    text(sql`statement_timestamp() + make_interval(secs => ${seconds}::double precision)`),
  forUpdate: sql`for no key update`,
  forUpdateSkipLocked: sql`for no key update skip locked`,
  // As SQLite compares: by bytes, whatever the database's language.
  schema: (text) => text.replace(/\btext\b/g, 'text collate "C"'),
};

export type PostgresSettings = {
  /** postgres://user:password@host/database?sslmode=… */
  url: string;
  /** Connections at most, beside one that listens. */
  pool: number;
  /** How long one statement may take. */
  statementTimeoutMs: number;
  /** false: a commit may be lost in a power cut, as with `--durability normal`. */
  flushed: boolean;
  /** Where to LISTEN when `url` leads to a pooler that shares sessions. */
  listenUrl: string | null;
  warn(details: object, message: string): void;
};

/** Whole numbers come as numbers: none of ours is beyond 2^53. */
const types = {
  getTypeParser: (oid: number, format?: "text" | "binary") =>
    oid === pg.types.builtins.INT8 || oid === pg.types.builtins.NUMERIC
      ? Number
      : pg.types.getTypeParser(oid, format as "text"),
};

export class PostgresDatabase implements Database {
  readonly dialect = dialect;
  readonly #settings: PostgresSettings;
  readonly #pool: pg.Pool;
  readonly #notices: Notices;
  readonly #listeners = new Set<(topic: string) => void>();
  readonly #underWay = new Set<Promise<unknown>>();
  /** Text → name of its prepared statement. */
  readonly #prepared = new Map<string, string>();
  /** A pooler without prepared statements is between us: they are sent anew each time. */
  #prepares = true;
  #closed = false;

  private constructor(settings: PostgresSettings) {
    this.#settings = settings;
    const { pool, statementTimeoutMs, flushed } = settings;
    this.#pool = new pg.Pool({
      ...this.#connection(settings.url),
      max: pool,
      // The database ends a statement by itself; this is for one whose connection went dead without a word.
      query_timeout: statementTimeoutMs + DEAD_CONNECTION_MS,
      onConnect: async (client) => {
        await client.query(
          `set statement_timeout = ${statementTimeoutMs}; set idle_in_transaction_session_timeout = ${IDLE_TRANSACTION_MS};
           set default_transaction_isolation = 'read committed'${flushed ? "" : "; set synchronous_commit = off"}`,
        );
      },
    });
    // A connection that breaks while it is in use fails what is asked over it, or is asked next; nobody else need hear.
    this.#pool.on("connect", (client) => client.on("error", () => undefined));
    this.#pool.on("error", (error) => settings.warn({ error: error.message }, "lost a database connection"));
    this.#notices = new Notices({
      connect: () => new pg.Client(this.#connection(settings.listenUrl ?? settings.url)),
      send: async (statement) => void (await this.query(statement)),
      hear: (topic) => this.#tell(topic),
      warn: settings.warn,
    });
  }

  /** Connects. Throws what keeps it from doing so, in a sentence for whoever starts the server. */
  static async open(settings: PostgresSettings): Promise<PostgresDatabase> {
    const database = new PostgresDatabase(settings);
    try {
      const [row] = await database.query<{ version: string }>(
        sql`select current_setting('server_version_num') as version`,
      );
      if (Number(row?.version) < OLDEST_VERSION)
        throw new Problem("unavailable", { message: "This PostgreSQL is older than 14. Upgrade it." });
      database.#notices.begin();
      return database;
    } catch (error) {
      await database.#pool.end();
      throw atStart(error, settings.url);
    }
  }

  #connection(url: string): pg.ClientConfig {
    return {
      connectionString: url,
      application_name: "crewship",
      connectionTimeoutMillis: CONNECT_MS,
      keepAlive: true,
      types: types as pg.CustomTypesConfig,
    };
  }

  async query<R>(statement: Sql): Promise<R[]> {
    for (;;) {
      try {
        return await this.#ask<R>(this.#pool, statement);
      } catch (error) {
        if (!this.#mayForget(error)) throw unavailable(error);
      }
    }
  }

  transaction<T>(body: (tx: Transaction) => Promise<T>): Promise<T> {
    if (this.#closed)
      return Promise.reject(new Problem("unavailable", { message: "The server is stopping." }));
    const running = this.#tried(body);
    this.#underWay.add(running);
    const forget = () => this.#underWay.delete(running);
    running.then(forget, forget);
    return running;
  }

  async #tried<T>(body: (tx: Transaction) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#once(body);
      } catch (error) {
        const again = this.#mayForget(error) || (begunAgain(error) && tries < MAX_TRIES);
        if (!again) throw unavailable(error);
      }
    }
  }

  async #once<T>(body: (tx: Transaction) => Promise<T>): Promise<T> {
    const topics = new Set<string>();
    const begins: (() => void)[] = [];
    const client = await this.#pool.connect();
    let broken = false;
    try {
      await client.query("begin");
      const value = await body({
        dialect,
        query: (statement) => this.#ask(client, statement),
        hint: (topic) => topics.add(topic),
        onCommit: (begin) => begins.push(begin),
      });
      await client.query("commit");
      for (const begin of begins) begin();
      for (const topic of topics) this.#tell(topic);
      this.#notices.send(topics);
      return value;
    } catch (error) {
      await client.query("rollback").catch(() => {
        broken = true;
      });
      throw error;
    } finally {
      client.release(broken);
    }
  }

  async #ask<R>(to: pg.Pool | pg.PoolClient, statement: Sql): Promise<R[]> {
    const { text, values } = statement.render((index) => `$${index}`);
    if (values.some((value) => typeof value === "string" && value.includes("\0")))
      throw new Problem("bad_request", {
        message: "Text with a NUL character cannot be kept or looked for here.",
      });
    const { rows } = await to.query<R & pg.QueryResultRow>({ text, values, ...this.#named(text) });
    return rows;
  }

  #named(text: string): { name?: string } {
    if (!this.#prepares) return {};
    const known = this.#prepared.get(text);
    if (known !== undefined) return { name: known };
    if (this.#prepared.size >= MAX_PREPARED) return {};
    const name = `crewship_${createHash("sha256").update(text).digest("base64url").slice(0, 22)}`;
    this.#prepared.set(text, name);
    return { name };
  }

  /** The connection's prepared statements are not what we think: from now on there are none, and it is tried again. */
  #mayForget(error: unknown): boolean {
    if (!this.#prepares || !isStaleStatement(error)) return false;
    this.#prepares = false;
    this.#settings.warn(
      {},
      "the database connection does not keep prepared statements (a pooler?): going on without them, somewhat slower",
    );
    return true;
  }

  listen(listener: (topic: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(topic: string): void {
    for (const listener of this.#listeners) listener(topic);
  }

  async exclusively(body: (ask: (statement: Sql) => Promise<unknown>) => Promise<void>): Promise<void> {
    // Sessions of their own: the lock goes with its process. What is asked stands outside the lock's transaction, as an
    // index built concurrently must, and is under no time limit.
    const [lock, other] = [1, 2].map(
      () => new pg.Client(this.#connection(this.#settings.listenUrl ?? this.#settings.url)),
    ) as [pg.Client, pg.Client];
    try {
      for (const client of [lock, other]) await client.on("error", () => undefined).connect();
      // Asked for again and again: who waits inside a statement is in turn waited for by an index built concurrently.
      for (let tries = 1; !(await tryLock(lock)); tries++) {
        if (tries * LOCK_AGAIN_MS === TELL_OF_LOCK_MS)
          this.#settings.warn({}, "another node is migrating the database: waiting until it is done");
        await delay(LOCK_AGAIN_MS);
      }
      await body((statement) => {
        const { text, values } = statement.render((index) => `$${index}`);
        return other.query(text, values);
      });
      await lock.query("commit");
    } catch (error) {
      throw unavailable(error);
    } finally {
      for (const client of [lock, other]) await client.end().catch(() => undefined);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#underWay);
    await this.#notices.close();
    await this.#pool.end();
  }
}

/** What the store asks of a database. SQLite and PostgreSQL each implement it in one small driver. */
import type { Sql } from "./sql.ts";

/** The few words in which the databases differ. */
export type Dialect = {
  readonly name: "sqlite" | "postgres";
  /** Transactions run side by side, other nodes' too: whoever reads what it then changes has to lock it. */
  readonly shared: boolean;
  /** The database's clock as ISO 8601 text, UTC, milliseconds. */
  readonly now: Sql;
  /** The same, `seconds` from now (negative: ago). */
  nowPlus(seconds: number): Sql;
  /** Locks the selected rows until the transaction ends; `forUpdateSkipLocked` leaves out those another one has locked. */
  readonly forUpdate: Sql;
  readonly forUpdateSkipLocked: Sql;
  /** A migration's text in the words of this database. */
  schema(text: string): string;
};

export interface Queryable {
  readonly dialect: Dialect;
  /** Rows of one statement. On a Database it sees only committed rows. */
  query<R>(statement: Sql): Promise<R[]>;
}

export interface Transaction extends Queryable {
  /** Tells listeners, once the transaction is committed and durable, that `topic` is worth a look. */
  hint(topic: string): void;
  /**
   * Calls `begin` once the transaction is committed, before it is durable: for what may begin then because it tells nobody.
   * What it stores in turn is durable only together with this.
   */
  onCommit(begin: () => void): void;
}

export interface Database extends Queryable {
  /**
   * Runs `body` in one transaction; resolves once it is committed and as durable as configured. What `body` throws
   * rolls it back and is thrown on. `body` awaits nothing but its own queries: others wait for it.
   */
  transaction<T>(body: (tx: Transaction) => Promise<T>): Promise<T>;
  /** Calls `listener` with the topic of every hint; returns how to stop. A hint may be lost, data never is. */
  listen(listener: (topic: string) => void): () => void;
  /**
   * Runs `body` while no other node runs one. What it asks is outside of any transaction, and may take as long as it takes.
   */
  exclusively(body: (ask: (statement: Sql) => Promise<unknown>) => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

export function first<R>(rows: R[]): R | undefined {
  return rows[0];
}

/** The row that must be there: its absence is a bug, not a client's mistake. */
export function only<R>(rows: R[]): R {
  if (rows.length !== 1) throw new Error(`expected one row, got ${rows.length}`);
  return rows[0] as R;
}

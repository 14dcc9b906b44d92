/**
 * Hints between nodes, by LISTEN and NOTIFY. Many go at once, and never inside a transaction that does something: NOTIFY
 * takes a lock at commit for which all others would queue. What is lost costs latency: whoever waits looks by itself once
 * a second.
 */
import { randomUUID } from "node:crypto";
import type pg from "pg";
import { type Sql, sql } from "./sql.ts";

const CHANNEL = "crewship";
/** A notification holds less than 8,000 bytes. */
const MAX_BYTES = 7_500;
/** Beyond this, hints that wait to be sent are dropped: the database is slow or gone. */
const MAX_WAITING = 10_000;
const RECONNECT_MS = 1_000;
/** How long our own greeting may take to come back before we say that LISTEN does not work here. */
const GREETING_MS = 5_000;

type Line = {
  connect(): pg.Client;
  send(statement: Sql): Promise<void>;
  hear(topic: string): void;
  warn(details: object, message: string): void;
};

export class Notices {
  readonly #line: Line;
  readonly #self = randomUUID();
  readonly #waiting = new Set<string>();
  #sending: Promise<void> | undefined;
  #client: pg.Client | undefined;
  #timer: NodeJS.Timeout | undefined;
  #greeted = false;
  #closed = false;

  constructor(line: Line) {
    this.#line = line;
  }

  /** Begins to listen, and listens again whenever the connection is lost. */
  begin(): void {
    if (this.#closed) return;
    const client = this.#line.connect();
    this.#client = client;
    // One loss may show as an error, an end and a failed question.
    const lost = () => {
      if (this.#client !== client) return;
      this.#client = undefined;
      client.end().catch(() => undefined);
      if (this.#closed) return;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.begin(), RECONNECT_MS);
    };
    client.on("error", lost);
    client.on("end", lost);
    client.on("notification", ({ payload }) => this.#receive(payload ?? ""));
    client
      .connect()
      .then(() => client.query(`listen ${CHANNEL}`))
      .then(() => this.#greet())
      .catch(lost);
  }

  /** Tells the other nodes, soon. */
  send(topics: Iterable<string>): void {
    for (const topic of topics) if (this.#waiting.size < MAX_WAITING) this.#waiting.add(topic);
    if (this.#waiting.size > 0 && !this.#closed) this.#sending ??= this.#sendLoop();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#sending;
    await this.#client?.end().catch(() => undefined);
  }

  /** What comes while one is under way goes with the next: the busier the node, the more share one. */
  async #sendLoop(): Promise<void> {
    while (this.#waiting.size > 0) {
      const topics: string[] = [];
      let bytes = 0;
      for (const topic of this.#waiting) {
        bytes += Buffer.byteLength(topic) + 3;
        if (bytes > MAX_BYTES) break;
        topics.push(topic);
        this.#waiting.delete(topic);
      }
      const payload = `${this.#self} ${JSON.stringify(topics)}`;
      await this.#line.send(sql`select pg_notify(${CHANNEL}, ${payload})`).catch(() => undefined);
    }
    this.#sending = undefined;
  }

  #receive(payload: string): void {
    const from = payload.slice(0, this.#self.length);
    if (from === this.#self) this.#greeted = true;
    else for (const topic of JSON.parse(payload.slice(from.length + 1)) as string[]) this.#line.hear(topic);
  }

  #greet(): void {
    this.#greeted = false;
    this.send([""]);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (this.#greeted || this.#closed) return;
      this.#line.warn(
        {},
        "LISTEN does not work over this database address (a transaction pooler?): other nodes' news arrive up to a second late. Set --database-listen-url to the database's own address.",
      );
    }, GREETING_MS);
    this.#timer.unref();
  }
}

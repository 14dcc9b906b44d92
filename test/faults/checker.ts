/**
 * Says what is wrong with a database after a campaign: every guarantee that must have been kept, read from the database
 * itself. test/faults/checker.test.ts plants a violation of each.
 */
import { isLastEvent, isOver, type RunStatus } from "../../src/core/moves.ts";
import type { Queryable } from "../../src/store/database.ts";
import { raw } from "../../src/store/sql.ts";
import { findThread, showThread } from "../../src/store/threads.ts";
import { type Message, recompute } from "./conversation.ts";
import { openRecords } from "./records.ts";

/** A run the server said it had accepted. */
export type Acknowledged = { run_id: string; thread_id: string; message: { id: string; content: string } };

export type Findings = {
  violations: string[];
  /** How the runs ended: "succeeded" → 1900, "failed worker_lost" → 1. */
  endings: Record<string, number>;
};

type RunRow = {
  log_id: number;
  run_id: string;
  thread_id: string;
  status: RunStatus;
  run_number: number | null;
  error: string | null;
  input: string;
};
type BatchRow = { log_id: number; run_number: number; first_seq: number; last_seq: number; events: string };

const lastEventOf: Partial<Record<RunStatus, string>> = {
  succeeded: "run.completed",
  failed: "run.failed",
  canceled: "run.canceled",
  interrupted: "run.interrupted",
};
const threadAfter: Partial<Record<RunStatus, string>> = {
  succeeded: "idle",
  failed: "error",
  canceled: "idle",
  interrupted: "interrupted",
};

/** Over a SQLite file, or PostgreSQL's address. Of SQLite the server must have stopped. */
export async function check(source: string, acknowledged: readonly Acknowledged[]): Promise<Findings> {
  const { q, close } = await openRecords(source);
  try {
    return await new Check(q).all(acknowledged);
  } finally {
    await close();
  }
}

class Check {
  readonly #q: Queryable;
  readonly #violations: string[] = [];

  constructor(q: Queryable) {
    this.#q = q;
  }

  async all(acknowledged: readonly Acknowledged[]): Promise<Findings> {
    await this.#file();
    const runs = await this.#rows<RunRow>(`
      select runs.log_id, runs.run_id, runs.thread_id, status, run_number, error, input
      from runs left join run_requests on run_requests.log_id = runs.log_id and run_requests.run_id = runs.run_id
      order by runs.log_id, run_number`);
    this.#acknowledgedRuns(runs, acknowledged);
    await this.#events(runs);
    await this.#leases();
    await this.#oneAtATime();
    await this.#threads(runs);
    const endings: Record<string, number> = {};
    for (const run of runs) {
      const code = run.error === null ? "" : ` ${(JSON.parse(run.error) as { code: string }).code}`;
      endings[run.status + code] = (endings[run.status + code] ?? 0) + 1;
    }
    return { violations: this.#violations, endings };
  }

  #rows<T>(text: string): Promise<T[]> {
    return this.#q.query<T>(raw(text));
  }

  #say(violation: string): void {
    this.#violations.push(violation);
  }

  /** PostgreSQL refuses by itself what refers to nothing. */
  async #file(): Promise<void> {
    if (this.#q.dialect.shared) return;
    const [row] = await this.#rows<{ integrity_check: string }>("pragma integrity_check");
    if (row?.integrity_check !== "ok") this.#say(`the file is damaged: ${row?.integrity_check}`);
    for (const { table } of await this.#rows<{ table: string }>("pragma foreign_key_check")) {
      this.#say(`a row of ${table} refers to one that is missing`);
    }
  }

  /** Each acknowledged run is stored once with its input; nothing else is. */
  #acknowledgedRuns(runs: readonly RunRow[], acknowledged: readonly Acknowledged[]): void {
    const stored = new Map(runs.map((run) => [run.run_id, run]));
    const known = new Set(acknowledged.map(({ run_id }) => run_id));
    for (const { run_id, thread_id, message } of acknowledged) {
      const run = stored.get(run_id);
      if (!run) this.#say(`${run_id} was acknowledged and does not exist`);
      else if (run.thread_id !== thread_id) this.#say(`${run_id} is in another thread than was acknowledged`);
      else if (messageOf(run).id !== message.id || messageOf(run).content !== message.content)
        this.#say(`${run_id} has another input than was acknowledged`);
    }
    for (const { run_id } of runs) if (!known.has(run_id)) this.#say(`${run_id} exists and nobody was told`);
  }

  /** Numbers are gapless from 1; the run ends once, as its status says, and nothing follows. */
  async #events(runs: readonly RunRow[]): Promise<void> {
    const batches = Map.groupBy(
      await this.#rows<BatchRow>(
        "select log_id, run_number, first_seq, last_seq, events from event_batches order by log_id, run_number, first_seq",
      ),
      ({ log_id, run_number }) => `${log_id} ${run_number}`,
    );
    for (const { run_id, log_id, run_number, status } of runs) {
      if (!isOver(status)) this.#say(`${run_id} is still ${status}`);
      if (run_number === null) this.#say(`${run_id} has no number`);
      const types: string[] = [];
      for (const batch of batches.get(`${log_id} ${run_number}`) ?? []) {
        const events = JSON.parse(batch.events) as { type: string }[];
        if (batch.first_seq !== types.length + 1 || batch.last_seq !== types.length + events.length)
          this.#say(
            `${run_id}: events ${batch.first_seq} to ${batch.last_seq} stand where ${types.length + 1} to ${types.length + events.length} were due`,
          );
        types.push(...events.map(({ type }) => type));
      }
      batches.delete(`${log_id} ${run_number}`);
      const ends = types.filter(isLastEvent);
      if (ends.length !== 1) this.#say(`${run_id} ended ${ends.length} times`);
      if (ends.length > 0 && !isLastEvent(types.at(-1)!))
        this.#say(`${run_id} has events after its last one`);
      if (ends.length === 1 && ends[0] !== lastEventOf[status])
        this.#say(`${run_id} is ${status} and its last event is ${ends[0]}`);
      if (types.filter((type) => type === "run.started").length > 1) this.#say(`${run_id} started twice`);
    }
    for (const key of batches.keys()) this.#say(`events of log and run ${key} belong to no run`);
  }

  async #leases(): Promise<void> {
    for (const { run_id } of await this.#rows<{ run_id: string }>("select run_id from leases")) {
      this.#say(`${run_id} left a lease`);
    }
  }

  /** In the order of commits no run of a thread writes again once another one has written. */
  async #oneAtATime(): Promise<void> {
    // Rows of event batches are never deleted while their thread lives: in SQLite their row ids are the order of commits.
    const order = this.#q.dialect.shared ? "created_at, run_number" : "rowid";
    const writers = [
      ...(await this.#rows<{ log_id: number; writer: string }>(
        "select log_id, run_number as writer from checkpoints where run_number is not null order by log_id, position",
      )),
      ...(await this.#rows<{ log_id: number; writer: string }>(
        `select log_id, 'number ' || run_number as writer from event_batches order by log_id, ${order}`,
      )),
    ];
    const finished = new Set<string>();
    let current = "";
    for (const { log_id, writer } of writers) {
      const name = `${writer} of log ${log_id}`;
      if (name === current) continue;
      if (finished.has(name)) this.#say(`run ${name} wrote again after another run had begun`);
      finished.add(current);
      current = name;
    }
  }

  /** No thread is busy, each is as its last run left it, and its state is what its inputs make of it. */
  async #threads(runs: readonly RunRow[]): Promise<void> {
    const byThread = Map.groupBy(runs, ({ thread_id }) => thread_id);
    const q = this.#q;
    for (const { thread_id } of await this.#rows<{ thread_id: string }>("select thread_id from threads")) {
      const own = byThread.get(thread_id) ?? [];
      const row = (await findThread(q, thread_id))!;
      const due = threadAfter[own.at(-1)?.status ?? "succeeded"];
      if (row.status !== due) this.#say(`${thread_id} is ${row.status} and should be ${due}`);
      let messages: Message[];
      try {
        const { values } = await showThread(q, { ...row, status: "idle" });
        messages = ((values?.messages ?? []) as Message[]).map(({ id, type, content }) => ({
          id,
          type,
          content,
        }));
      } catch (error) {
        this.#say(`${thread_id} cannot be read: ${String(error)}`);
        continue;
      }
      const turns = own
        .filter((run) => run.input !== null)
        .map((run) => ({ ...messageOf(run), answered: run.status === "succeeded" }));
      const expected = recompute(turns, messages);
      const at = expected.findIndex((message, i) => JSON.stringify(message) !== JSON.stringify(messages[i]));
      if (at !== -1 || expected.length !== messages.length)
        this.#say(
          `${thread_id}: of ${messages.length} messages, ${expected.length} due, number ${at === -1 ? expected.length : at} differs`,
        );
    }
  }
}

function messageOf(run: RunRow): { id: string; content: string } {
  const input = JSON.parse(run.input ?? "null") as { messages: { id: string; content: string }[] } | null;
  const { id = "", content = "" } = input?.messages[0] ?? {};
  return { id, content };
}

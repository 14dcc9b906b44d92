/**
 * Holds each checkpoint until the framework has said what a person sees of it, and keeps everything that is stored
 * in the order in which it was handed over. That order is the commit order.
 */
import type { ThreadMemory } from "./memory.ts";
import type { CheckpointBody, CheckpointStore, Shown, WritesBody } from "./store.ts";
import type { LiveTuple } from "./tuple.ts";

/** Makes a report for a checkpoint the framework said nothing about. */
export type Describe = (tuple: LiveTuple) => Promise<Shown>;

type Held = { tuple: LiveTuple; body: Omit<CheckpointBody, "shown" | "items">; shown: Shown | undefined };
type Entry = { held: Held } | { writes: Omit<WritesBody, "items"> };

/** Reports for checkpoints that were never put (LangGraph's `exit` durability) are forgotten beyond this many. */
const MAX_EARLY_REPORTS = 256;

export class Journal {
  readonly #store: CheckpointStore;
  readonly #memory: ThreadMemory;
  readonly #describe: Describe;
  #entries: Entry[] = [];
  readonly #early = new Map<string, Shown>();

  constructor(store: CheckpointStore, memory: ThreadMemory, describe: Describe) {
    this.#store = store;
    this.#memory = memory;
    this.#describe = describe;
  }

  checkpoint(tuple: LiveTuple, body: Held["body"]): void {
    const key = reportKey(body.namespace, body.checkpoint_id);
    this.#entries.push({ held: { tuple, body, shown: this.#early.get(key) } });
    this.#early.delete(key);
    this.#advance();
  }

  writes(writes: Omit<WritesBody, "items">): void {
    this.#entries.push({ writes });
    this.#advance();
  }

  /** The framework's report, which may come before or after the put. */
  report(namespace: string, checkpointId: string, shown: (held: LiveTuple | undefined) => Shown): void {
    const held = this.#find(namespace, checkpointId);
    if (held?.shown) return;
    if (held) held.shown = shown(held.tuple);
    else {
      this.#early.set(reportKey(namespace, checkpointId), shown(undefined));
      if (this.#early.size > MAX_EARLY_REPORTS) this.#early.delete(this.#early.keys().next().value!);
    }
    this.#advance();
  }

  /** A checkpoint that is not on the pipe yet. */
  pending(namespace: string, checkpointId: string): LiveTuple | undefined {
    return this.#find(namespace, checkpointId)?.tuple;
  }

  /** Sends everything, asking for the reports that never came. */
  async flush(): Promise<void> {
    for (const entry of [...this.#entries]) {
      if ("held" in entry && !entry.held.shown) entry.held.shown = await this.#describe(entry.held.tuple);
    }
    this.#advance();
  }

  #find(namespace: string, checkpointId: string): Held | undefined {
    for (const entry of this.#entries) {
      if (!("held" in entry)) continue;
      const { body } = entry.held;
      if (body.namespace === namespace && body.checkpoint_id === checkpointId) return entry.held;
    }
    return undefined;
  }

  #advance(): void {
    while (this.#entries.length > 0) {
      const entry = this.#entries[0]!;
      if ("held" in entry && !entry.held.shown) return;
      this.#entries.shift();
      // Items are numbered when a value is encoded, so a report may number items after those of what waits behind
      // it: each message takes along all that are not sent yet.
      const items = this.#memory.ledger.takeNew();
      if ("held" in entry)
        this.#store.checkpoint({ ...entry.held.body, shown: entry.held.shown!, ...(items && { items }) });
      else this.#store.writes({ ...entry.writes, ...(items && { items }) });
    }
  }
}

function reportKey(namespace: string, checkpointId: string): string {
  return `${namespace}\n${checkpointId}`;
}

/**
 * The state of recent threads, kept between runs so that the next run sends a position and not a conversation. A run
 * takes its thread's entry out and gives it back only when it ended well; the longest unused leave first.
 */
import type { RunStart } from "../../src/runner/protocol.ts";
import type { ThreadMemory } from "./memory.ts";

/** Live values weigh more than their JSON: objects, strings of two bytes, the ledger's keys. */
const BYTES_PER_JSON_CHARACTER = 4;

type Entry = { memory: ThreadMemory; head: string; bytes: number };

export class WarmStates {
  readonly #maxBytes: number;
  /** In the order of their last use. */
  readonly #entries = new Map<number, Entry>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The entry of a run's thread, if nothing has been committed since it was given back. */
  take({ log_id, head, next_item }: RunStart): ThreadMemory | undefined {
    const entry = this.#remove(log_id);
    if (!entry || head?.checkpoint_id !== entry.head || entry.memory.ledger.next !== next_item)
      return undefined;
    return entry.memory;
  }

  give(log: number, memory: ThreadMemory): void {
    this.#remove(log);
    const head = memory.root?.checkpoint.id;
    const bytes = memory.ledger.characters * BYTES_PER_JSON_CHARACTER;
    if (!head || bytes > this.#maxBytes) return;
    this.#entries.set(log, { memory, head, bytes });
    this.#bytes += bytes;
    while (this.#bytes > this.#maxBytes) this.#remove(this.#entries.keys().next().value!);
  }

  #remove(log: number): Entry | undefined {
    const entry = this.#entries.get(log);
    if (entry) {
      this.#entries.delete(log);
      this.#bytes -= entry.bytes;
    }
    return entry;
  }
}

/** What a process knows of one thread's log: which objects stand for which stored items, and its latest tuple. */
import { hash } from "node:crypto";
import { ItemLedger } from "../../src/core/items.ts";
import type { LiveTuple } from "./tuple.ts";

export type Place = { log: number; number: number };

export class ThreadMemory {
  readonly ledger: ItemLedger;
  /** Objects that are list elements of the state, and the stored items that are their copies. */
  readonly places = new WeakMap<object, Place>();
  /** The thread's head, with live values. */
  root: LiveTuple | undefined;

  constructor(log: number, nextItem: number) {
    this.ledger = new ItemLedger(log, nextItem, (text) => hash("sha256", text, "base64url"));
  }
}

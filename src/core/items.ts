/**
 * Which elements of lists are stored as items of a log, and under which numbers. A value then refers to ranges of
 * items, so a list that grew by one costs one item and one range, whatever its length. Pure.
 *
 * An item is found again by its content: two equal elements may share a number, since an item never changes.
 */
import { type ItemRange, tagged } from "./encoding.ts";
import type { Json } from "./json.ts";

/** Shorter text stays in the list itself: a range in its place would be longer. */
const ITEM_TEXT_LENGTH = 24;

export class ItemLedger {
  readonly log: number;
  #next: number;
  #unsent: { first: number; bodies: Json[] };
  #characters = 0;
  readonly #numbers = new Map<string, { log: number; number: number }>();
  readonly #digest: (text: string) => string;

  /** `next` is the log's next free item number; `digest` maps a body's JSON text to a short unique key. */
  constructor(log: number, next: number, digest: (text: string) => string) {
    this.log = log;
    this.#next = next;
    this.#unsent = { first: next, bodies: [] };
    this.#digest = digest;
  }

  get next(): number {
    return this.#next;
  }

  /** The length of all items it knows as JSON text, for whoever bounds its memory. */
  get characters(): number {
    return this.#characters;
  }

  /** Tells the ledger of an item read from the store, so that it will not be stored again. */
  remember(place: { log: number; number: number }, body: Json): void {
    const text = JSON.stringify(body);
    this.#characters += text.length;
    this.#numbers.set(this.#key(text), place);
  }

  /** The place of an encoded element that is already an item or becomes one now; undefined: it stays inline. */
  place(body: Json): { log: number; number: number } | undefined {
    const small =
      typeof body === "string" ? body.length < ITEM_TEXT_LENGTH : typeof body !== "object" || body === null;
    if (small) return undefined;
    const text = JSON.stringify(body);
    const key = this.#key(text);
    const known = this.#numbers.get(key);
    if (known) return known;
    this.#characters += text.length;
    const place = { log: this.log, number: this.#next++ };
    this.#numbers.set(key, place);
    this.#unsent.bodies.push(body);
    return place;
  }

  /** The items given a number since the last call, to be stored before anything that refers to them. */
  takeNew(): { first: number; bodies: Json[] } | undefined {
    const taken = this.#unsent;
    this.#unsent = { first: this.#next, bodies: [] };
    return taken.bodies.length > 0 ? taken : undefined;
  }

  #key(text: string): string {
    return text.length > 64 ? this.#digest(text) : text;
  }
}

/** A list under construction: inline elements and item places, neighbouring places coalesced into ranges. */
export class ListBuilder {
  readonly #elements: Json[] = [];
  #open: ItemRange | undefined;

  addInline(element: Json): void {
    this.#close();
    this.#elements.push(element);
  }

  addItem({ log, number }: { log: number; number: number }): void {
    if (this.#open && this.#open.log === log && this.#open.first + this.#open.count === number)
      this.#open.count++;
    else {
      this.#close();
      this.#open = { log, first: number, count: 1 };
    }
  }

  finish(): Json[] {
    this.#close();
    return this.#elements;
  }

  #close(): void {
    if (!this.#open) return;
    this.#elements.push(tagged("items", this.#open.log, this.#open.first, this.#open.count));
    this.#open = undefined;
  }
}

/** Runs that a node has something to remember of: bounded, and lost with the node. */

/** Beyond this the ones added longest ago are forgotten. */
const MAX_REMEMBERED = 10_000;

export class RunMemory {
  readonly #ids = new Set<string>();

  add(run_id: string): void {
    this.#ids.add(run_id);
    if (this.#ids.size > MAX_REMEMBERED) this.#ids.delete(this.#ids.values().next().value!);
  }

  has(run_id: string): boolean {
    return this.#ids.has(run_id);
  }

  /** Whether it is one, which it is no longer then. */
  take(run_id: string): boolean {
    return this.#ids.delete(run_id);
  }
}

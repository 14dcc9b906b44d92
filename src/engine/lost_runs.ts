/** Runs whose last attempt on this node lost its agent process: the next one gets a process to itself. */

/** Beyond this the ones lost longest ago are forgotten: they would share a process again, nothing worse. */
const MAX_REMEMBERED = 10_000;

export class LostRuns {
  readonly #ids = new Set<string>();

  add(run_id: string): void {
    this.#ids.add(run_id);
    if (this.#ids.size > MAX_REMEMBERED) this.#ids.delete(this.#ids.values().next().value!);
  }

  /** Whether it is one, which the attempt that asks makes it no longer. */
  take(run_id: string): boolean {
    return this.#ids.delete(run_id);
  }
}

/** What a reader of a thread leaves out where a question was answered more than once: the other answers. */
type Entry = { position: number; namespace: string; run_id: string | null };

/** What of one checkpoint is left out: entries of these runs, each up to a position. */
export class Branch {
  readonly #checkpoint_id: string;
  /** The tasks that asked: namespaces below them belong to the answers. */
  readonly #tasks: ReadonlySet<string>;
  readonly #runs: ReadonlyMap<string, number>;

  constructor(checkpoint_id: string, tasks: ReadonlySet<string>, runs: ReadonlyMap<string, number>) {
    this.#checkpoint_id = checkpoint_id;
    this.#tasks = tasks;
    this.#runs = runs;
  }

  /** Whether a checkpoint of a subgraph was made for an answer that counts no more. */
  leavesOut(entry: Entry): boolean {
    const task = entry.namespace.split("|")[0]!.split(":").at(-1)!;
    return this.#tasks.has(task) && entry.position <= (this.#runs.get(entry.run_id ?? "") ?? 0);
  }

  leavesOutWrites(row: Entry & { checkpoint_id: string }): boolean {
    if (row.namespace !== "") return this.leavesOut(row);
    return (
      row.checkpoint_id === this.#checkpoint_id && row.position <= (this.#runs.get(row.run_id ?? "") ?? 0)
    );
  }
}

/** What a reader of a thread leaves out where a question was answered more than once: the other answers. */
import type { WritesRow } from "./writes.ts";

type Entry = { position: number; namespace: string; run_id: string | null };

/** What of one checkpoint is left out: entries of these runs, each up to a position. */
export class Branch {
  readonly #checkpoint_id: string;
  /** The tasks that asked: namespaces below them belong to the answers. */
  readonly #tasks: ReadonlySet<string>;
  readonly #runs: ReadonlyMap<string, number>;
  /** Runs of which only the answers are left out, not what came of them. */
  readonly #folded: ReadonlySet<string>;

  constructor(branch: {
    checkpoint_id: string;
    tasks: ReadonlySet<string>;
    runs: ReadonlyMap<string, number>;
    folded: ReadonlySet<string>;
  }) {
    this.#checkpoint_id = branch.checkpoint_id;
    this.#tasks = branch.tasks;
    this.#runs = branch.runs;
    this.#folded = branch.folded;
  }

  /** Whether a checkpoint of a subgraph was made for an answer that counts no more. */
  leavesOut(entry: Entry): boolean {
    const task = entry.namespace.split("|")[0]!.split(":").at(-1)!;
    return this.#tasks.has(task) && entry.position <= (this.#runs.get(entry.run_id ?? "") ?? 0);
  }

  /** What of a row of writes counts, as rows: none, or one. */
  rest(row: WritesRow): WritesRow[] {
    if (row.namespace !== "") return this.leavesOut(row) ? [] : [row];
    if (row.checkpoint_id !== this.#checkpoint_id) return [row];
    if (row.position > (this.#runs.get(row.run_id ?? "") ?? 0)) return [row];
    if (!this.#folded.has(row.run_id ?? "")) return [];
    const writes = (JSON.parse(row.writes) as [idx: number, ...unknown[]][]).filter(([idx]) => idx >= 0);
    return [{ ...row, writes: JSON.stringify(writes) }];
  }
}

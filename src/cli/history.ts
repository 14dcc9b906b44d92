/** A thread's checkpoints as a table: the same for `thread history` and for `/history` in a chat. */
import type { CrewshipClient, HistoryFilter } from "../client/client.ts";
import type { Checkpoint } from "../core/checkpoint.ts";
import { dateTime, printTable, summary } from "./output.ts";

/** Checkpoints, newest first, each with the one among them that it came of: null, or one that is not among them. */
export type History = { checkpoint: Checkpoint; parent: string | null }[];

/** So many steps are looked at to find which of the checkpoints came of which. */
const MAX_STEPS = 2_000;
const PAGE = 100;

/** A page of the history, with what each came of, whether or not the steps between are listed. */
export async function readHistory(
  client: CrewshipClient,
  id: string,
  filter: HistoryFilter,
): Promise<History> {
  const { checkpoints } = await client.history(id, filter);
  const listed = new Set(checkpoints.map(({ checkpoint_id }) => checkpoint_id));
  const parents = new Map(checkpoints.map((one) => [one.checkpoint_id, one.parent_checkpoint_id]));
  const oldest = checkpoints.at(-1)?.checkpoint_id;
  let before = filter.before;
  while (filter.granularity !== "step" && parents.size < MAX_STEPS) {
    const select = "checkpoint_id,parent_checkpoint_id";
    const { checkpoints: steps } = await client.history(id, {
      granularity: "step",
      limit: PAGE,
      before,
      select,
    });
    for (const step of steps) parents.set(step.checkpoint_id, step.parent_checkpoint_id);
    before = steps.at(-1)?.checkpoint_id;
    if (steps.length < PAGE || steps.some(({ checkpoint_id }) => checkpoint_id === oldest)) break;
  }
  return checkpoints.map((checkpoint) => {
    let parent = checkpoint.parent_checkpoint_id;
    while (parent !== null && !listed.has(parent)) parent = parents.get(parent) ?? null;
    return { checkpoint, parent };
  });
}

export function printHistory(history: History): void {
  const lines = branchLines(
    history.map(({ checkpoint, parent }) => ({ id: checkpoint.checkpoint_id, parent })),
  );
  const isTree = lines.some((line) => line.length > 1);
  printTable<{ checkpoint: Checkpoint; line: string }>(
    [
      ...(isTree ? [{ title: "", cell: ({ line }: { line: string }) => line }] : []),
      { title: "checkpoint", cell: ({ checkpoint }) => checkpoint.checkpoint_id },
      { title: "created", cell: ({ checkpoint }) => dateTime(checkpoint.created_at) },
      { title: "step", cell: ({ checkpoint }) => String(checkpoint.step) },
      { title: "made by", cell: ({ checkpoint }) => checkpoint.run_id ?? checkpoint.source },
      { title: "next", cell: ({ checkpoint }) => checkpoint.next.join(", ") || "–" },
      { title: "state", cell: ({ checkpoint }) => summary(checkpoint.values) },
    ],
    history.map(({ checkpoint }, i) => ({ checkpoint, line: lines[i]! })),
    "No checkpoints yet: the first run leaves one.",
  );
}

/**
 * A line for each checkpoint, newest first, with the branches beside each other; where one began it joins the other:
 *
 *     ●
 *     │ ●
 *     ●─╯
 */
export function branchLines(checkpoints: readonly { id: string; parent: string | null }[]): string[] {
  /** Of each branch the checkpoint that comes next in it; null: the column is free. */
  const branches: (string | null)[] = [];
  return checkpoints.map(({ id, parent }) => {
    const joined = branches.flatMap((next, at) => (next === id ? [at] : []));
    const own = joined[0] ?? freeColumn(branches);
    const last = joined.at(-1) ?? own;
    branches[own] = id;
    const line = branches.map((next, at) => {
      if (at === own) return last > own ? "●─" : "● ";
      if (at > own && at < last) return joined.includes(at) ? "┴─" : next === null ? "──" : "┼─";
      if (at === last) return "╯ ";
      return next === null ? "  " : "│ ";
    });
    for (const at of joined) branches[at] = null;
    branches[own] = parent;
    while (branches.length > 0 && branches.at(-1) === null) branches.pop();
    return line.join("").trimEnd();
  });
}

function freeColumn(branches: (string | null)[]): number {
  const free = branches.indexOf(null);
  return free < 0 ? branches.length : free;
}

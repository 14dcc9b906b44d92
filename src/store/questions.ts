/**
 * Questions that wait at a checkpoint. One that was answered may be answered again by a run that starts from its
 * checkpoint: a branch. The first answer and what came of it still stand there; they count no more.
 */
import { type ItemLookup, show } from "../core/encoding.ts";
import { isObject, type Json } from "../core/json.ts";
import type { Interrupt } from "../core/thread.ts";
import { Branch } from "./branch.ts";
import { type CheckpointRow, readHead } from "./checkpoints.ts";
import type { Queryable } from "./database.ts";
import { itemLookup } from "./items.ts";
import { View } from "./logs.ts";
import { join, sql } from "./sql.ts";
import { merged, type PendingWrite, pendingWrites, type WritesRow, writesAt } from "./writes.ts";

const INTERRUPT_CHANNEL = "__interrupt__";

type AskedBy = Interrupt & { task_id: string };

/** A run that answers at a checkpoint it names. */
export type Answering = {
  run_id: string;
  resume: Json;
  /** What an earlier attempt left there, up to this position, is left out, unless it asked. */
  begins_after: number;
  /**
   * The checkpoint has channels that are folded from writes (LangGraph's DeltaChannel). LangGraph then has to know that
   * others have written here: it stores whole values with its next checkpoint, and does finished tasks again by itself.
   */
  folds: boolean;
};

/**
 * The view in which a checkpoint has only the writes of its newest branch: of each run that answered there by its id, and
 * of those before it up to the one that asked. `next` is one that is about to.
 */
export async function newestBranch(
  q: Queryable,
  view: View,
  checkpoint_id: string,
  next?: Answering,
): Promise<View> {
  const rows = await writesAt(q, view, "", checkpoint_id);
  const runs = [...new Set(rows.map(({ run_id }) => run_id ?? ""))];
  // One asked, one answered: a branch takes a third.
  if (!next && runs.length < 3) return view;
  const answers = await answersAt(q, view, checkpoint_id, runs);
  if (next) answers.set(next.run_id, next.resume);
  let branch: string[] = [];
  for (const run of next ? [...runs.filter((run) => run !== next.run_id), next.run_id] : runs) {
    const resume = answers.get(run);
    if (resume !== undefined) branch = await asked(q, rows, branch, resume);
    branch.push(run);
  }
  const others = runs.filter((run) => !branch.includes(run));
  const left = new Map(others.map((run) => [run, Number.MAX_SAFE_INTEGER]));
  const asking = rows.filter(asks);
  if (next && !asking.some(({ run_id }) => run_id === next.run_id)) left.set(next.run_id, next.begins_after);
  const tasks = new Set(asking.map(({ task_id }) => task_id));
  const folded = new Set(next?.folds ? others : []);
  return new View(view.segments, view.hidden, new Branch({ checkpoint_id, tasks, runs: left, folded }));
}

/** The runs up to the last after which everything waited that is answered here; else after which anything did. */
async function asked(q: Queryable, rows: WritesRow[], runs: string[], resume: Json): Promise<string[]> {
  const named = answeredIds(resume);
  let waiting: string[] | undefined;
  for (let count = runs.length; count > 0; count--) {
    const part = runs.slice(0, count);
    const open = await questionsIn(q, merged(rows.filter(({ run_id }) => part.includes(run_id ?? ""))), []);
    if (open.length === 0) continue;
    if (named.every((id) => open.some((question) => question.id === id))) return part;
    waiting ??= part;
  }
  return waiting ?? runs;
}

/** What runs answered at a checkpoint that they named: run → `command.resume`. */
async function answersAt(
  q: Queryable,
  view: View,
  checkpoint_id: string,
  runs: string[],
): Promise<Map<string, Json>> {
  if (runs.length === 0) return new Map();
  const rows = await q.query<{ run_id: string; command: string }>(sql`
    select run_id, command from run_requests
    where log_id in (${join(view.segments.map(({ log_id }) => log_id))}) and run_id in (${join(runs)})
      and checkpoint_id = ${checkpoint_id} and command is not null`);
  return new Map(
    rows.flatMap(({ run_id, command }) => {
      const { resume } = JSON.parse(command) as { resume?: Json };
      return resume === undefined ? [] : [[run_id, resume] as const];
    }),
  );
}

function asks({ writes }: WritesRow): boolean {
  return (JSON.parse(writes) as [number, string, Json][]).some(
    ([, channel]) => channel === INTERRUPT_CHANNEL,
  );
}

/** As LangGraph tells answers by id from a single answer: every key has an id's form. */
const ID = /^([0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

/** The questions that `command.resume` answers by id; none when it is a single answer. */
export function answeredIds(resume: Json): string[] {
  const keys = isObject(resume) ? Object.keys(resume) : [];
  return keys.every((key) => ID.test(key)) ? keys : [];
}

/** The open questions of a log's head. */
export async function openQuestions(q: Queryable, log_id: number): Promise<Interrupt[]> {
  return (await openQuestionsByTask(q, log_id)).map(withoutTaskId);
}

/** The same, each with the id of the task that asks. */
export async function openQuestionsByTask(q: Queryable, log_id: number): Promise<AskedBy[]> {
  const { view, head } = await readHead(q, log_id);
  if (!head) return [];
  const branch = await newestBranch(q, view, head.checkpoint_id);
  const writes = await pendingWrites(q, branch, "", head.checkpoint_id);
  return questionsIn(q, writes, head.shown?.tasks ?? []);
}

/** The questions that wait at a root checkpoint. */
export async function questionsAt(q: Queryable, view: View, row: CheckpointRow): Promise<Interrupt[]> {
  const writes = await pendingWrites(q, view, "", row.checkpoint_id);
  return (await questionsIn(q, writes, row.shown?.tasks ?? [])).map(withoutTaskId);
}

/** A log's head waits for a person: a question is open there, or its run stopped there at a breakpoint. */
export async function headWaits(q: Queryable, log_id: number): Promise<boolean> {
  if ((await openQuestions(q, log_id)).length > 0) return true;
  const { head } = await readHead(q, log_id);
  if (!head?.run_id || !head.shown?.next.length) return false;
  const stopped = await q.query(sql`
    select 1 from runs where run_id = ${head.run_id} and status = 'interrupted'`);
  return stopped.length > 0;
}

/** A question is open until its task has written something else. Its id is the framework's, else its task's. */
export async function questionsIn(
  q: Queryable,
  writes: readonly PendingWrite[],
  tasks: readonly Json[],
): Promise<AskedBy[]> {
  const answered = new Set(writes.filter((write) => write.idx >= 0).map((write) => write.task_id));
  const open = writes.filter((write) => write.channel === INTERRUPT_CHANNEL && !answered.has(write.task_id));
  if (open.length === 0) return [];
  const lookup: ItemLookup = await itemLookup(
    q,
    open.map((write) => write.value),
  );
  return open.flatMap((write) => {
    const value = show(write.value, lookup);
    const name = tasks.find((task) => isObject(task) && task.id === write.task_id);
    const task = isObject(name) && typeof name.name === "string" ? name.name : undefined;
    return (Array.isArray(value) ? value : [value]).filter(isObject).map((question) => ({
      id: String(question.id ?? question.interrupt_id ?? write.task_id),
      value: question.value ?? null,
      ...(task === undefined ? {} : { task }),
      task_id: write.task_id,
    }));
  });
}

export function withoutTaskId({ task_id: _, ...interrupt }: AskedBy): Interrupt {
  return interrupt;
}

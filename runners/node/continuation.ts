/**
 * How a later attempt of a run goes on. Repeating the command would give an old answer to a new question, invoking
 * with null would pass a breakpoint nobody approved, repeating the input would apply it twice. So it looks first at
 * what the run has committed.
 */
import type { RunStart, StoredCheckpoint } from "../../src/runner/protocol.ts";
import type { CompiledGraph } from "./framework.ts";
import type { SaverState } from "./saver.ts";
import type { LiveTuple } from "./tuple.ts";

const INTERRUPT = "__interrupt__";
/** What a command writes belongs to no task. */
const NULL_TASK_ID = "00000000-0000-0000-0000-000000000000";

export type Continuation = {
  /** input: as if nothing had happened; resume: invoke with null; else the run is over already. */
  way: "input" | "resume" | "interrupted" | "succeeded";
  /** The state the run started from, null for an empty thread. */
  base: LiveTuple | null;
};

export async function decideContinuation(
  start: RunStart,
  graph: CompiledGraph,
  state: SaverState,
): Promise<Continuation> {
  const head = await state.readStored({ kind: "tuple", namespace: "" });
  const chosen = start.checkpoint_id
    ? await state.readStored({ kind: "tuple", namespace: "", checkpoint_id: start.checkpoint_id })
    : undefined;
  const isOwn = ({ run_id }: { run_id: string | null }) => run_id === start.run_id;
  const ownHead = head !== undefined && isOwn(head.stored);
  // Before its first checkpoint, a run's writes stand on the checkpoint it started from.
  const at = ownHead ? head : (chosen ?? head);
  if (!at) return { way: "input", base: null };
  const ownWrites = at.stored.writes.filter(isOwn);
  if (!ownHead) {
    if (ownWrites.length === 0) return { way: "input", base: at.tuple };
    // The whole command is committed, and nothing it leads to: also where nothing was to follow.
    if (ownWrites.every((write) => write.task_id === NULL_TASK_ID)) return { way: "resume", base: at.tuple };
  }
  const base = ownHead ? await findBase(at, state, start.run_id) : at.tuple;
  // Only the initial values were applied; the input was not.
  if (ownHead && at.stored.metadata !== null && sourceOf(at.stored) === "update")
    return { way: "input", base: at.tuple };
  if (ownWrites.some((write) => write.channel === INTERRUPT)) return { way: "interrupted", base };
  const next = at.stored.next ?? (await nextOf(graph, at.stored));
  if (next.length === 0) return { way: "succeeded", base };
  // A breakpoint this run stands at is one that its own checkpoint reached: what it found it had leave to pass.
  if (ownHead && (await standsAtBreakpoint(start, graph, state, at.stored, next)))
    return { way: "interrupted", base };
  return { way: "resume", base };
}

async function standsAtBreakpoint(
  start: RunStart,
  graph: CompiledGraph,
  state: SaverState,
  stored: StoredCheckpoint,
  next: string[],
): Promise<boolean> {
  if (meets(next, start.interrupt_before ?? graph.interruptBefore)) return true;
  const after = start.interrupt_after ?? graph.interruptAfter;
  // Only a finished step stops after its nodes: an input leaves what its parent was waiting for undone.
  if (!after?.length || sourceOf(stored) !== "loop" || !stored.parent_checkpoint_id) return false;
  const parent = await state.readStored({
    kind: "tuple",
    namespace: "",
    checkpoint_id: stored.parent_checkpoint_id,
  });
  if (!parent) return false;
  return meets(parent.stored.next ?? (await nextOf(graph, parent.stored)), after);
}

function meets(nodes: string[], breakpoints: string[] | "*" | undefined): boolean {
  if (breakpoints === "*") return nodes.some((node) => !node.startsWith("__"));
  return nodes.some((node) => breakpoints?.includes(node));
}

async function findBase(
  from: { stored: StoredCheckpoint; tuple: LiveTuple },
  state: SaverState,
  runId: string,
): Promise<LiveTuple | null> {
  let at: typeof from | undefined = from;
  while (at?.stored.run_id === runId) {
    const parent: string | null = at.stored.parent_checkpoint_id;
    if (parent === null) return null;
    at = await state.readStored({ kind: "tuple", namespace: "", checkpoint_id: parent });
  }
  return at?.tuple ?? null;
}

async function nextOf(graph: CompiledGraph, stored: StoredCheckpoint): Promise<string[]> {
  const config = { configurable: { thread_id: "-", checkpoint_ns: "", checkpoint_id: stored.checkpoint_id } };
  return (await graph.getState(config)).next;
}

function sourceOf(stored: StoredCheckpoint): unknown {
  return (stored.metadata as { source?: unknown } | null)?.source;
}

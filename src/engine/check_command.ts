/** Refuses what a run's request may not ask of its agent: answers nobody waits for, nodes the graph does not have. */
import { isObject, type Json } from "../core/json.ts";
import { Problem } from "../core/problem.ts";
import type { RunError, RunRequest } from "../core/run.ts";
import type { Interrupt } from "../core/thread.ts";
import { LoadError } from "../runner/errors.ts";
import type { Queryable } from "../store/database.ts";
import { answeredIds, newestBranch, openQuestions, questionsAt } from "../store/questions.ts";
import { activeVersion, type VersionRow, versionStructure } from "../store/versions.ts";
import { findCheckpointOf } from "./find_checkpoint.ts";
import type { Node } from "./node.ts";

/** How long a request waits for an agent that has to be loaded before its nodes are known. */
const LOAD_TIMEOUT_MS = 60_000;
/** Nodes every graph has. */
const ALWAYS = ["__start__", "__end__"];

/** Throws a 400 for a command that no agent of this framework could follow, whatever its thread holds. */
export function checkForm(
  { command, input, interrupt_before, interrupt_after }: RunRequest,
  framework: string,
) {
  const refuse = (message: string) => {
    throw new Problem("bad_request", { message });
  };
  const isGraph = framework.startsWith("langgraph");
  if (command && input !== undefined && input !== null) {
    refuse("Send input or command, not both: a command takes the input's place.");
  }
  if (command?.resume === null && isGraph) {
    refuse("body.command.resume cannot be null: LangGraph takes null for no answer.");
  }
  if (isGraph) return;
  if (command && !("resume" in command)) {
    refuse("body.command: only a graph can be given update or goto; this agent takes resume.");
  }
  if (interrupt_before !== undefined || interrupt_after !== undefined) {
    refuse("body.interrupt_before and interrupt_after name a graph's nodes, and this agent is none.");
  }
}

/**
 * Throws a 400 for a node the graph does not have. Loads the agent when a request names nodes; one that cannot be loaded
 * is left to the run, which says why.
 */
export async function checkNodes(
  node: Node,
  { deployment_id, request }: { deployment_id: string; request: RunRequest },
): Promise<void> {
  const named = [
    ...gotoNodes(request.command?.goto).map((name) => ["body.command.goto", name] as const),
    ...breakpoints(request.interrupt_before).map((name) => ["body.interrupt_before", name] as const),
    ...breakpoints(request.interrupt_after).map((name) => ["body.interrupt_after", name] as const),
  ];
  if (named.length === 0) return;
  const version = await activeVersion(node.database, deployment_id, request.environment ?? "production");
  const known = version?.framework.startsWith("langgraph") ? await nodesOf(node, version) : undefined;
  if (known === undefined) return;
  for (const [field, name] of named) {
    if (known.includes(name) || ALWAYS.includes(name)) continue;
    throw new Problem("node_unknown", {
      message: `${field}: the graph has no node "${name}". Its nodes: ${known.join(", ")}.`,
    });
  }
}

function gotoNodes(goto: Json | undefined): string[] {
  const targets = goto === undefined || goto === null ? [] : Array.isArray(goto) ? goto : [goto];
  return targets.map((target) => {
    if (typeof target === "string") return target;
    if (isObject(target) && typeof target.node === "string") return target.node;
    throw new Problem("bad_request", {
      message: 'body.command.goto takes the name of a node, {"node": …, "input": …}, or a list of these.',
    });
  });
}

function breakpoints(names: string[] | "*" | undefined): string[] {
  return names === undefined || names === "*" ? [] : names;
}

async function nodesOf(node: Node, version: VersionRow): Promise<string[] | undefined> {
  const signal = AbortSignal.timeout(LOAD_TIMEOUT_MS);
  try {
    // A folder may have changed since it was asked; a version never does.
    const structure =
      version.machine === null
        ? await versionStructure(node.database, version.version_id)
        : await node.supervisor.load(await node.prepare(version, "production", signal));
    const names = structure?.drawings[0]?.nodes.map(({ id }) => id) ?? [];
    const known = names.filter((name) => !ALWAYS.includes(name));
    return known.length > 0 ? known : undefined;
  } catch (error) {
    if (error instanceof LoadError || signal.aborted) return undefined;
    throw error;
  }
}

/** Throws interrupt_not_waiting unless `command.resume` answers what waits where the run starts. */
export async function checkAnswer(
  q: Queryable,
  thread: { log_id: number; thread_id: string | null },
  request: { command?: RunRequest["command"]; checkpoint_id?: string | undefined },
): Promise<void> {
  const resume = request.command?.resume;
  if (resume === undefined) return;
  const waiting = await questions(q, thread.log_id, request.checkpoint_id, resume);
  const wrong = mismatch(resume, waiting);
  if (wrong === undefined) return;
  throw new Problem("interrupt_not_waiting", {
    thread_id: thread.thread_id,
    interrupts: waiting,
    message: wrong,
  });
}

/**
 * Why a run that waited its turn cannot begin: the runs before it may have settled what it answers, or been rolled back
 * with the checkpoint it was to start from.
 */
export async function refusedStart(
  q: Queryable,
  thread: { log_id: number; thread_id: string | null },
  request: { command: Json | null; checkpoint_id: string | null },
): Promise<RunError | undefined> {
  const checkpoint_id = request.checkpoint_id ?? undefined;
  try {
    if (checkpoint_id !== undefined) await findCheckpointOf(q, thread.log_id, checkpoint_id);
    if (isObject(request.command)) await checkAnswer(q, thread, { command: request.command, checkpoint_id });
    return undefined;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { code: error.code === "not_found" ? "checkpoint_gone" : error.code, message: error.message };
  }
}

/** A checkpoint that is named may be answered again: that is travelling in time. The head waits only for what is open. */
async function questions(
  q: Queryable,
  log_id: number,
  checkpoint_id: string | undefined,
  resume: Json,
): Promise<Interrupt[]> {
  if (checkpoint_id === undefined) return openQuestions(q, log_id);
  const { view, row } = await findCheckpointOf(q, log_id, checkpoint_id);
  const next = { run_id: "", resume, begins_after: 0, folds: false };
  return questionsAt(q, await newestBranch(q, view, checkpoint_id, next), row);
}

function mismatch(resume: Json, waiting: Interrupt[]): string | undefined {
  if (waiting.length === 0) {
    return "waits for no answer. Send input instead; from a breakpoint a run goes on with input null.";
  }
  const ids = waiting.map(({ id }) => id);
  const answered = answeredIds(resume);
  const unknown = answered.find((id) => !ids.includes(id));
  if (unknown !== undefined) return `waits for no answer to ${unknown}, but to ${ids.join(", ")}.`;
  // Before ids were LangGraph's own, one answer went to whichever task took it first.
  if (answered.length === 0 && ids.length > 1 && ids.every((id) => /^[0-9a-f]{32}$/.test(id))) {
    return `waits for ${ids.length} answers: send command.resume as an object from id to answer, for any of ${ids.join(", ")}.`;
  }
  return undefined;
}

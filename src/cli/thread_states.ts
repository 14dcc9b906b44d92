/** `crewship thread …`: a thread's states, now and in its history. */
import { type Command, Option } from "commander";
import type { PatchOperation, Prune } from "../client/client.ts";
import type { ThreadState } from "../core/checkpoint.ts";
import { isObject } from "../core/json.ts";
import { printHistory, readHistory } from "./history.ts";
import { readJsonObject } from "./json_input.ts";
import { clean, dateTime, inline, note, paint, print, printFacts, printJson } from "./output.ts";
import { confirmed } from "./prompt.ts";
import { openSession, seconds, wholeNumber } from "./session.ts";

type HistoryOptions = { limit: number; before?: string; run?: string; steps?: boolean };
type StateOptions = { checkpoint?: string; subgraphs?: boolean };
type UpdateOptions = { values: string; asNode?: string; checkpoint?: string };
type PruneOptions = { delete?: boolean; keepLast?: number; olderThan?: number; yes?: boolean };

export function addThreadStates(thread: Command): void {
  thread
    .command("history")
    .description("the thread's checkpoints, the newest first: one per run, or one per step")
    .argument("<thread>", "thr_…")
    .option("--steps", "every step's checkpoint instead of each run's last")
    .option("--run <id>", "only checkpoints this run made")
    .option("--limit <n>", "how many", wholeNumber(1, 100), 20)
    .option("--before <checkpoint>", "only checkpoints older than this one")
    .addHelpText(
      "after",
      "\nExamples:\n  $ crewship thread history thr_…\n  $ crewship thread history thr_… --steps --limit 50\n",
    )
    .action(async (id: string, { steps, run, limit, before }: HistoryOptions, command: Command) => {
      const { client, json } = openSession(command);
      const filter = { limit, before, run_id: run, granularity: steps ? "step" : "run" } as const;
      if (json) return printJson(await client.history(id, filter));
      printHistory(await readHistory(client, id, filter));
    });

  thread
    .command("state")
    .description("the thread's state, now or at one of its checkpoints")
    .argument("<thread>", "thr_…")
    .option("--checkpoint <id>", "as it was at this checkpoint")
    .option("--subgraphs", "also the states of the subgraphs that its tasks run")
    .addHelpText(
      "after",
      "\nExamples:\n  $ crewship thread state thr_…\n  $ crewship thread state thr_… --checkpoint 1f0…\n  $ crewship thread state thr_… --subgraphs\n",
    )
    .action(async (id: string, { checkpoint, subgraphs }: StateOptions, command: Command) => {
      const { client, json } = openSession(command);
      const state = await client.getState(id, { checkpoint_id: checkpoint, subgraphs });
      if (json) return printJson(state);
      showState(state);
    });

  thread
    .command("update")
    .description("change the thread's state by hand; prints the new checkpoint's id")
    .argument("<thread>", "thr_…")
    .requiredOption("--values <json>", "what to change: the graph's reducers apply it; - reads it from stdin")
    .option("--as-node <node>", "as if this node of the graph had returned it")
    .option("--checkpoint <id>", "starting from this checkpoint: a new branch")
    .addHelpText(
      "after",
      '\nExamples:\n  $ crewship thread update thr_… --values \'{"topic":"tea"}\'\n  $ crewship thread update thr_… --values \'{"topic":"tea"}\' --checkpoint 1f0…\n',
    )
    .action(async (id: string, { values, asNode, checkpoint }: UpdateOptions, command: Command) => {
      const { client, json } = openSession(command);
      const update = {
        values: await readJsonObject("--values", values),
        ...(asNode !== undefined && { as_node: asNode }),
        ...(checkpoint !== undefined && { checkpoint_id: checkpoint }),
      };
      const made = await client.updateState(id, update, { idempotencyKey: crypto.randomUUID() });
      if (json) return printJson(made);
      print(made.checkpoint_id);
    });

  thread
    .command("diff")
    .description("what changed between two checkpoints, or since one of them")
    .argument("<thread>", "thr_…")
    .argument("<from>", "a checkpoint's id, as `crewship thread history` shows it")
    .argument("[to]", "another; without it the newest")
    .addHelpText(
      "after",
      "\nExamples:\n  $ crewship thread diff thr_… 1f0…\n  $ crewship thread diff thr_… 1f0… 1f1… --json\n",
    )
    .action(async (id: string, from: string, to: string | undefined, _options: unknown, command: Command) => {
      const { client, json } = openSession(command);
      const answer = await client.diff(id, { from, ...(to !== undefined && { to }) });
      if (json) return printJson(answer);
      for (const operation of answer.patch) print(patchLine(operation));
      if (answer.patch.length === 0) note("Nothing: the values are the same.");
    });

  thread
    .command("prune")
    .description(
      "shorten threads' history to the newest state, or delete threads; copies keep what they need",
    )
    .argument("<threads...>", "thr_…")
    .option("--keep-last <n>", "keep the checkpoints of the newest so many runs", wholeNumber(1, 1_000_000))
    .option("--older-than <seconds>", "only what is older than this", seconds)
    .addOption(new Option("--delete", "delete the threads").conflicts("keepLast"))
    .option("-y, --yes", "do not ask")
    .addHelpText(
      "after",
      "\nExamples:\n  $ crewship thread prune thr_… --keep-last 10\n  $ crewship thread prune thr_… --older-than 86400\n  $ crewship thread prune thr_… thr_… --delete --yes\n",
    )
    .action(async (ids: string[], options: PruneOptions, command: Command) => {
      const { client, json } = openSession(command);
      const what = ids.length === 1 ? `thread ${ids[0]}` : `${ids.length} threads`;
      const question = options.delete ? `Delete ${what}?` : `Remove history of ${what}?`;
      if (!(options.yes || json || (await confirmed(`${question} [y/N] `))))
        return print("Nothing was removed.");
      const answer = await client.pruneThreads({
        ids,
        strategy: options.delete ? "delete" : "keep_latest",
        ...(options.keepLast !== undefined && { keep_last: options.keepLast }),
        ...(options.olderThan !== undefined && { older_than_s: options.olderThan }),
      } satisfies Prune);
      if (json) return printJson(answer);
      const done = options.delete ? "deleted" : "pruned";
      print(`${paint("green", "✓")} ${answer.pruned} of ${ids.length} ${done}.`);
      if (answer.pruned < ids.length)
        note("Left alone: those that are unknown, busy, or changed too lately.");
    });
}

function showState(state: ThreadState): void {
  printFacts([
    ["checkpoint", state.checkpoint_id ?? "none yet"],
    ["made by", state.run_id],
    ["created", dateTime(state.created_at)],
    ["next", state.next.join(", ") || "–"],
    ...state.interrupts.map(({ value }): [string, string] => ["asks", inline(value)]),
  ]);
  print(`\n${paint("dim", "values")}\n${clean(JSON.stringify(state.values, null, 2))}`);
  for (const task of state.tasks) {
    if (!isObject(task) || !isObject(task.state)) continue;
    const subgraph = task.state as unknown as ThreadState & { namespace: string };
    print(`\n${paint("bold", `subgraph ${clean(subgraph.namespace)}`)}`);
    showState(subgraph);
  }
}

const signs: Record<string, [sign: string, format: "green" | "red" | "yellow"]> = {
  add: ["+", "green"],
  remove: ["-", "red"],
  replace: ["~", "yellow"],
};

/** `+ /messages/1: {…}`; a removed place has no value. */
export function patchLine({ op, path, value }: PatchOperation): string {
  const [sign, format] = signs[op] ?? [op, "yellow"];
  const place = path === "" ? "/" : path;
  return paint(format, `${sign} ${clean(place)}${op === "remove" ? "" : `: ${inline(value)}`}`);
}

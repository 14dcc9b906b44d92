/** `crewship invoke`: starts one run, in a thread or alone, and shows what comes of it. */
import type { Command } from "commander";
import type { CrewshipClient } from "../client/client.ts";
import { isLastEvent } from "../core/moves.ts";
import type { Run } from "../core/run.ts";
import type { Interrupt } from "../core/thread.ts";
import { EXIT_REFUSED, UsageError } from "./failure.ts";
import {
  clean,
  inline,
  note,
  paint,
  paintError,
  print,
  printJson,
  seconds,
  terminalWidth,
} from "./output.ts";
import { addRequestOptions, type RequestOptions, runRequest } from "./run_request.ts";
import { chosenDeployment, interruptible, openSession } from "./session.ts";
import { EventTree } from "./tree.ts";

type Options = RequestOptions & { thread?: string; stream?: boolean };

const examples = `
Examples:
  $ crewship invoke -i '{"messages":[{"role":"user","content":"Hello"}]}'
  $ crewship invoke dep_… --stream -i '{"topic":"tea"}'
  $ crewship invoke --thread thr_… --stream -i '{"messages":[{"role":"user","content":"And now?"}]}'
  $ crewship invoke --thread thr_… --resume yes                  answer what the agent asked
  $ crewship invoke --thread thr_… -i '{…}' --strategy enqueue   wait until the thread is free
  $ crewship invoke --thread thr_… --checkpoint 1f1e… -i '{…}'   go on from an earlier state
  $ cat input.json | crewship invoke -i - --json
`;

export function addInvoke(program: Command): void {
  const command = program
    .command("invoke")
    .description("start a run and show what comes of it")
    .argument("[deployment]", "the deployment, dep_…; needed only when the server has several")
    .option("--thread <id>", "run in this thread; without it the run stands alone and remembers nothing")
    .option("--stream", "show the run's events as they come");
  addRequestOptions(command)
    .addHelpText("after", examples)
    .action(async (deployment: string | undefined, options: Options, command: Command) => {
      const { client, json } = openSession(command);
      const accepted = await start(client, deployment, options);
      const left = () =>
        `You left ${accepted}; it goes on. \`crewship runs events ${accepted}\` follows it, \`crewship runs cancel ${accepted}\` stops it.`;
      const run = await interruptible(left, (signal) =>
        follow(client, accepted, { ...options, json, signal }),
      );
      if (!options.stream) show(run, json);
      if (run.status === "interrupted" && run.thread_id !== null && !json) {
        const { interrupts = [] } = await client.getThread(run.thread_id);
        showQuestions(run.thread_id, interrupts);
      }
      if (run.status === "failed" || run.status === "canceled") process.exitCode = EXIT_REFUSED;
    });
}

/** Resolves with the id of the accepted run. */
async function start(
  client: CrewshipClient,
  deployment: string | undefined,
  options: Options,
): Promise<string> {
  const request = await runRequest(options);
  const idempotencyKey = crypto.randomUUID();
  if (options.thread === undefined) {
    const { input, environment, config, metadata, timeout_s, webhook, ...inThread } = request;
    const [first] = Object.keys(inThread);
    if (first !== undefined) {
      throw new UsageError(`A run without a thread takes no ${first}. Name one with --thread.`);
    }
    const { deployment_id } = await chosenDeployment(client, deployment);
    return (await client.createStatelessRun({ deployment_id, ...request }, { idempotencyKey })).run_id;
  }
  if (deployment !== undefined) {
    const thread = await client.getThread(options.thread);
    // A thread made through the LangGraph edge has no deployment until its first run.
    if (thread.deployment_id !== null && thread.deployment_id !== deployment) {
      throw new UsageError(
        `Thread ${thread.thread_id} belongs to ${thread.deployment_id}. Leave ${deployment} out.`,
      );
    }
  }
  return (await client.createRun(options.thread, request, { idempotencyKey })).run_id;
}

/** Reads the run's events to the end and resolves with the run as it ended. */
async function follow(
  client: CrewshipClient,
  run_id: string,
  { stream = false, json, signal }: { stream?: boolean; json: boolean; signal: AbortSignal },
): Promise<Run> {
  await showEvents(client, run_id, { json, signal, silent: !stream, now: () => new Date() });
  return client.getRun(run_id, { signal });
}

/** Prints a run's events up to its last: a tree for people, a line of JSON each for machines. */
export async function showEvents(
  client: CrewshipClient,
  run_id: string,
  options: {
    json: boolean;
    signal: AbortSignal;
    after?: string;
    types?: string[];
    silent?: boolean;
    now?: (() => Date) | undefined;
  },
): Promise<void> {
  const { json, signal, silent = false, now, after, types } = options;
  const tree = new EventTree({ run_id, paint, width: terminalWidth(), now });
  let ended = false;
  try {
    for await (const event of client.runEvents(run_id, { signal, after, types })) {
      ended = isLastEvent(event.type);
      if (silent) continue;
      if (json) printJson(event);
      else process.stdout.write(tree.add(event));
    }
  } finally {
    if (!silent && !json && !ended) process.stdout.write(tree.end());
  }
}

/** The output alone goes to stdout, so that a pipe gets nothing else. */
function show(run: Run, json: boolean): void {
  if (json) {
    printJson(run);
    return;
  }
  if (run.output !== null && run.output !== undefined) {
    print(clean(typeof run.output === "string" ? run.output : JSON.stringify(run.output, null, 2)));
  }
  const took =
    run.started_at && run.completed_at
      ? ` in ${seconds(Date.parse(run.completed_at) - Date.parse(run.started_at))}s`
      : "";
  const name = paintError("dim", `(${run.id})`);
  if (run.status === "succeeded") note(`${paintError("green", `✅ Run completed${took}`)} ${name}`);
  else if (run.status === "canceled") note(`${paintError("yellow", "⏹ Run canceled")} ${name}`);
  else if (run.status === "interrupted") {
    note(`${paintError("yellow", "⏸ Run stopped to ask.")} ${name}`);
  } else {
    note(
      `${paintError("red", "❌ Run failed:")} ${clean(run.error_message ?? run.error?.message ?? "for no reason it gave")} ${name}`,
    );
    if (run.error?.traceback) note(paintError("dim", clean(run.error.traceback.trimEnd())));
  }
}

/** What waits for an answer, and the command that gives it. */
function showQuestions(thread_id: string, interrupts: Interrupt[]): void {
  for (const { id, value, task } of interrupts) {
    note(`  ${clean(inline(value))}${paintError("dim", task ? ` (${clean(task)}, ${id})` : ` (${id})`)}`);
  }
  const answer = interrupts.length > 1 ? `'{"${interrupts[0]!.id}": …, …}'` : "'…'";
  const going = interrupts.length > 0 ? `--resume ${answer}` : "-i null";
  note(`${paintError("dim", "Go on with:")} crewship invoke --thread ${thread_id} ${going}`);
}

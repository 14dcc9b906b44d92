/** `crewship runs …`: what ran and what became of it. */
import { type Command, Option } from "commander";
import type { Artifact } from "../core/artifact.ts";
import { isOver, type RunStatus, runStatuses } from "../core/moves.ts";
import type { Run } from "../core/run.ts";
import { type DownloadOptions, download } from "./download.ts";
import { showEvents } from "./invoke.ts";
import {
  clean,
  dateTime,
  fileSize,
  note,
  paint,
  print,
  printFacts,
  printJson,
  printTable,
  seconds,
  statusFormat,
} from "./output.ts";
import { interruptible, list, openSession, wholeNumber } from "./session.ts";

type ListOptions = {
  deployment?: string;
  thread?: string;
  status?: RunStatus;
  limit: number;
  cursor?: string;
};

export function addRuns(program: Command): void {
  const runs = program
    .command("runs")
    .description("list, look at, follow and cancel runs, and fetch their files");

  runs
    .command("list")
    .description("the newest runs first")
    .option("--deployment <id>", "only runs of this deployment")
    .option("--thread <id>", "only runs in this thread")
    .addOption(new Option("--status <status>", "only runs with this status").choices([...runStatuses]))
    .option("--limit <n>", "how many", wholeNumber(1, 100), 20)
    .option("--cursor <cursor>", "go on where the page before ended")
    .addHelpText(
      "after",
      "\nExamples:\n  $ crewship runs list --thread thr_…\n  $ crewship runs list --status failed --limit 5\n",
    )
    .action(async (options: ListOptions, command: Command) => {
      const { client, json } = openSession(command);
      const { deployment: deployment_id, thread: thread_id, status, limit, cursor } = options;
      const page = await client.listRuns({ deployment_id, thread_id, status, limit, cursor });
      if (json) return printJson(page);
      printTable<Run>(
        [
          { title: "run", cell: ({ id }) => id },
          { title: "status", cell: ({ status }) => status, format: ({ status }) => statusFormat(status) },
          { title: "created", cell: ({ created_at }) => dateTime(created_at) },
          { title: "took", cell: took },
          { title: "thread", cell: ({ thread_id }) => thread_id ?? "–" },
          { title: "error", cell: ({ error_message }) => error_message ?? "" },
        ],
        page.runs,
        "No runs yet.",
      );
      if (page.next_cursor) note(`More: --cursor ${page.next_cursor}`);
    });

  runs
    .command("get")
    .description("one run: its status, input and output")
    .argument("<run>", "run_…")
    .addHelpText("after", "\nExample:\n  $ crewship runs get run_…\n")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { client, json } = openSession(command);
      const run = await client.getRun(id);
      if (json) return printJson(run);
      showRun(run);
    });

  runs
    .command("cancel")
    .description("stop a pending or running run; what it had committed stays")
    .argument("<run>", "run_…")
    .option("--rollback", "drop the checkpoints it made")
    .addHelpText(
      "after",
      "\nExamples:\n  $ crewship runs cancel run_…\n  $ crewship runs cancel run_… --rollback\n",
    )
    .action(async (id: string, { rollback }: { rollback?: boolean }, command: Command) => {
      const { client, json } = openSession(command);
      const answer = await client.cancelRun(id, rollback ? "rollback" : "cancel");
      if (json) return printJson(answer);
      print(`${paint("yellow", "⏹")} ${id} is ${answer.status}.`);
    });

  runs
    .command("events")
    .description("a run's events from the first one, to the end; follows a run that goes on")
    .argument("<run>", "run_…")
    .option("--after <id>", "only what came after this event")
    .option(
      "--types <types>",
      "only these, with commas between, such as tool.*,log; the last event always comes",
      list,
    )
    .addHelpText(
      "after",
      "\nExamples:\n  $ crewship runs events run_…\n  $ crewship runs events run_… --json --after 12\n  $ crewship runs events run_… --types 'tool.*'\n",
    )
    .action(async (id: string, { after, types }: { after?: string; types?: string[] }, command: Command) => {
      const { client, json } = openSession(command);
      const { status } = await client.getRun(id);
      // Events carry no time of their own: only what arrives while we look on can be given one.
      const now = isOver(status) ? undefined : () => new Date();
      await interruptible(
        () => `You left ${id}; nothing was canceled.`,
        (signal) =>
          showEvents(client, id, {
            json,
            signal,
            now,
            ...(after !== undefined && { after }),
            ...(types && { types }),
          }),
      );
    });

  runs
    .command("artifacts")
    .description("the files a run left")
    .argument("<run>", "run_…")
    .addHelpText("after", "\nExample:\n  $ crewship runs artifacts run_…\n")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { client, json } = openSession(command);
      const answer = await client.listArtifacts(id);
      if (json) return printJson(answer);
      printTable<Artifact>(
        [
          { title: "size", cell: ({ size }) => fileSize(size) },
          { title: "type", cell: ({ content_type }) => content_type },
          { title: "name", cell: ({ name }) => name },
        ],
        answer.artifacts,
        "It left no files.",
      );
    });

  runs
    .command("download")
    .description("save the files a run left, or only those named")
    .argument("<run>", "run_…")
    .argument("[names...]", "as `crewship runs artifacts` shows them")
    .option("-o, --output <folder>", "where to; made if it is not there (default: a folder named as the run)")
    .option("--force", "replace files that are there")
    .addHelpText(
      "after",
      "\nExamples:\n  $ crewship runs download run_…\n  $ crewship runs download run_… charts/a.png -o .\n",
    )
    .action(async (id: string, names: string[], options: DownloadOptions, command: Command) => {
      const { client, json } = openSession(command);
      const folder = options.output ?? id;
      const saved = await interruptible(
        () => "Stopped; what was saved stays.",
        (signal) => download(client, id, names, { folder, force: options.force ?? false, signal }),
      );
      if (json) return printJson({ saved });
      if (saved.length === 0) note("It left no files.");
      for (const path of saved) print(path);
    });
}

function showRun(run: Run): void {
  printFacts([
    ["run", run.id],
    ["status", run.status, statusFormat(run.status)],
    ["thread", run.thread_id],
    ["deployment", run.deployment_id],
    ["version", `${run.version_number} (${run.version_id}), ${run.environment}`],
    ["attempt", run.attempt > 1 ? String(run.attempt) : null],
    ["created", dateTime(run.created_at)],
    ["took", took(run)],
    ["error", run.error_message],
  ]);
  for (const [title, value] of [
    ["input", run.input],
    ["output", run.output],
  ] as const) {
    if (value !== null && value !== undefined) {
      print(
        `\n${paint("dim", title)}\n${typeof value === "string" ? clean(value) : clean(JSON.stringify(value, null, 2))}`,
      );
    }
  }
  if (run.error?.traceback) print(`\n${paint("dim", "traceback")}\n${clean(run.error.traceback).trimEnd()}`);
}

function took({ started_at, completed_at }: Run): string {
  if (started_at === null) return "–";
  return `${seconds((completed_at ? Date.parse(completed_at) : Date.now()) - Date.parse(started_at))} s`;
}

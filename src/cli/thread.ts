/** `crewship thread …`: conversations and their history. */
import { type Command, Option } from "commander";
import { type ThreadStatus, threadStatuses } from "../core/moves.ts";
import { MAX_TTL_MINUTES, type Thread, type Ttl } from "../core/thread.ts";
import { chat } from "./chat.ts";
import { UsageError } from "./failure.ts";
import { followThread } from "./follow_thread.ts";
import { readJsonObject } from "./json_input.ts";
import {
  clean,
  dateTime,
  inline,
  note,
  paint,
  print,
  printFacts,
  printJson,
  printTable,
  statusFormat,
  summary,
} from "./output.ts";
import { confirmed } from "./prompt.ts";
import { chosenDeployment, interruptible, list, openSession, wholeNumber } from "./session.ts";
import { addThreadStates } from "./thread_states.ts";

type ListOptions = { status?: ThreadStatus; metadata?: string; limit: number; cursor?: string };
type CreateOptions = { metadata?: string; values?: string; ttl?: number; ttlStrategy?: Ttl["strategy"] };

const deploymentHelp = "the deployment, dep_…; needed only when the server has several";

export function addThread(program: Command): void {
  const thread = program
    .command("thread")
    .description("create, look at, change, copy, delete and talk in threads");

  thread
    .command("create")
    .description("open a thread")
    .argument("[deployment]", deploymentHelp)
    .option("--metadata <json>", "what you want to find it by")
    .option("--values <json>", "the state it begins with")
    .option(
      "--ttl <minutes>",
      "its time to live, counted from its last change",
      wholeNumber(1, MAX_TTL_MINUTES),
    )
    .addOption(
      new Option("--ttl-strategy <what>", "what happens then (else delete)").choices([
        "delete",
        "keep_latest",
      ]),
    )
    .addHelpText(
      "after",
      '\nExamples:\n  $ crewship thread create dep_…\n  $ crewship thread create --metadata \'{"user":"ada"}\'\n  $ crewship thread create --ttl 1440\n',
    )
    .action(async (id: string | undefined, options: CreateOptions, command: Command) => {
      const { client, json } = openSession(command);
      const { ttl, ttlStrategy: strategy = "delete" } = options;
      if (options.ttlStrategy !== undefined && ttl === undefined) {
        throw new UsageError("--ttl-strategy says what happens when --ttl has passed. Name one with --ttl.");
      }
      const metadata = options.metadata && (await readJsonObject("--metadata", options.metadata));
      const values = options.values && (await readJsonObject("--values", options.values));
      const { deployment_id } = await chosenDeployment(client, id);
      const made = await client.createThread({
        deployment_id,
        ...(metadata && { metadata }),
        ...(values && { values }),
        ...(ttl !== undefined && { ttl: { minutes: ttl, strategy } }),
      });
      if (json) return printJson(made);
      print(made.thread_id);
    });

  thread
    .command("list")
    .description("a deployment's threads, the newest first")
    .argument("[deployment]", deploymentHelp)
    .addOption(new Option("--status <status>", "only threads with this status").choices([...threadStatuses]))
    .option("--metadata <json>", "only threads whose metadata holds this")
    .option("--limit <n>", "how many", wholeNumber(1, 100), 20)
    .option("--cursor <cursor>", "go on where the page before ended")
    .addHelpText(
      "after",
      "\nExamples:\n  $ crewship thread list\n  $ crewship thread list dep_… --status busy\n",
    )
    .action(async (id: string | undefined, options: ListOptions, command: Command) => {
      const { client, json } = openSession(command);
      const { status, limit, cursor } = options;
      const metadata = options.metadata ? await readJsonObject("--metadata", options.metadata) : undefined;
      const { deployment_id } = await chosenDeployment(client, id);
      const page = await client.listThreads({ deployment_id, status, metadata, limit, cursor });
      if (json) return printJson(page);
      printTable<Thread>(
        [
          { title: "thread", cell: ({ thread_id }) => thread_id },
          { title: "status", cell: ({ status }) => status, format: ({ status }) => statusFormat(status) },
          { title: "updated", cell: ({ updated_at }) => dateTime(updated_at) },
          { title: "state", cell: ({ values }) => summary(values) },
          { title: "metadata", cell: ({ metadata }) => inline(metadata) },
        ],
        page.threads,
        "No threads yet. `crewship thread create` opens one.",
      );
      if (page.next_cursor) note(`More: --cursor ${page.next_cursor}`);
    });

  thread
    .command("get")
    .description("one thread: its status and its current state")
    .argument("<thread>", "thr_…")
    .addHelpText("after", "\nExample:\n  $ crewship thread get thr_…\n")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { client, json } = openSession(command);
      const found = await client.getThread(id);
      if (json) return printJson(found);
      printFacts([
        ["thread", found.thread_id],
        ["status", found.status, statusFormat(found.status)],
        ["deployment", found.deployment_id],
        ["created", dateTime(found.created_at)],
        ["updated", dateTime(found.updated_at)],
        ["copied from", found.copied_from],
        ["metadata", inline(found.metadata)],
        ...(found.interrupts ?? []).map(({ value }): [string, string] => ["asks", inline(value)]),
      ]);
      print(`\n${paint("dim", "values")}\n${clean(JSON.stringify(found.values, null, 2))}`);
    });

  addThreadStates(thread);

  thread
    .command("events")
    .description(
      "one stream across the thread's runs, from the first or --after one; stays for those to come",
    )
    .argument("<thread>", "thr_…")
    .option("--after <id>", "only what came after this event, <run>-<event>")
    .option("--types <types>", "only these, with commas between; each run's last event always comes", list)
    .addHelpText(
      "after",
      "\nExamples:\n  $ crewship thread events thr_…\n  $ crewship thread events thr_… --types 'message.*' --json\n",
    )
    .action(async (id: string, options: { after?: string; types?: string[] }, command: Command) => {
      const { client, json } = openSession(command);
      await interruptible(
        () => `You left ${id}; nothing was canceled.`,
        (signal) => followThread(client, id, { ...options, json, signal }),
      );
    });

  thread
    .command("copy")
    .description("a new thread with the same state and history; the two then go their own ways")
    .argument("<thread>", "thr_…")
    .option("--checkpoint <id>", "only up to this checkpoint")
    .addHelpText(
      "after",
      "\nExamples:\n  $ crewship thread copy thr_…\n  $ crewship thread copy thr_… --checkpoint 1f0…\n",
    )
    .action(async (id: string, { checkpoint }: { checkpoint?: string }, command: Command) => {
      const { client, json } = openSession(command);
      const copy = await client.copyThread(id, checkpoint === undefined ? {} : { checkpoint_id: checkpoint });
      if (json) return printJson(copy);
      print(copy.thread_id);
    });

  thread
    .command("delete")
    .description("delete a thread with its history; a running run is canceled first")
    .argument("<thread>", "thr_…")
    .option("-y, --yes", "do not ask")
    .addHelpText("after", "\nExample:\n  $ crewship thread delete thr_… --yes\n")
    .action(async (id: string, { yes }: { yes?: boolean }, command: Command) => {
      const { client, json } = openSession(command);
      if (!(yes || json || (await confirmed(`Delete thread ${id} and its history? [y/N] `)))) {
        return print("Nothing was deleted.");
      }
      await client.deleteThread(id);
      if (json) return printJson({ deleted: id });
      print(`${paint("green", "✓")} ${id} is deleted.`);
    });

  thread
    .command("chat")
    .description("talk: in a thread, or in a new one of a deployment")
    .argument("[id]", "thr_… or dep_…; without it a new thread of the only deployment")
    .addHelpText("after", "\nExamples:\n  $ crewship thread chat\n  $ crewship thread chat thr_…\n")
    .action(async (id: string | undefined, _options: unknown, command: Command) => {
      await chat(openSession(command), id);
    });
}

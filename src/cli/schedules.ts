/** `crewship schedules …`: runs that start by the clock. */
import { type Command, Option } from "commander";
import type { CrewshipClient } from "../client/client.ts";
import { type Environment, environments, type MultitaskStrategy, multitaskStrategies } from "../core/run.ts";
import type { NewSchedule, Schedule } from "../core/schedule.ts";
import { UsageError } from "./failure.ts";
import { readJson, readJsonObject } from "./json_input.ts";
import { dateTime, inline, note, paint, print, printFacts, printJson, printTable } from "./output.ts";
import { chosenDeployment, openSession } from "./session.ts";

type CreateOptions = {
  deployment?: string;
  thread?: string;
  timezone?: string;
  input?: string;
  environment?: Environment;
  strategy?: MultitaskStrategy;
  metadata?: string;
  config?: string;
  name?: string;
  paused?: boolean;
};

const createExamples = `
Examples:
  $ crewship schedules create "0 9 * * 1-5" --timezone Europe/Berlin -i '{"topic":"the day ahead"}'
  $ crewship schedules create @hourly --thread thr_… -i '{"messages":[{"role":"user","content":"Any news?"}]}'
  $ crewship schedules create "*/30 * * * * *" --deployment dep_… --name heartbeat   seconds come first
`;

export function addSchedules(program: Command): void {
  const schedules = program
    .command("schedules")
    .description("start runs by the clock: cron lines with a time zone");

  schedules
    .command("create")
    .description("start runs whenever a cron line says so; prints the schedule's id")
    .argument("<cron>", "minute hour day month weekday, with seconds before them if need be; or @daily")
    .option("--timezone <name>", "the time zone the line's hours are in, such as Europe/Berlin (else UTC)")
    .option("--deployment <id>", "the deployment, dep_…; needed only when the server has several")
    .option("--thread <id>", "run in this thread; without it each run stands alone")
    .option("-i, --input <json>", "each run's input; - reads it from stdin")
    .addOption(
      new Option("--environment <name>", "the environment whose version runs").choices([...environments]),
    )
    .addOption(
      new Option("--strategy <name>", "what to do when the thread is busy (else enqueue)").choices([
        ...multitaskStrategies,
      ]),
    )
    .option("--metadata <json>", "an object of yours, kept with the schedule and its runs")
    .option("--config <json>", 'for LangGraph: {"configurable": …, "recursion_limit": …}')
    .option("--name <name>", "what it is for")
    .option("--paused", "do not begin before it is resumed")
    .addHelpText("after", createExamples)
    .action(async (cron: string, options: CreateOptions, command: Command) => {
      const { client, json } = openSession(command);
      const made = await client.createSchedule(await order(client, cron, options), {
        idempotencyKey: crypto.randomUUID(),
      });
      if (json) return printJson(made);
      print(made.schedule_id);
      note(nextSentence(made));
    });

  schedules
    .command("list")
    .description("the schedules, oldest first")
    .option("--deployment <id>", "only those of this deployment")
    .addHelpText("after", "\nExample:\n  $ crewship schedules list\n")
    .action(async ({ deployment }: { deployment?: string }, command: Command) => {
      const { client, json } = openSession(command);
      const answer = await client.listSchedules(deployment);
      if (json) return printJson(answer);
      printTable<Schedule>(
        [
          { title: "schedule", cell: ({ schedule_id }) => schedule_id },
          { title: "next", cell: next, format: ({ enabled }) => (enabled ? "reset" : "dim") },
          { title: "cron", cell: ({ cron }) => cron },
          { title: "time zone", cell: ({ timezone }) => timezone },
          { title: "runs in", cell: ({ thread_id, deployment_id }) => thread_id ?? deployment_id },
          { title: "name", cell: ({ name }) => name ?? "–" },
          { title: "error", cell: ({ last_error }) => last_error?.message ?? "" },
        ],
        answer.schedules,
        "No schedules yet. `crewship schedules create <cron>` makes one.",
      );
    });

  schedules
    .command("get")
    .description("one schedule: when it is due next, and what became of the last time")
    .argument("<schedule>", "sch_…")
    .addHelpText("after", "\nExample:\n  $ crewship schedules get sch_…\n")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { client, json } = openSession(command);
      const schedule = await client.getSchedule(id);
      if (json) return printJson(schedule);
      show(schedule);
    });

  schedules
    .command("pause")
    .description("start no more runs until it is resumed; times that pass meanwhile are not made up for")
    .argument("<schedule>", "sch_…")
    .addHelpText("after", "\nExample:\n  $ crewship schedules pause sch_…\n")
    .action((id: string, _options: unknown, command: Command) => enable(id, false, command));

  schedules
    .command("resume")
    .description("start runs again, from the next due time on")
    .argument("<schedule>", "sch_…")
    .addHelpText("after", "\nExample:\n  $ crewship schedules resume sch_…\n")
    .action((id: string, _options: unknown, command: Command) => enable(id, true, command));

  schedules
    .command("run")
    .description("start a run now, also of a paused one; prints the run's id")
    .argument("<schedule>", "sch_…")
    .addHelpText("after", "\nExample:\n  $ crewship schedules run sch_…\n")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { client, json } = openSession(command);
      const accepted = await client.runSchedule(id, { idempotencyKey: crypto.randomUUID() });
      if (json) return printJson(accepted);
      print(accepted.run_id);
      note(`It is ${accepted.status}. \`crewship runs events ${accepted.run_id}\` follows it.`);
    });

  schedules
    .command("delete")
    .description("delete a schedule; the runs it started go on")
    .argument("<schedule>", "sch_…")
    .addHelpText("after", "\nExample:\n  $ crewship schedules delete sch_…\n")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { client, json } = openSession(command);
      await client.deleteSchedule(id);
      if (json) return printJson({ deleted: id });
      print(`${paint("green", "✓")} ${id} is deleted.`);
    });
}

async function order(client: CrewshipClient, cron: string, options: CreateOptions): Promise<NewSchedule> {
  const { deployment, thread, timezone, input, environment, strategy, metadata, config, name } = options;
  if (strategy !== undefined && thread === undefined) {
    throw new UsageError("--strategy is about a busy thread. Name one with --thread.");
  }
  const asked = {
    ...(timezone !== undefined && { timezone }),
    ...(input !== undefined && { input: await readJson("-i", input) }),
    ...(environment !== undefined && { environment }),
    ...(strategy !== undefined && { multitask_strategy: strategy }),
    ...(metadata !== undefined && { metadata: await readJsonObject("--metadata", metadata) }),
    ...(config !== undefined && { config: await readJsonObject("--config", config) }),
    ...(name !== undefined && { name }),
    ...(options.paused && { enabled: false }),
  };
  if (thread === undefined) {
    return { deployment_id: (await chosenDeployment(client, deployment)).deployment_id, cron, ...asked };
  }
  return {
    thread_id: thread,
    ...(deployment !== undefined && { deployment_id: deployment }),
    cron,
    ...asked,
  };
}

async function enable(id: string, enabled: boolean, command: Command): Promise<void> {
  const { client, json } = openSession(command);
  const schedule = await client.patchSchedule(id, { enabled });
  if (json) return printJson(schedule);
  print(nextSentence(schedule));
}

const next = ({ next_due_at }: Schedule): string => (next_due_at === null ? "paused" : dateTime(next_due_at));

function nextSentence(schedule: Schedule): string {
  return schedule.enabled ? `It is due next at ${next(schedule)} of this machine's clock.` : "It is paused.";
}

function show(schedule: Schedule): void {
  const { last_due_at, last_error, input, metadata, config } = schedule;
  printFacts([
    ["schedule", schedule.schedule_id],
    ["name", schedule.name],
    ["cron", schedule.cron],
    ["time zone", schedule.timezone],
    ["next", next(schedule)],
    ["last", last_due_at && dateTime(last_due_at)],
    ["last run", schedule.last_run_id],
    ["last error", last_error?.message],
    ["deployment", schedule.deployment_id],
    ["thread", schedule.thread_id],
    ["busy thread", schedule.multitask_strategy],
    ["environment", schedule.environment],
    ["input", input === null ? null : inline(input)],
    ["config", config && inline(config)],
    ["metadata", inline(metadata)],
    ["created", dateTime(schedule.created_at)],
  ]);
}

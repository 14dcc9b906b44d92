/** The options of `crewship invoke` that say what a run is asked, and the request they make. */
import { type Command, Option } from "commander";
import { resumeValue } from "../client/chat_messages.ts";
import {
  type Environment,
  environments,
  type MultitaskStrategy,
  multitaskStrategies,
  type RunRequest,
} from "../core/run.ts";
import { UsageError } from "./failure.ts";
import { readJson, readJsonObject } from "./json_input.ts";
import { list, seconds } from "./session.ts";

export type RequestOptions = {
  input?: string;
  environment?: Environment;
  resume?: string;
  update?: string;
  goto?: string[];
  checkpoint?: string;
  interruptBefore?: string[];
  interruptAfter?: string[];
  strategy?: MultitaskStrategy;
  afterSeconds?: number;
  timeout?: number;
  metadata?: string;
  config?: string;
  webhook?: string;
};

export function addRequestOptions(command: Command): Command {
  return command
    .option("-i, --input <json>", "the run's input; - reads it from stdin")
    .option(
      "--resume <answer>",
      'answer the question the thread waits at: JSON or text; for several {"id": …}',
    )
    .option("--update <json>", "instead of an input: change a graph's state")
    .option("--goto <nodes...>", "instead of an input: go to these nodes of a graph")
    .option("--checkpoint <id>", "start from this checkpoint instead of the newest")
    .option("--interrupt-before <nodes>", 'stop before these nodes: names with commas between, or "*"', list)
    .option("--interrupt-after <nodes>", "stop after these nodes", list)
    .addOption(
      new Option("--strategy <name>", "what to do when the thread is busy").choices([...multitaskStrategies]),
    )
    .option("--after-seconds <n>", "begin no sooner than this from now", seconds)
    .option("--timeout <seconds>", "end the run after this long", seconds)
    .option("--metadata <json>", "an object of yours, kept with the run")
    .option("--config <json>", 'for LangGraph: {"configurable": …, "recursion_limit": …}')
    .option("--webhook <url>", "an address that is told how the run ends")
    .addOption(
      new Option("--environment <name>", "the environment whose version runs").choices([...environments]),
    );
}

/** The request the options make. Throws a UsageError. */
export async function runRequest(options: RequestOptions): Promise<RunRequest> {
  const command = await commandOf(options);
  if (options.input !== undefined && command) {
    throw new UsageError("Say -i, or one of --resume, --update and --goto: these take the input's place.");
  }
  const { input, metadata, config, environment, checkpoint, strategy, afterSeconds, timeout } = options;
  return {
    ...(input !== undefined && { input: await readJson("-i", input) }),
    ...(command && { command }),
    ...(environment !== undefined && { environment }),
    ...(checkpoint !== undefined && { checkpoint_id: checkpoint }),
    ...(options.interruptBefore !== undefined && { interrupt_before: nodes(options.interruptBefore) }),
    ...(options.interruptAfter !== undefined && { interrupt_after: nodes(options.interruptAfter) }),
    ...(strategy !== undefined && { multitask_strategy: strategy }),
    ...(afterSeconds !== undefined && { after_seconds: afterSeconds }),
    ...(timeout !== undefined && { timeout_s: timeout }),
    ...(metadata !== undefined && { metadata: await readJsonObject("--metadata", metadata) }),
    ...(options.webhook !== undefined && { webhook: options.webhook }),
    ...(config !== undefined && { config: await readJsonObject("--config", config) }),
  };
}

async function commandOf({ resume, update, goto }: RequestOptions): Promise<RunRequest["command"]> {
  if (resume === undefined && update === undefined && goto === undefined) return undefined;
  return {
    ...(resume !== undefined && { resume: resumeValue(resume) }),
    ...(update !== undefined && { update: await readJson("--update", update) }),
    ...(goto !== undefined && { goto: goto.length === 1 ? goto[0]! : goto }),
  };
}

function nodes(names: string[]): string[] | "*" {
  return names.includes("*") ? "*" : names;
}

/** The commands put together, one file each, with the options they all have. */
import { Command } from "commander";
import { VERSION } from "../version.ts";
import { addBackup } from "./backup.ts";
import { addDeploy } from "./deploy.ts";
import { addDev } from "./dev.ts";
import { addEnv } from "./env.ts";
import { addInit } from "./init.ts";
import { addInvoke } from "./invoke.ts";
import { addKeys } from "./keys.ts";
import { addRuns } from "./runs.ts";
import { addSchedules } from "./schedules.ts";
import { addServe } from "./serve.ts";
import { addThread } from "./thread.ts";
import { addVersions } from "./versions.ts";
import { addWebhooks } from "./webhooks.ts";

const examples = `
Examples:
  $ crewship dev                                   serve the agent in this folder
  $ crewship thread chat                           talk to it
  $ crewship invoke --stream -i '{"topic":"tea"}'  run it once and watch

Exit codes: 0 done, 1 the server or the run said no, 2 the command was not right.
`;

export function makeProgram(): Command {
  const program = new Command("crewship")
    .description("The home for stateful agents: threads, runs, checkpoints and streams.")
    .version(VERSION, "-v, --version")
    .option("--url <address>", "the server (else CREWSHIP_URL, else the one started on this machine)")
    .option(
      "--api-key <key>",
      "the key to send (else CREWSHIP_API_KEY, else the one of this machine's server)",
    )
    .option("--json", "print JSON, for machines")
    .addHelpText("after", examples);
  // Subcommands inherit these, so they are set before the first one is made.
  program
    .exitOverride()
    .showHelpAfterError("Add --help to see how it is used.")
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false });
  addDev(program);
  addServe(program);
  addInit(program);
  addDeploy(program);
  addVersions(program);
  addEnv(program);
  addInvoke(program);
  addThread(program);
  addRuns(program);
  addKeys(program);
  addWebhooks(program);
  addSchedules(program);
  addBackup(program);
  return program;
}

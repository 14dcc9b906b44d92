/** `crewship versions …`: what was deployed, how it was built, and what serves. */
import type { Command } from "commander";
import type { CrewshipClient } from "../client/client.ts";
import type { Version } from "../core/deployment.ts";
import type { Environment } from "../core/run.ts";
import { environmentOption, followBuild } from "./deploy.ts";
import { EXIT_REFUSED } from "./failure.ts";
import { dateTime, paint, print, printFacts, printJson, printTable, statusFormat } from "./output.ts";
import { chosenDeployment, interruptible, openSession, wholeNumber } from "./session.ts";

type Options = { deployment?: string };

export function addVersions(program: Command): void {
  const versions = program
    .command("versions")
    .description("look at a deployment's versions, and choose among them");
  const one = (name: string, does: string, example: string) =>
    versions
      .command(name)
      .description(does)
      .argument("<version>", "ver_…, or its number")
      .option("--deployment <id>", "dep_…; else the one deployed from here, or the only one")
      .addHelpText(
        "after",
        `\nExamples:\n  $ crewship versions ${name} 3\n  $ crewship versions ${name} ${example}\n`,
      );

  versions
    .command("list", { isDefault: true })
    .description("a deployment's versions, the newest first")
    .argument("[deployment]", "dep_…; else the one deployed from here, or the only one")
    .option("--limit <n>", "how many", wholeNumber(1, 100), 20)
    .addHelpText(
      "after",
      "\nExamples:\n  $ crewship versions list\n  $ crewship versions list dep_… --limit 5\n",
    )
    .action(async (id: string | undefined, { limit }: { limit: number }, command: Command) => {
      const { client, json } = openSession(command);
      const { deployment_id } = await chosenDeployment(client, id);
      const answer = await client.listVersions(deployment_id, { limit });
      if (json) return printJson(answer);
      printTable<Version>(
        [
          { title: "number", cell: ({ number }) => String(number) },
          { title: "version", cell: ({ version_id }) => version_id },
          { title: "status", cell: ({ status }) => status, format: ({ status }) => statusFormat(status) },
          { title: "created", cell: ({ created_at }) => dateTime(created_at) },
          { title: "serves", cell: (version) => version.environments.join(", ") || "–" },
        ],
        answer.versions,
        "No versions yet. `crewship deploy` makes one.",
      );
    });

  one("get", "a version and what its agent says of itself", "ver_… --json").action(
    async (text: string, options: Options, command: Command) => {
      const { client, json } = openSession(command);
      const { deployment_id, version_id } = await find(client, text, options);
      const version = await client.getVersion(deployment_id, version_id);
      if (json) return printJson(version);
      printFacts([
        ["version", version.version_id],
        ["deployment", version.deployment_id],
        ["number", String(version.number)],
        ["status", version.status, statusFormat(version.status)],
        ["framework", version.framework],
        ["entrypoint", version.entrypoint],
        ["serves", version.environments.join(", ") || null],
        ["created", dateTime(version.created_at)],
        ["built", version.built_at && dateTime(version.built_at)],
        ["error", version.error, "red"],
      ]);
    },
  );

  one("log", "the log of a version's build; follows one that is under way", "ver_…").action(
    async (text: string, options: Options, command: Command) => {
      const { client, json } = openSession(command);
      const version = await find(client, text, options);
      const left = () => "The build goes on.";
      await interruptible(left, async (signal) => {
        if (!json) return followBuild({ client, json }, version, signal);
        for await (const event of client.buildEvents(version.deployment_id, version.version_id, { signal }))
          printJson(event);
      });
      const { status } = await client.getVersion(version.deployment_id, version.version_id);
      if (status === "failed") process.exitCode = EXIT_REFUSED;
    },
  );

  one("activate", "point an environment at a version", "ver_… --environment staging")
    .addOption(environmentOption("the environment"))
    .action(async (text: string, options: Options & { environment: Environment }, command: Command) => {
      const { client, json } = openSession(command);
      const { deployment_id, version_id } = await find(client, text, options);
      const version = await client.activateVersion(deployment_id, version_id, options.environment);
      if (json) return printJson(version);
      print(`${paint("green", "●")} Version ${version.number} serves ${options.environment}`);
    });

  one("retire", "let nothing point at a version any more", "ver_…").action(
    async (text: string, options: Options, command: Command) => {
      const { client, json } = openSession(command);
      const { deployment_id, version_id } = await find(client, text, options);
      const version = await client.retireVersion(deployment_id, version_id);
      if (json) return printJson(version);
      print(`${paint("green", "✓")} Version ${version.number} is retired.`);
    },
  );
}

/** The version of this id or number. */
async function find(client: CrewshipClient, text: string, { deployment }: Options): Promise<Version> {
  const { deployment_id } = await chosenDeployment(client, deployment);
  return client.getVersion(deployment_id, text);
}

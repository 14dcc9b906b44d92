/** `crewship env …`: the environment variables of a deployment. Values go in and are never shown. */
import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { type Command, Option } from "commander";
import type { Variable } from "../core/deployment.ts";
import { type Environment, environments } from "../core/run.ts";
import { environmentOption } from "./deploy.ts";
import { isSystemError, UsageError } from "./failure.ts";
import { readStdin } from "./json_input.ts";
import { dateTime, paint, print, printJson, printTable } from "./output.ts";
import { chosenDeployment, openSession } from "./session.ts";

type Options = { environment: Environment; deployment?: string };

const deploymentHelp = "dep_…; else the one deployed from here, or the only one";

export function addEnv(program: Command): void {
  const env = program.command("env").description("set, list and remove an agent's environment variables");

  env
    .command("set")
    .description("set variables; new agent processes have them, and runs under way go on as they are")
    .argument("[pairs...]", "KEY=value; KEY alone takes its value from standard input")
    .option("--from-file <path>", "all variables of a file such as .env")
    .addOption(environmentOption("whose variables"))
    .option("--deployment <id>", deploymentHelp)
    .addHelpText(
      "after",
      "\nExamples:\n  $ crewship env set MODEL=small REGION=eu\n  $ crewship env set OPENAI_API_KEY < key.txt     keeps it out of the shell's history\n  $ crewship env set --from-file .env --environment staging\n",
    )
    .action(async (pairs: string[], options: Options & { fromFile?: string }, command: Command) => {
      const { client, json } = openSession(command);
      const variables: Record<string, string> =
        options.fromFile === undefined ? {} : fromFile(options.fromFile);
      for (const pair of pairs) {
        const at = pair.indexOf("=");
        const name = at === -1 ? pair : pair.slice(0, at);
        variables[name] = at === -1 ? (await readStdin(name)).replace(/\r?\n$/, "") : pair.slice(at + 1);
      }
      const names = Object.keys(variables);
      if (names.length === 0) throw new UsageError("Say what to set: KEY=value, or --from-file .env.");
      if (pairs.filter((pair) => !pair.includes("=")).length > 1)
        throw new UsageError("Standard input holds one value. Set the others with KEY=value.");
      const { deployment_id, name } = await chosenDeployment(client, options.deployment);
      const { environment } = options;
      const answer = await client.patchVariables(deployment_id, { environment, variables });
      if (json) return printJson(answer);
      print(`${paint("green", "✓")} ${names.join(", ")} set for ${name} in ${environment}.`);
    });

  env
    .command("list")
    .description("the names of a deployment's variables; values are never shown")
    .argument("[deployment]", deploymentHelp)
    .addOption(new Option("--environment <name>", "only this one's").choices([...environments]))
    .addHelpText(
      "after",
      "\nExamples:\n  $ crewship env list\n  $ crewship env list dep_… --environment staging\n",
    )
    .action(async (id: string | undefined, { environment }: Partial<Options>, command: Command) => {
      const { client, json } = openSession(command);
      const { deployment_id } = await chosenDeployment(client, id);
      const answer = await client.listVariables(deployment_id, environment);
      if (json) return printJson(answer);
      printTable<Variable>(
        [
          { title: "name", cell: ({ name }) => name },
          { title: "value", cell: () => "••••••" },
          { title: "environment", cell: (variable) => variable.environment },
          { title: "set", cell: ({ updated_at }) => dateTime(updated_at) },
        ],
        answer.variables,
        "No variables yet. `crewship env set KEY=value` sets one.",
      );
    });

  env
    .command("unset")
    .description("remove variables")
    .argument("<names...>", "KEY")
    .addOption(environmentOption("whose variables"))
    .option("--deployment <id>", deploymentHelp)
    .addHelpText("after", "\nExample:\n  $ crewship env unset OPENAI_API_KEY --environment staging\n")
    .action(async (names: string[], options: Options, command: Command) => {
      const { client, json } = openSession(command);
      const { deployment_id, name } = await chosenDeployment(client, options.deployment);
      const { environment } = options;
      const { variables: there } = await client.listVariables(deployment_id, environment);
      const missing = names.find((wanted) => !there.some((variable) => variable.name === wanted));
      if (missing !== undefined)
        throw new UsageError(`${name} has no variable ${missing} in ${environment}.`);
      const variables = Object.fromEntries(names.map((wanted) => [wanted, null]));
      const answer = await client.patchVariables(deployment_id, { environment, variables });
      if (json) return printJson(answer);
      print(`${paint("green", "✓")} ${names.join(", ")} removed from ${name} in ${environment}.`);
    });
}

function fromFile(path: string): Record<string, string> {
  try {
    return parseEnv(readFileSync(path, "utf8")) as Record<string, string>;
  } catch (error) {
    if (isSystemError(error)) throw new UsageError(`${path} cannot be read: ${error.message}.`);
    throw error;
  }
}

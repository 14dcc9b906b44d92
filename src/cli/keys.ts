/** `crewship keys …`: who may use the server. */
import { type Command, Option } from "commander";
import type { ApiKey } from "../client/client.ts";
import { dateTime, note, paint, print, printJson, printTable } from "./output.ts";
import { openSession } from "./session.ts";

type CreateOptions = { name: string; role: ApiKey["role"]; deployment?: string[] };

export function addKeys(program: Command): void {
  const keys = program.command("keys").description("make, list and delete API keys");

  keys
    .command("create")
    .description("make a key; it is shown this once")
    .requiredOption("--name <name>", "who or what uses it")
    .addOption(
      new Option("--role <role>", "read: look; run: also start and cancel; admin: everything")
        .choices(["read", "run", "admin"])
        .default("run"),
    )
    .option("--deployment <id...>", "only these deployments; without it, all")
    .addHelpText(
      "after",
      "\nExamples:\n  $ crewship keys create --name website\n  $ crewship keys create --name dashboard --role read --deployment dep_…\n",
    )
    .action(async ({ name, role, deployment }: CreateOptions, command: Command) => {
      const { client, json } = openSession(command);
      const made = await client.createKey({ name, role, ...(deployment && { deployment_ids: deployment }) });
      if (json) return printJson(made);
      print(made.api_key);
      note(`${made.key_id} (${made.role}) for ${made.name}. Keep the key now: it cannot be shown again.`);
    });

  keys
    .command("list")
    .description("the keys, without what is secret about them")
    .addHelpText("after", "\nExample:\n  $ crewship keys list\n")
    .action(async (_options: unknown, command: Command) => {
      const { client, json } = openSession(command);
      const answer = await client.listKeys();
      if (json) return printJson(answer);
      printTable<ApiKey>(
        [
          { title: "key", cell: ({ key_id }) => key_id },
          { title: "role", cell: ({ role }) => role },
          { title: "created", cell: ({ created_at }) => dateTime(created_at) },
          { title: "name", cell: ({ name }) => name },
          { title: "deployments", cell: ({ deployment_ids }) => deployment_ids?.join(", ") ?? "all" },
        ],
        answer.keys,
        "No keys yet. `crewship keys create --name <name>` makes one.",
      );
    });

  keys
    .command("delete")
    .description("delete a key; whoever uses it is refused from now on")
    .argument("<key>", "key_…")
    .addHelpText("after", "\nExample:\n  $ crewship keys delete key_…\n")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { client, json } = openSession(command);
      await client.deleteKey(id);
      if (json) return printJson({ deleted: id });
      print(`${paint("green", "✓")} ${id} is deleted.`);
    });
}

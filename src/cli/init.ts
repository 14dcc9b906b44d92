/** `crewship init`: looks at a project and writes the crewship.toml it needs. */
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { type Command, Option } from "commander";
import { type Framework, frameworks } from "../core/deployment.ts";
import { fitName, MANIFEST_NAME, ManifestError, parseManifest } from "../deploy/manifest.ts";
import { manifestText, type Proposal, propose } from "../deploy/propose.ts";
import { SourceError } from "../deploy/source_rules.ts";
import { UsageError } from "./failure.ts";
import { note, paint, paintError, print, printJson } from "./output.ts";
import { confirmed } from "./prompt.ts";
import type { GlobalOptions } from "./session.ts";

type Options = { name?: string; framework?: Framework; entrypoint?: string; force?: boolean };

const examples = `
Examples:
  $ crewship init
  $ crewship init services/support
  $ crewship init . --framework langgraph --entrypoint chat.graph:graph
`;

export function addInit(program: Command): void {
  program
    .command("init")
    .description("write a crewship.toml for the project in a folder")
    .argument("[dir]", "the project's folder", ".")
    .option("--name <name>", "what to call the deployment")
    .addOption(new Option("--framework <name>", "instead of what is found").choices([...frameworks]))
    .option("--entrypoint <place>", "instead of what is found: pkg.module:attr or ./src/graph.ts:graph")
    .option("--force", "write over a crewship.toml that is there")
    .addHelpText("after", examples)
    .action(async (dir: string, options: Options, command: Command) => {
      const { json = false } = command.optsWithGlobals<GlobalOptions>();
      const directory = resolve(dir);
      if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory())
        throw new UsageError(`There is no folder ${directory}.`);
      const path = join(directory, MANIFEST_NAME);
      const proposals = await proposed(directory, options);
      const text = manifestText(proposals);
      try {
        for (const { name } of proposals) parseManifest(text, directory, name);
      } catch (error) {
        if (error instanceof ManifestError) throw new UsageError(error.message);
        throw error;
      }
      if (existsSync(path) && readFileSync(path, "utf8") === text) {
        if (json) return printJson({ path, deployments: proposals });
        return print(`${path} says this already.`);
      }
      if (!json) {
        const files = [...new Set(proposals.map(({ found }) => found))].join(", ");
        note(paintError("dim", `Found in ${files}:`));
        print(text.trimEnd().replace(/^/gm, "  "));
      }
      if (existsSync(path) && !options.force) {
        const isTerminal = process.stdin.isTTY && process.stdout.isTTY;
        if (!isTerminal || json) throw new UsageError(`There is a ${path}. --force writes over it.`);
        if (!(await confirmed(`Write over ${path}? [y/N] `))) throw new UsageError("Nothing was written.");
      }
      writeFileSync(path, text);
      if (json) return printJson({ path, deployments: proposals });
      print(
        `${paint("green", "✓")} Wrote ${path}. \`crewship dev${dir === "." ? "" : ` ${dir}`}\` serves it here, \`crewship deploy\` elsewhere.`,
      );
    });
}

async function proposed(directory: string, options: Options): Promise<Proposal[]> {
  const { name, framework, entrypoint } = options;
  if (framework !== undefined && entrypoint !== undefined)
    return [{ name: name ?? fitName(basename(directory)), framework, entrypoint, found: "what you said" }];
  if (framework !== undefined || entrypoint !== undefined)
    throw new UsageError("--framework and --entrypoint belong together.");
  let found: Proposal[];
  try {
    found = await propose(directory);
  } catch (error) {
    if (error instanceof SourceError) throw new UsageError(error.message);
    throw error;
  }
  if (found.length === 0)
    throw new UsageError(
      `Nothing in ${directory} looks like an agent: no graphs in langgraph.json, no @CrewBase or Flow class, no exported compiled graph, no function called agent. Say what it is with --framework and --entrypoint.`,
    );
  if (name === undefined) return found;
  if (found.length > 1)
    throw new UsageError(`--name is for one agent, and there are ${found.length} in langgraph.json.`);
  return found.map((one) => ({ ...one, name }));
}

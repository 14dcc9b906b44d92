/** `crewship deploy`: sends a project's source to a server, which builds and serves it; and `promote`, back and forth between versions. */
import { createReadStream, createWriteStream, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Command, Option } from "commander";
import { ApiError } from "../client/errors.ts";
import type { Deployment, Version } from "../core/deployment.ts";
import { isObject } from "../core/json.ts";
import { type Environment, environments } from "../core/run.ts";
import { packArchive } from "../deploy/archive.ts";
import type { Manifest } from "../deploy/manifest.ts";
import { sourceFiles } from "../deploy/source_files.ts";
import { MAX_ARCHIVE_BYTES, SourceError } from "../deploy/source_rules.ts";
import { EXIT_REFUSED, UsageError } from "./failure.ts";
import { link, linkedDeployment } from "./link.ts";
import { manifestOf } from "./manifest.ts";
import { clean, fileSize, note, paint, paintError, print, printJson, seconds } from "./output.ts";
import { chosenDeployment, interruptible, openSession, type Session } from "./session.ts";

type DeployOptions = {
  name?: string;
  environment: Environment;
  deployment?: string;
  rollback?: string | true;
};
type PromoteOptions = { from: Environment; to: Environment };

const BAR_CELLS = 24;

const examples = `
Examples:
  $ crewship deploy
  $ crewship deploy --environment staging
  $ crewship deploy services/agents --name support
  $ crewship deploy --url https://agents.example.com --deployment dep_…   from a machine that never did
  $ crewship deploy --rollback                                             the version before
  $ crewship deploy --rollback ver_…
`;

export const environmentOption = (does: string) =>
  new Option("--environment <name>", does).choices([...environments]).default("production");

export function addDeploy(program: Command): void {
  program
    .command("deploy")
    .description("send the project in a folder to the server, which builds it and then serves it")
    .argument("[dir]", "the folder that holds crewship.toml", ".")
    .option("--name <deployment>", "which deployment, when crewship.toml holds several")
    .addOption(environmentOption("what is to point at the new version"))
    .option("--deployment <id>", "deploy into this one, dep_…; else the one deployed from here, or a new one")
    .option("--rollback [version]", "point the environment back: at the version before, or the one named")
    .addHelpText("after", examples)
    .action(async (dir: string, options: DeployOptions, command: Command) => {
      const session = openSession(command);
      const manifest = manifestOf(dir, options.name);
      for (const warning of manifest.warnings) note(paint("yellow", warning));
      if (options.rollback !== undefined) return rollBack(session, manifest, options);
      await deploy(session, manifest, options);
    });

  program
    .command("promote")
    .description("point an environment at the version that another one has")
    .argument("[deployment]", "dep_…; else the one deployed from here, or the only one")
    .addOption(
      new Option("--from <name>", "the environment that has it")
        .choices([...environments])
        .default("staging"),
    )
    .addOption(
      new Option("--to <name>", "the one that is to have it")
        .choices([...environments])
        .default("production"),
    )
    .addHelpText(
      "after",
      "\nExamples:\n  $ crewship promote\n  $ crewship promote dep_… --from staging --to production\n",
    )
    .action(async (id: string | undefined, { from, to }: PromoteOptions, command: Command) => {
      const session = openSession(command);
      if (from === to) throw new UsageError("--from and --to are the same environment.");
      const deployment = await chosenDeployment(session.client, id);
      const version_id = deployment.environments[from];
      if (version_id === undefined)
        throw new UsageError(
          `${deployment.name} has no version in ${from}. \`crewship deploy --environment ${from}\` makes one.`,
        );
      const version = await session.client.activateVersion(deployment.deployment_id, version_id, to);
      told(session, deployment, version, to);
    });
}

async function deploy(session: Session, manifest: Manifest, options: DeployOptions): Promise<void> {
  const { client, json } = session;
  const { environment } = options;
  const startedAt = performance.now();
  const folder = mkdtempSync(join(tmpdir(), "crewship-deploy-"));
  // Whatever ends this command, a copy of the source must not stay behind.
  const clear = () => rmSync(folder, { recursive: true, force: true });
  process.once("exit", clear);
  try {
    const archive = join(folder, "source.tar.gz");
    await pack(manifest, archive);
    const deployment = await target(session, manifest, options.deployment);
    let built: string | undefined;
    let isSame = false;
    const left = () =>
      built === undefined
        ? "Nothing was deployed."
        : `The build goes on; \`crewship versions log ${built} --deployment ${deployment.deployment_id}\` follows it.`;
    const version = await interruptible(left, async (signal) => {
      const made = await client.createVersion(
        deployment.deployment_id,
        upload(archive, json),
        { environment, name: options.name },
        { signal },
      );
      built = made.version_id;
      isSame = made.status === "ready";
      if (isSame) return made;
      await followBuild(session, made, signal);
      const { deployment_id, version_id } = made;
      const ended = await client.getVersion(deployment_id, version_id, { signal });
      // Somebody else was sending the same source to another environment.
      return ended.status === "ready" && made.environment !== environment
        ? client.activateVersion(deployment_id, version_id, environment, { signal })
        : ended;
    });
    if (version.status === "ready") {
      if (isSame && !json) note(`Nothing has changed: version ${version.number} has this source.`);
      return told(session, deployment, version, environment, startedAt);
    }
    process.exitCode = EXIT_REFUSED;
    if (json) return printJson(version);
    const present = deployment.environments[environment];
    note(
      `${paintError("red", "✗")} Version ${version.number} could not be built. ${present === undefined ? `${environment} has no version yet.` : `${environment} stays as it was.`}`,
    );
  } finally {
    clear();
    process.off("exit", clear);
  }
}

/** Packs the source into a file. */
async function pack(manifest: Manifest, archive: string): Promise<void> {
  try {
    const files = await sourceFiles(manifest.directory, manifest.build.exclude);
    await pipeline(packArchive(manifest.directory, files), createWriteStream(archive, { mode: 0o600 }));
    const { size } = statSync(archive);
    if (size > MAX_ARCHIVE_BYTES)
      throw new SourceError(
        `The source is ${fileSize(size)} when packed, and a version may have ${fileSize(MAX_ARCHIVE_BYTES)}. Exclude what the agent does not need with [build] exclude or .gitignore.`,
      );
    note(
      paintError("dim", `Packed ${files.length} ${files.length === 1 ? "file" : "files"}, ${fileSize(size)}`),
    );
  } catch (error) {
    if (error instanceof SourceError) throw new UsageError(error.message);
    throw error;
  }
}

/** The deployment to send it to: the one named, the one deployed from here before, or a new one. */
async function target(
  { client }: Session,
  manifest: Manifest,
  named: string | undefined,
): Promise<Deployment> {
  const { directory, name, framework } = manifest;
  const known = named ?? linkedDeployment(directory, client.url, name);
  if (known !== undefined) {
    try {
      const deployment = await client.getDeployment(known);
      link(directory, client.url, name, known);
      return deployment;
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404 || named !== undefined) throw error;
      note(
        paintError(
          "yellow",
          `${known}, where this was deployed before, is not there any more: making a new one.`,
        ),
      );
    }
  }
  try {
    const made = await client.createDeployment({ name, framework });
    link(directory, client.url, name, made.deployment_id);
    return made;
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== "deployment_exists") throw error;
    const { deployments } = await client.listDeployments();
    const other = deployments.find((deployment) => deployment.name === name)?.deployment_id;
    throw new UsageError(
      `The server has a deployment called ${name}${other ? ` (${other})` : ""}, which was not deployed from this folder. Deploy into it with --deployment ${other ?? "dep_…"}, or give this one another name in crewship.toml.`,
    );
  }
}

/** The archive as it is sent, with a bar on a terminal. */
function upload(archive: string, json: boolean): ReadableStream<Uint8Array> {
  const { size } = statSync(archive);
  const shows = process.stderr.isTTY && !json;
  let sent = 0;
  const counted = async function* () {
    for await (const chunk of createReadStream(archive)) {
      sent += (chunk as Buffer).length;
      if (shows) {
        const cells = Math.round((sent / size) * BAR_CELLS);
        process.stderr.write(
          `\r${paintError("dim", "Sending")} ${"█".repeat(cells)}${"░".repeat(BAR_CELLS - cells)} ${Math.round((sent / size) * 100)} %${sent === size ? "\n" : ""}`,
        );
      }
      yield chunk as Uint8Array;
    }
  };
  return Readable.toWeb(Readable.from(counted(), { objectMode: false })) as ReadableStream<Uint8Array>;
}

/** Shows a build's lines until it is over. */
export async function followBuild(
  { client, json }: Session,
  { deployment_id, version_id, number }: Version,
  signal: AbortSignal,
): Promise<void> {
  if (!json) note(`Building version ${number}…`);
  for await (const { type, data } of client.buildEvents(deployment_id, version_id, { signal })) {
    if (type === "build.output" && isObject(data) && !json)
      note(`${paintError("dim", "│")} ${clean(String(data.text))}`);
  }
}

async function rollBack(session: Session, manifest: Manifest, options: DeployOptions): Promise<void> {
  const { client } = session;
  const id = options.deployment ?? linkedDeployment(manifest.directory, client.url, manifest.name);
  const deployment = await chosenDeployment(client, id);
  const version =
    typeof options.rollback === "string"
      ? await client.activateVersion(deployment.deployment_id, options.rollback, options.environment)
      : await client.rollBack(deployment.deployment_id, options.environment);
  told(session, deployment, version, options.environment);
}

function told(
  { json }: Session,
  { deployment_id, name }: Deployment,
  version: Version,
  environment: Environment,
  startedAt?: number,
): void {
  if (json) {
    printJson(version);
    return;
  }
  const took = startedAt === undefined ? "" : ` (${seconds(performance.now() - startedAt)} s)`;
  if (!version.environments.includes(environment)) {
    print(
      `${paint("yellow", "○")} Version ${version.number} of ${clean(name)} is ready; ${environment} has a later one.`,
    );
    return;
  }
  print(
    `${paint("green", "●")} ${paint("bold", clean(name))} version ${version.number} serves ${environment}${took}`,
  );
  print(`  deployment  ${deployment_id}`);
  print(`  version     ${version.version_id}`);
}

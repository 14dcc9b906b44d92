/** `crewship dev`: the server and the project in one folder, with its source read anew whenever it changes. */
import { join } from "node:path";
import type { Command } from "commander";
import { type Config, type Flags, readConfig } from "../config.ts";
import type { Manifest } from "../deploy/manifest.ts";
import type { Activity, RunningServer } from "../server.ts";
import { firstSteps } from "./first_steps.ts";
import { ignoreFolder } from "./link.ts";
import { manifestOf } from "./manifest.ts";
import { clean, clockTime, note, paint, print, printJson, shorten } from "./output.ts";
import { addServerOptions, begin, printActivity, shown, untilStopped } from "./serve.ts";
import type { GlobalOptions } from "./session.ts";
import { watchFolder } from "./watch.ts";

const MOST_NAMES = 3;

type DevFlags = Flags & { name?: string; watch: boolean };

const examples = `
Examples:
  $ crewship dev
  $ crewship dev examples/langgraph-js-chat --port 0
  $ crewship dev . --name support-agent
`;

export function addDev(program: Command): void {
  addServerOptions(
    program
      .command("dev")
      .description("run the server with the project in a folder, and reload it when its files change")
      .argument("[dir]", "the folder that holds crewship.toml", "."),
  )
    .option("--name <deployment>", "which deployment, when crewship.toml holds several")
    .option("--no-watch", "do not reload when files change")
    .addHelpText("after", examples)
    .action(async (dir: string, flags: DevFlags, command: Command) => {
      const { json = false } = command.optsWithGlobals<GlobalOptions>();
      const manifest = manifestOf(dir, flags.name);
      for (const warning of manifest.warnings) note(paint("yellow", warning));
      const config = devConfig(flags, manifest.directory);
      ignoreFolder(manifest.directory);
      const server = await begin(config, manifest);
      const consoleUrl = await server.consoleAddress();
      if (json) {
        const { url, node_id, apiKey, deployments } = server;
        printJson({
          ready: true,
          url,
          node_id,
          api_key: apiKey,
          console: consoleUrl,
          deployments: deployments.map(shown),
        });
      } else welcome(server, consoleUrl, manifest, config);

      const project = new Project(server, json);
      server.onActivity((activity) => {
        if (json) printJson(activity);
        else if (!project.tells(activity)) printActivity(activity);
      });
      const stopWatching = flags.watch
        ? watchFolder(manifest.directory, {
            exclude: manifest.build.exclude,
            onChange: (paths) => void project.load(paths),
            onTrouble: (text) => note(paint("yellow", text)),
          })
        : () => undefined;
      const loading = project.load([]);
      await untilStopped(server, json).finally(stopWatching);
      await loading;
    });
}

/**
 * The server's settings, with other defaults: the data stands in the project's folder, web pages on this machine may
 * call, webhooks may lead to it, and the server's own log is quiet, since the lines about runs say what a person wants to know.
 */
function devConfig(flags: DevFlags, directory: string): Config {
  return readConfig(flags, undefined, {
    data: join(directory, ".crewship", "data"),
    cors: "http://localhost:*",
    logLevel: "warn",
    drainTimeout: "3",
    webhookAllowPrivate: true,
  });
}

function welcome(server: RunningServer, consoleUrl: string, manifest: Manifest, { data }: Config): void {
  const [deployment] = server.deployments;
  if (!deployment) throw new Error("The server started without the project's deployment.");
  const { url, apiKey } = server;
  const steps = firstSteps({ url, apiKey, deployment_id: deployment.deployment_id }, manifest);
  print(
    `${paint("green", "●")} ${paint("bold", clean(deployment.name))} ${paint("dim", `(${manifest.framework})`)} at ${paint("cyan", url)}`,
  );
  print();
  print(`  deployment  ${deployment.deployment_id}`);
  print(`  API key     ${apiKey}`);
  print(`  Console     ${paint("cyan", consoleUrl)}`);
  print(`  API docs    ${url}/docs`);
  print(`  data        ${data}`);
  print();
  print(paint("dim", "Paste this into another terminal, or type `crewship thread chat`:"));
  print();
  print(steps);
  print();
}

/** The project's source in the server: loaded once at the start, so that a mistake shows at once, and after changes. */
class Project {
  readonly #server: RunningServer;
  readonly #json: boolean;
  /** The load under way, and whether it is one after a change. */
  #loading: { again: boolean } | null = null;
  /** What changed while a load was under way; loaded right after it. */
  #changed: Set<string> | null = null;

  constructor(server: RunningServer, json: boolean) {
    this.#server = server;
    this.#json = json;
  }

  /** Whether this says itself what the activity says: of a load that it asked for. */
  tells({ kind }: Activity): boolean {
    if (this.#loading === null || (kind !== "agent_loaded" && kind !== "agent_load_failed")) return false;
    if (kind === "agent_loaded" && this.#loading.again) {
      this.#say(`${paint("green", "loaded")} ${paint("dim", "new runs use it")}`);
    }
    return true;
  }

  /** Loads the source anew; no paths: for the first time. One load at a time. Never rejects. */
  async load(paths: string[]): Promise<void> {
    if (this.#loading !== null) {
      this.#changed = new Set([...(this.#changed ?? []), ...paths]);
      if (paths.some(namesPackages)) this.#server.prepareAgain();
      return;
    }
    this.#loading = { again: paths.length > 0 };
    if (paths.length > 0) this.#say(`${named(paths)} changed, loading…`);
    try {
      const failure = await this.#server.reload();
      if (failure !== null) this.#failed(failure);
    } catch (error) {
      // Most often crewship.toml itself, in the middle of a change.
      this.#failed(error instanceof Error ? error.message : String(error));
    } finally {
      this.#loading = null;
    }
    const changed = this.#changed;
    this.#changed = null;
    if (changed) await this.load([...changed]);
  }

  #failed(text: string): void {
    this.#say(paint("red", "The agent could not be loaded. It is tried again at the next change:"));
    if (!this.#json) print(clean(text).trimEnd().replace(/^/gm, "  "));
  }

  #say(text: string): void {
    if (!this.#json) print(`${paint("dim", clockTime(new Date()))} ${text}`);
  }
}

/** The files that say which Python packages a project needs. */
function namesPackages(path: string): boolean {
  return /(^|\/)(requirements[^/]*\.txt|pyproject\.toml)$/.test(path);
}

function named(paths: string[]): string {
  const more = paths.length > MOST_NAMES ? ` and ${paths.length - MOST_NAMES} more` : "";
  return shorten(clean(paths.slice(0, MOST_NAMES).join(", ")), 100) + more;
}

/** `crewship serve`: the server in the foreground. Also holds what it shares with `dev`: options, log lines, the end. */
import { existsSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import { type Command, Option } from "commander";
import { type Config, type Flags, logLevels, readConfig, roles } from "../config.ts";
import { Problem } from "../core/problem.ts";
import type { Manifest } from "../deploy/manifest.ts";
import type { Activity, RunningServer } from "../server.ts";
import { EXIT_INTERRUPTED, isSystemError, UsageError } from "./failure.ts";
import { clean, clockTime, type Format, paint, print, printJson, seconds, shorten } from "./output.ts";
import type { GlobalOptions } from "./session.ts";

const examples = `
Examples:
  $ crewship serve
  $ crewship serve --port 0 --data ./data
  $ CREWSHIP_API_KEY=… crewship serve --host 0.0.0.0
  $ crewship serve --database-url postgres://crewship:…@db/crewship --role worker
`;

export function addServe(program: Command): void {
  addServerOptions(program.command("serve").description("run the server"))
    .addHelpText("after", examples)
    .action(async (flags: Flags, command: Command) => {
      const { json = false } = command.optsWithGlobals<GlobalOptions>();
      const config = readConfig(flags);
      refuseOpenDoor(config);
      const server = await begin(config, null);
      const { url, node_id, deployments } = server;
      if (json) printJson({ ready: true, url, node_id, deployments: deployments.map(shown) });
      else {
        print(`${paint("green", "●")} ${paint("bold", "Crewship Threads")} at ${paint("cyan", url)}`);
        if (config.databaseUrl !== null) print(`  base  PostgreSQL at ${new URL(config.databaseUrl).host}`);
        if (config.role !== "worker") print(`  page  ${paint("cyan", `${url}/console/`)}`);
        print(`  data  ${config.data}`);
        print(`  key   ${config.apiKey === null ? join(config.data, "admin.key") : "CREWSHIP_API_KEY"}`);
        for (const { deployment_id, name } of deployments) print(`  agent ${deployment_id} ${clean(name)}`);
        print(paint("dim", "  Ctrl-C stops it; runs under way go on when it is back.\n"));
      }
      server.onActivity((activity) => (json ? printJson(activity) : printActivity(activity)));
      await untilStopped(server, json);
    });
}

/** The settings that `serve` and `dev` have in common. */
export function addServerOptions(command: Command): Command {
  return command
    .option("--host <address>", "the address to listen on (default: 127.0.0.1)")
    .option("--port <n>", "the port to listen on; 0 takes any free one (default: 8700)")
    .option("--data <folder>", "the folder that holds everything (default: .crewship/data)")
    .option("--database-url <address>", "PostgreSQL instead of a file, for several nodes: postgres://…")
    .option("--database-listen-url <address>", "PostgreSQL itself, when --database-url leads to a pooler")
    .option("--database-pool <n>", "connections to PostgreSQL (default: 20)")
    .option("--database-timeout <seconds>", "how long a statement may take in PostgreSQL (default: 30)")
    .addOption(
      new Option(
        "--role <role>",
        "what this node does: answer, execute runs, or both (default: all)",
      ).choices([...roles]),
    )
    .option("--drain-timeout <seconds>", "how long runs may go on when it stops (default: 25, dev: 3)")
    .addOption(
      new Option("--durability <how>", "full survives a power cut, normal a crash (default: full)").choices([
        "full",
        "normal",
      ]),
    )
    .option("--retention-days <n>", "how long events outlive their run; 0: for ever (default: 30)")
    .option("--webhook-allow-private", "webhooks may lead to addresses that are not public")
    .addOption(
      new Option("--log-level <level>", "how much the server's own log says").choices([...logLevels]),
    )
    .option("--concurrency <n>", "runs at once (default: 100)")
    .option("--cors <origins>", "web pages that may call this server, separated by commas");
}

/** Starts the server. What stands in the way becomes a UsageError that says what to do. */
export async function begin(config: Config, dev: Manifest | null): Promise<RunningServer> {
  // Loaded only here: the other commands start several times faster without the server's libraries.
  const { startServer } = await import("../server.ts");
  try {
    return await startServer(config, { dev });
  } catch (error) {
    // The store's error for a folder another server holds; its sentence says what to do.
    if (error instanceof Error && error.name === "DataFolderLocked") throw new UsageError(error.message);
    if (error instanceof Problem) throw new UsageError(error.message);
    if (!isSystemError(error)) throw error;
    const where = `${config.host}:${config.port}`;
    if (error.code === "EADDRINUSE") {
      throw new UsageError(`${where} is taken. Choose another with --port, or --port 0 for any free one.`);
    }
    if (error.code === "EACCES") throw new UsageError(`${error.message}. Choose another --port or --data.`);
    if (error.code === "EADDRNOTAVAIL")
      throw new UsageError(`This machine has no address ${config.host}. Check --host.`);
    throw error;
  }
}

/** A public address must not open onto a key that nobody has seen yet. */
function refuseOpenDoor({ host, apiKey, data }: Config): void {
  if (isLoopback(host) || apiKey !== null || existsSync(join(data, "admin.key"))) return;
  throw new UsageError(
    `--host ${host} lets others reach this server, and no key was made yet. Set CREWSHIP_API_KEY, or start it once without --host: that writes ${join(data, "admin.key")}.`,
  );
}

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

export function shown({ deployment_id, name, framework }: RunningServer["deployments"][number]) {
  return { deployment_id, name, framework };
}

const SHORT_ID_CHARACTERS = 16;
/** A line of an installer, of which nobody needs the end. */
const PREPARING_CHARACTERS = 100;
const overFormats: Record<string, Format> = {
  succeeded: "green",
  failed: "red",
  canceled: "yellow",
  interrupted: "yellow",
};

/** `10:30:05 run_ab12… thr_… succeeded in 1.2 s`; an agent's own lines behind a bar. */
export function activityLines(activity: Activity, color: typeof paint): string[] {
  const time = color("dim", clockTime(new Date(activity.at)));
  const text = clean(activity.text ?? "").trimEnd();
  const who = [activity.run_id, activity.thread_id]
    .filter((id) => id != null)
    .map((id) => shorten(id, SHORT_ID_CHARACTERS));
  switch (activity.kind) {
    case "run_started":
      return [[time, ...who, color("cyan", "started")].join(" ")];
    case "run_over": {
      const status = activity.status ?? "over";
      const took = activity.duration_ms === undefined ? "" : ` in ${seconds(activity.duration_ms)} s`;
      const line = [time, ...who, color(overFormats[status] ?? "reset", status) + took].join(" ");
      return text === ""
        ? [line]
        : [line, ...text.split("\n").map((part) => `         ${color("red", part)}`)];
    }
    case "agent_output":
      return text.split("\n").map((part) => `${time} ${color("dim", "│")} ${part}`);
    case "agent_preparing": {
      if (activity.status === "output")
        return [`${time} ${color("dim", `│ ${shorten(text, PREPARING_CHARACTERS)}`)}`];
      if (activity.duration_ms === undefined) return [`${time} ${text}…`];
      return [`${time} ${text} in ${seconds(activity.duration_ms)} s`];
    }
    case "agent_loaded":
      return [`${time} ${color("green", "loaded")} ${activity.deployment ?? "the agent"}`];
    case "agent_load_failed":
      return [
        `${time} ${color("red", "could not load")} ${activity.deployment ?? "the agent"}`,
        ...text.split("\n").map((part) => `  ${part}`),
      ];
  }
}

export function printActivity(activity: Activity): void {
  for (const line of activityLines(activity, paint)) print(line);
}

/** Resolves when a signal has come and the server has drained. A second signal ends the process at once. */
export async function untilStopped(server: RunningServer, json: boolean): Promise<void> {
  await new Promise<void>((resolve) => {
    let asked = false;
    const stop = () => {
      if (asked) process.exit(EXIT_INTERRUPTED);
      asked = true;
      resolve();
    };
    process.on("SIGINT", stop);
    process.on("SIGTERM", stop);
  });
  if (!json) print(paint("dim", "\nStopping. Once more stops at once; nothing is lost either way."));
  await server.close();
}

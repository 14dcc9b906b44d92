/**
 * A server in a process of its own, started by the CLI as a user starts it, so that a test or a benchmark can kill it.
 * Keeps its address and data folder over restarts.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { CrewshipClient } from "../../src/client/client.ts";
import { pythonVariables } from "../fixtures/python.ts";

const cli = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const READY_MS = 30_000;
const STOP_MS = 15_000;
/** What the server last wrote to stderr, for the message of a failure. */
const LOG_CHARACTERS = 8_000;
const API_KEY = "csk_fault_tests";
/** Its databases end with the tests; a benchmark that imported node:test would close with the summary of a test run. */
const tests =
  process.env.CREWSHIP_TEST_DATABASE === "postgres" ? await import("../fixtures/database.ts") : undefined;

export type ServerOptions = {
  /** The agent's folder. */
  project: string;
  /** Which deployment of its crewship.toml. */
  name?: string;
  /** Flags of `crewship dev`, such as ["--durability", "normal"]. */
  flags?: string[];
  /** PostgreSQL's address, as the server sees it; else SQLite. */
  databaseUrl?: string;
  /** Flags of the server's own Node, such as --cpu-prof. */
  nodeFlags?: string[];
  /** Variables of its environment, beside those of this process. */
  environment?: Record<string, string>;
};

export class ServerProcess {
  readonly folder = mkdtempSync(join(tmpdir(), "crewship-"));
  readonly #options: ServerOptions;
  #child: ChildProcess | undefined;
  #port = 0;
  #log = "";
  #deployment = "";
  #node = "";
  readonly apiKey = API_KEY;

  private constructor(options: ServerOptions) {
    this.#options = options;
  }

  /** Starts a server over an empty data folder. Resolves when it answers. */
  static async start(options: ServerOptions): Promise<ServerProcess> {
    const databaseUrl = options.databaseUrl ?? (await tests?.freshDatabaseUrl());
    const server = new ServerProcess({ ...options, ...(databaseUrl === undefined ? {} : { databaseUrl }) });
    try {
      await server.start();
    } catch (error) {
      // Nobody else could end it.
      await server.remove();
      throw error;
    }
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }
  get data(): string {
    return join(this.folder, "data");
  }
  /** What it has stored, for `openRecords`. */
  get database(): string {
    return this.#options.databaseUrl ?? join(this.data, "crewship.db");
  }
  get deployment_id(): string {
    return this.#deployment;
  }
  /** Another one after each start. */
  get node_id(): string {
    return this.#node;
  }
  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error("The server is not running.");
    return this.#child.pid;
  }
  /** The last of what it wrote to its log. */
  get log(): string {
    return this.#log;
  }

  client(): CrewshipClient {
    return new CrewshipClient({ url: this.url, apiKey: API_KEY });
  }

  /** Starts it, or starts it again on the same folder and port. */
  async start(): Promise<void> {
    const { project, name, flags = [], nodeFlags = [], databaseUrl, environment } = this.#options;
    const child = spawn(
      process.execPath,
      [
        ...nodeFlags,
        ...[cli, "dev", resolve(project), "--json", "--no-watch", "--log-level", "warn"],
        ...["--port", String(this.#port), "--data", this.data],
        ...(name === undefined ? [] : ["--name", name]),
        ...flags,
      ],
      {
        cwd: this.folder,
        env: {
          ...process.env,
          ...pythonVariables(),
          ...environment,
          XDG_CONFIG_HOME: join(this.folder, "config"),
          CREWSHIP_API_KEY: API_KEY,
          ...(databaseUrl === undefined ? {} : { CREWSHIP_DATABASE_URL: databaseUrl }),
        },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    this.#child = child;
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#log = (this.#log + text).slice(-LOG_CHARACTERS);
    });
    const lines = createInterface(child.stdout);
    const first = await Promise.race([
      once(lines, "line", { signal: AbortSignal.timeout(READY_MS) }).then(
        ([line]) => String(line),
        (error: unknown) => {
          throw new Error(`The server was not ready within ${READY_MS / 1000} s:\n${this.#log}`, {
            cause: error,
          });
        },
      ),
      once(child, "exit").then(() => undefined),
    ]);
    if (first === undefined) throw new Error(`The server ended before it was ready:\n${this.#log}`);
    const { url, node_id, deployments } = JSON.parse(first) as {
      url: string;
      node_id: string;
      deployments: { deployment_id: string }[];
    };
    this.#node = node_id;
    this.#port = Number(new URL(url).port);
    this.#deployment = deployments[0]!.deployment_id;
  }

  /** kill -9. Resolves when it is gone. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** SIGTERM: it gives back what it runs, and writes the log back into the database file. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, "exit", { signal: AbortSignal.timeout(STOP_MS) });
    child.kill(signal);
    await exit.catch((error: unknown) => {
      throw new Error(`${signal} did not end the server within ${STOP_MS / 1000} s:\n${this.#log}`, {
        cause: error,
      });
    });
  }

  /** Stops it in its tracks: nothing runs, leases run out, connections stay open. */
  freeze(): void {
    if (!lives(this.pid)) throw new Error(`The server has ended by itself:\n${this.#log}`);
    process.kill(this.pid, "SIGSTOP");
  }

  thaw(): void {
    process.kill(this.pid, "SIGCONT");
  }

  /** Ends it, however that goes, and removes its folder. */
  async remove(): Promise<void> {
    await this.stop().catch(() => this.kill());
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The process ids of its agent processes. */
  async agents(): Promise<number[]> {
    // pgrep exits 1 when there is none.
    const { stdout } = await promisify(execFile)("pgrep", ["-P", String(this.pid)]).catch(() => ({
      stdout: "",
    }));
    return stdout.split("\n").filter(Boolean).map(Number);
  }

  /** Resident memory of the server itself, in MB. Linux only. */
  residentMb(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) / 1024;
  }
}

/** True while a process of this id exists and is no zombie. */
export function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** The environment variables of agent processes: what any program needs, the deployment's own, and under `dev` the caller's. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { Problem } from "../core/problem.ts";
import { agentEnvironment } from "../runner/environment.ts";
import { LoadError } from "../runner/errors.ts";
import type { Queryable } from "../store/database.ts";
import type { VersionRow } from "../store/versions.ts";
import type { Secrets } from "./secrets.ts";
import { openVariables } from "./variables.ts";

type Options = {
  database: Queryable;
  secrets: Secrets;
  /** The environment the server was started with. */
  caller: Readonly<Record<string, string | undefined>>;
  /** The folder of `dev`, which shares the caller's environment and its .env with the agent. */
  folder: string | null;
};

export class AgentVariables {
  readonly #options: Options;
  /** Of the dev folder's .env: read once, and again when the folder is loaded anew, since a change is one of its source. */
  #own: Record<string, string> | undefined;

  constructor(options: Options) {
    this.#options = options;
  }

  /** Throws a LoadError when they cannot be opened. */
  async of(
    version: VersionRow,
    environment: string,
  ): Promise<{ env: Record<string, string>; secrets: string[] }> {
    const { database, secrets, caller, folder } = this.#options;
    let set: Record<string, string>;
    try {
      set = await openVariables(database, secrets, { deployment_id: version.deployment_id, environment });
    } catch (error) {
      // The database is away, which says nothing about them.
      if (!(error instanceof Error) || error instanceof Problem) throw error;
      throw new LoadError({ code: "load_failed", message: error.message });
    }
    const isFolder = folder !== null && version.directory === folder;
    if (isFolder) this.#own ??= readDotenv(folder);
    return {
      env: agentEnvironment(isFolder ? "dev" : "serve", caller, isFolder ? { ...set, ...this.#own } : set),
      secrets: Object.values(set),
    };
  }

  /** The dev folder's .env may have changed. */
  forget(): void {
    this.#own = undefined;
  }
}

function readDotenv(folder: string): Record<string, string> {
  const path = join(folder, ".env");
  return existsSync(path) ? (parseEnv(readFileSync(path, "utf8")) as Record<string, string>) : {};
}

/** What every command that asks a server needs: the client, made from the global options, and a way to be interrupted. */
import { type Command, InvalidArgumentError } from "commander";
import { CrewshipClient } from "../client/client.ts";
import { readClientConfig } from "../config.ts";
import type { Deployment } from "../core/deployment.ts";
import { Interrupted, UsageError } from "./failure.ts";
import { deploymentHere } from "./link.ts";

export type GlobalOptions = { url?: string; apiKey?: string; json?: boolean };
export type Session = { client: CrewshipClient; json: boolean };

export function openSession(command: Command): Session {
  const { url: given, apiKey: key, json = false } = command.optsWithGlobals<GlobalOptions>();
  const { url, apiKey } = readClientConfig({ url: given, apiKey: key });
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new UsageError(`--url takes an address such as http://127.0.0.1:8700, not "${url}".`);
  }
  return { client: new CrewshipClient({ url, apiKey }), json };
}

/** The deployment that was named, the one deployed from here, or the only one there is. */
export async function chosenDeployment(client: CrewshipClient, id: string | undefined): Promise<Deployment> {
  if (id !== undefined) return client.getDeployment(id);
  const { deployments } = await client.listDeployments();
  const here = deploymentHere(client.url);
  const linked = deployments.find(({ deployment_id }) => deployment_id === here);
  if (linked) return linked;
  const [only, ...others] = deployments;
  if (only === undefined) {
    throw new UsageError(
      `The server at ${client.url} has no deployment. \`crewship dev\` or \`crewship deploy\` in a project's folder makes one.`,
    );
  }
  if (others.length > 0) {
    const lines = deployments.map(({ deployment_id, name }) => `  ${deployment_id}  ${name}`);
    throw new UsageError(`Say which deployment. The server has:\n${lines.join("\n")}`);
  }
  return only;
}

/** Does something that Ctrl-C may end. `left` says what goes on without the person. */
export async function interruptible<T>(
  left: () => string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const leaving = new AbortController();
  const stop = () => leaving.abort(new Interrupted(left()));
  process.once("SIGINT", stop);
  try {
    return await work(leaving.signal);
  } finally {
    process.removeListener("SIGINT", stop);
  }
}

/** A parser for commander: a whole number from `least` to `most`. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It takes a whole number from ${least} to ${most}.`);
  };
}

/** A parser for commander: a number of seconds, from 0 on. */
export function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value >= 0) return value;
  throw new InvalidArgumentError("It takes a number of seconds.");
}

/** A parser for commander: names with commas between. */
export function list(text: string): string[] {
  const names = text
    .split(",")
    .map((name) => name.trim())
    .filter(Boolean);
  if (names.length > 0) return names;
  throw new InvalidArgumentError("It takes names with commas between.");
}

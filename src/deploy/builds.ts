/**
 * Builds versions on this node: prepares their source and packages, loads the agent once, and says whether the version is
 * ready. One at a time; a node that dies leaves its build to another.
 */
import { RENEW_MS } from "../core/lease.ts";
import { Problem } from "../core/problem.ts";
import type { Structure } from "../core/structure.ts";
import { LoadError } from "../runner/errors.ts";
import {
  addBuildLines,
  type Built,
  claimBuild,
  endBuild,
  MAX_BUILD_ATTEMPTS,
  releaseBuild,
  renewBuild,
} from "../store/builds.ts";
import type { Database, Transaction } from "../store/database.ts";
import { activate, activeNumber, lockDeployment } from "../store/deployments.ts";
import type { VersionRow } from "../store/versions.ts";

/** The topic on which nodes are told that a version waits to be built. */
export const BUILDS_TOPIC = "builds";
/** The topic on which readers of a build's lines are told to look. */
export const buildTopic = (version_id: string): string => `build:${version_id}`;

const FLUSH_MS = 200;
const MAX_LINES = 10_000;
const MAX_LINE_CHARACTERS = 2_000;
const MAX_ERROR_CHARACTERS = 20_000;
const TRY_AGAIN_MS = 1_000;

export type BuildsOptions = {
  node_id: string;
  database: Database;
  /** Prepares and loads the version, and says what its agent is made of. Throws a LoadError. */
  load: (version: VersionRow, signal: AbortSignal) => Promise<Structure | null>;
  /** Resolves when a topic was hinted, after a while at the latest. */
  wait: (topic: string, signal: AbortSignal) => Promise<void>;
  logger: Record<"info" | "warn", (details: object, message: string) => void>;
};

type Build = { version: VersionRow; lines: string[]; count: number; flushing: Promise<void> };

export class Builds {
  readonly #options: BuildsOptions;
  #build: Build | undefined;

  constructor(options: BuildsOptions) {
    this.#options = options;
  }

  /** Adds to the log of a version's build, if this node builds it just now. */
  note(version_id: string, text: string): void {
    const build = this.#build;
    if (build?.version.version_id !== version_id) return;
    for (const line of text.split("\n")) {
      build.count++;
      if (build.count <= MAX_LINES) build.lines.push(withoutNul(line).slice(0, MAX_LINE_CHARACTERS));
      else if (build.count === MAX_LINES + 1) build.lines.push(`(no more than ${MAX_LINES} lines are kept)`);
    }
  }

  /** Builds what waits until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { database, node_id, wait, logger } = this.#options;
    while (!signal.aborted) {
      const hinted = wait(BUILDS_TOPIC, signal);
      try {
        const claimed = await database.transaction((tx) => claimBuild(tx, node_id));
        if (claimed) {
          await this.#make(claimed.version, claimed.attempt, signal);
          continue;
        }
      } catch (error) {
        logger.warn({ error: String(error) }, "could not build a version");
      }
      await hinted;
    }
  }

  async #make(version: VersionRow, attempt: number, closing: AbortSignal): Promise<void> {
    const { database, node_id, load } = this.#options;
    const { version_id } = version;
    const lost = new AbortController();
    const signal = AbortSignal.any([closing, lost.signal]);
    this.#build = { version, lines: [], count: 0, flushing: Promise.resolve() };
    const renewal = setInterval(() => {
      database
        .transaction((tx) => renewBuild(tx, version_id, node_id))
        .then((held) => held || lost.abort())
        // A database that is away for long lets the build run out; its end says so.
        .catch(() => undefined);
    }, RENEW_MS);
    const flush = setInterval(() => void this.#flush().catch(() => undefined), FLUSH_MS);
    try {
      let built: Built;
      if (attempt > MAX_BUILD_ATTEMPTS) {
        const error = `${MAX_BUILD_ATTEMPTS} nodes were lost while they built this version.`;
        built = { status: "failed", error };
      } else built = await load(version, signal).then(ready, failed);
      if (signal.aborted) {
        await database.transaction((tx) => releaseBuild(tx, version_id, node_id));
        return;
      }
      if (built.status === "failed") this.note(version_id, built.error);
      await this.#end(built, closing);
    } finally {
      clearInterval(renewal);
      clearInterval(flush);
      this.#build = undefined;
    }
  }

  /** Stores what the build came to; a database that is away for a moment costs nothing. */
  async #end(built: Built, closing: AbortSignal): Promise<void> {
    const { database, node_id, logger } = this.#options;
    const { version } = this.#build!;
    const { version_id, deployment_id } = version;
    for (;;) {
      try {
        await this.#flush();
        const ended = await database.transaction(async (tx) => {
          await lockDeployment(tx, deployment_id);
          if (!(await endBuild(tx, version_id, node_id, built))) return false;
          if (built.status === "ready") await activateBuilt(tx, version);
          tx.hint(buildTopic(version_id));
          return true;
        });
        if (ended) logger.info({ version_id, status: built.status }, "built a version");
        return;
      } catch (error) {
        if (closing.aborted) throw error;
        logger.warn({ version_id, error: String(error) }, "could not store how a build ended");
        await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MS));
      }
    }
  }

  async #flush(): Promise<void> {
    const build = this.#build!;
    const { version_id } = build.version;
    // One after another, in their order; what could not be stored stays first.
    const before = build.flushing;
    const flushing = (async () => {
      await before.catch(() => undefined);
      const lines = build.lines.slice();
      if (lines.length === 0) return;
      await this.#options.database.transaction(async (tx) => {
        if (!(await renewBuild(tx, version_id, this.#options.node_id))) return;
        await addBuildLines(tx, version_id, lines);
        tx.hint(buildTopic(version_id));
      });
      build.lines.splice(0, lines.length);
    })();
    build.flushing = flushing;
    await flushing;
  }
}

/** The environment it was made for points at it, unless a later version is there already. */
async function activateBuilt(tx: Transaction, version: VersionRow): Promise<void> {
  const { deployment_id, environment } = version;
  if (environment === null) return;
  if (((await activeNumber(tx, deployment_id, environment)) ?? 0) > version.number) return;
  await activate(tx, version, environment);
}

function ready(structure: Structure | null): Built {
  return { status: "ready", structure };
}

/** Throws on what says nothing about the version: the database is away, and the build is taken up again. */
function failed(error: unknown): Built {
  if (error instanceof Problem) throw error;
  return { status: "failed", error: withoutNul(sentenceOf(error)).slice(0, MAX_ERROR_CHARACTERS) };
}

function sentenceOf(error: unknown): string {
  if (error instanceof DOMException && error.name === "TimeoutError")
    return "It took too long, and was stopped.";
  return error instanceof LoadError ? error.text : String(error);
}

/** Which no database keeps in a text. */
const withoutNul = (text: string): string => text.replaceAll("\0", "");

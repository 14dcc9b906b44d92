/**
 * Settings of the server: a flag wins over the environment, that over `crewship.config.toml`, that over the default.
 * This is the only reader of process.env.
 */
import { existsSync, readFileSync } from "node:fs";
import { homedir, hostname } from "node:os";
import { join, resolve } from "node:path";
import { parse } from "smol-toml";
import type { Durability } from "./store/sqlite.ts";

/** A setting that cannot be used: the CLI prints the message and exits 2. */
export class ConfigError extends Error {
  override name = "ConfigError";
}

export type Config = Readonly<{
  host: string;
  port: number;
  /** Absolute folder of everything the embedded store keeps. */
  data: string;
  /** PostgreSQL's address; null: SQLite in the data folder. It may hold a password: never log it. */
  databaseUrl: string | null;
  /** PostgreSQL's own address, when `databaseUrl` leads to a pooler that shares sessions. */
  databaseListenUrl: string | null;
  /** Connections to PostgreSQL. */
  databasePool: number;
  /** How long PostgreSQL may take for one statement. */
  databaseTimeoutMs: number;
  /** What this node does: answer requests, execute runs, or both. */
  role: Role;
  /** How long a node that stops lets its runs finish before it hands them over. */
  drainMs: number;
  /** Runs at once on this node. */
  concurrency: number;
  cors: readonly string[];
  durability: Durability;
  /** Webhooks may lead to addresses that are not public. */
  webhookAllowPrivate: boolean;
  /** How long events and files are kept after their run is over, in days; null: for ever. */
  retentionDays: number | null;
  logLevel: LogLevel;
  /** The key that seals the values of variables, 32 bytes; null: one of our own making. */
  secretKey: Uint8Array | null;
  /** A key that is always accepted with every right; null: none. */
  apiKey: string | null;
  /** Absolute folder of what can be made again: the environments of agents in Python. */
  cache: string;
  /** Names the machine a dev version's folder is on. */
  machine: string;
  /** The environment the server was started with, for what agent processes may see of it. */
  environment: Readonly<Record<string, string | undefined>>;
}>;

export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

export const roles = ["all", "api", "worker"] as const;
export type Role = (typeof roles)[number];

/** Flags as commander gives them: text, or undefined when not said. */
export type Flags = {
  host?: string;
  port?: string;
  data?: string;
  databaseUrl?: string;
  databaseListenUrl?: string;
  databasePool?: string;
  databaseTimeout?: string;
  role?: string;
  drainTimeout?: string;
  concurrency?: string;
  cors?: string;
  durability?: string;
  retentionDays?: string;
  webhookAllowPrivate?: string | boolean;
  logLevel?: string;
};

const names = {
  host: ["CREWSHIP_HOST", "127.0.0.1"],
  port: ["CREWSHIP_PORT", "8700"],
  data: ["CREWSHIP_DATA", ".crewship/data"],
  databaseUrl: ["CREWSHIP_DATABASE_URL", ""],
  databaseListenUrl: ["CREWSHIP_DATABASE_LISTEN_URL", ""],
  databasePool: ["CREWSHIP_DATABASE_POOL", "20"],
  databaseTimeout: ["CREWSHIP_DATABASE_TIMEOUT", "30"],
  role: ["CREWSHIP_ROLE", "all"],
  drainTimeout: ["CREWSHIP_DRAIN_TIMEOUT", "25"],
  concurrency: ["CREWSHIP_CONCURRENCY", "100"],
  cors: ["CREWSHIP_CORS_ORIGINS", ""],
  durability: ["CREWSHIP_DURABILITY", "full"],
  retentionDays: ["CREWSHIP_RETENTION_DAYS", "30"],
  webhookAllowPrivate: ["CREWSHIP_WEBHOOK_ALLOW_PRIVATE", "false"],
  logLevel: ["CREWSHIP_LOG_LEVEL", "info"],
} as const satisfies Record<keyof Flags, readonly [string, string]>;

/** `defaults` are a command's own, such as those of `dev`. Throws ConfigError. */
export function readConfig(
  flags: Flags,
  environment: Record<string, string | undefined> = process.env,
  defaults: Flags = {},
): Config {
  const file = readFile(resolve("crewship.config.toml"));
  const setting = (name: keyof typeof names): string =>
    flags[name]?.toString() ??
    environment[names[name][0]] ??
    file[names[name][0].replace("CREWSHIP_", "").toLowerCase()] ??
    defaults[name]?.toString() ??
    names[name][1];
  return Object.freeze({
    host: setting("host"),
    port: integer("--port", setting("port"), 0, 65_535),
    data: resolve(setting("data")),
    databaseUrl: postgresUrl("--database-url", setting("databaseUrl")),
    databaseListenUrl: postgresUrl("--database-listen-url", setting("databaseListenUrl")),
    databasePool: integer("--database-pool", setting("databasePool"), 2, 1_000),
    databaseTimeoutMs: 1_000 * integer("--database-timeout", setting("databaseTimeout"), 1, 3_600),
    role: choice("--role", setting("role"), roles),
    drainMs: 1_000 * integer("--drain-timeout", setting("drainTimeout"), 0, 86_400),
    concurrency: integer("--concurrency", setting("concurrency"), 1, 10_000),
    cors: setting("cors")
      .split(",")
      .map((origin) => origin.trim())
      .filter(Boolean),
    durability: choice("--durability", setting("durability"), ["full", "normal"] as const),
    retentionDays: integer("--retention-days", setting("retentionDays"), 0, 36_500) || null,
    webhookAllowPrivate:
      choice("--webhook-allow-private", setting("webhookAllowPrivate"), ["true", "false"] as const) ===
      "true",
    logLevel: choice("--log-level", setting("logLevel"), logLevels),
    secretKey: secretKey(environment.CREWSHIP_SECRET_KEY),
    apiKey: environment.CREWSHIP_API_KEY || null,
    cache: join(environment.XDG_CACHE_HOME || join(homedir(), ".cache"), "crewship"),
    machine: hostname(),
    // A copy: each look into process.env asks the system.
    environment: { ...environment },
  });
}

function readFile(path: string): Record<string, string> {
  if (!existsSync(path)) return {};
  const known = new Set(Object.values(names).map(([name]) => name.replace("CREWSHIP_", "").toLowerCase()));
  const entries = Object.entries(parse(readFileSync(path, "utf8")));
  for (const [key] of entries) {
    if (!known.has(key))
      throw new ConfigError(`${path}: unknown setting ${key}. Known: ${[...known].join(", ")}.`);
  }
  return Object.fromEntries(
    entries.map(([key, value]) => [key, Array.isArray(value) ? value.join(",") : String(value)]),
  );
}

function integer(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new ConfigError(`${name} takes a whole number from ${least} to ${most}, not "${text}".`);
  }
  return value;
}

/** The address is not repeated: it may hold a password. */
function postgresUrl(name: string, text: string): string | null {
  if (text === "") return null;
  if (URL.canParse(text) && /^postgres(ql)?:$/.test(new URL(text).protocol)) return text;
  throw new ConfigError(`${name} takes an address such as postgres://user:password@host:5432/database.`);
}

function secretKey(text: string | undefined): Uint8Array | null {
  if (!text) return null;
  const bytes = Buffer.from(text.trim(), /^[0-9a-f]{64}$/i.test(text.trim()) ? "hex" : "base64");
  if (bytes.length === 32) return bytes;
  throw new ConfigError(
    "CREWSHIP_SECRET_KEY takes 32 bytes in base64 or hex. `openssl rand -base64 32` makes one.",
  );
}

function choice<T extends string>(name: string, text: string, options: readonly T[]): T {
  const found = options.find((option) => option === text);
  if (!found) throw new ConfigError(`${name} takes ${options.join(" or ")}, not "${text}".`);
  return found;
}

/** What a server on this machine wrote down for the CLI: its address and a key. */
export type LocalServer = { url: string; api_key: string };

/** `~/.config/crewship` (or below XDG_CONFIG_HOME). */
export function localConfigFolder(environment: Record<string, string | undefined> = process.env): string {
  return join(environment.XDG_CONFIG_HOME || join(homedir(), ".config"), "crewship");
}

/** Where the CLI finds a server: flags, else the environment, else what a server on this machine wrote down. */
export function readClientConfig(
  flags: { url?: string | undefined; apiKey?: string | undefined },
  environment: Record<string, string | undefined> = process.env,
): { url: string; apiKey: string | null } {
  const path = join(localConfigFolder(environment), "server.json");
  const local = existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as LocalServer) : undefined;
  const url = flags.url ?? environment.CREWSHIP_URL ?? local?.url ?? "http://127.0.0.1:8700";
  // The written key belongs to that server alone: it is never sent to another address.
  const written = local && local.url === url ? local.api_key : null;
  return { url: url.replace(/\/+$/, ""), apiKey: flags.apiKey ?? environment.CREWSHIP_API_KEY ?? written };
}

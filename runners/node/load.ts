/**
 * Loads the user's module, TypeScript and path aliases included, and finds in it what the entrypoint names. Errors say
 * what to do.
 */
import { existsSync, readFileSync } from "node:fs";
import { createRequire, findPackageJSON } from "node:module";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { register as registerCommonJs } from "tsx/cjs/api";
import { register as registerModules } from "tsx/esm/api";
import { CodedError, messageOf } from "./errors.ts";

export type Loaded = { value: unknown; entry: string; attribute: string };

/** `prepare` is called with the entrypoint's file before anything of the project is loaded. */
export async function loadEntrypoint(
  directory: string,
  entrypoint: string,
  prepare?: (entry: string) => Promise<void>,
): Promise<Loaded> {
  const colon = entrypoint.lastIndexOf(":");
  const [path, attribute] = [entrypoint.slice(0, colon), entrypoint.slice(colon + 1)];
  if (colon <= 0 || !attribute) {
    throw new CodedError(
      "load_failed",
      `The entrypoint "${entrypoint}" must look like "./src/agent.ts:agent".`,
    );
  }
  const entry = resolve(directory, path);
  if (!existsSync(entry)) {
    throw new CodedError("load_failed", `The entrypoint's file ${path} does not exist in ${directory}.`);
  }
  await prepare?.(entry);
  const tsconfig = join(directory, "tsconfig.json");
  // For `require`, tsx takes the path aliases from this variable only.
  if (existsSync(tsconfig)) process.env.TSX_TSCONFIG_PATH ??= tsconfig;
  registerCommonJs();
  registerModules(existsSync(tsconfig) ? { tsconfig } : {});
  process.setSourceMapsEnabled(true);

  const exports = await importEntry(entry, directory);
  const defaults = exports.default as Record<string, unknown> | undefined;
  const value = exports[attribute] ?? (attribute === "default" ? defaults?.default : defaults?.[attribute]);
  if (value === undefined) {
    const names = Object.keys(exports).filter((name) => name !== "module.exports");
    throw new CodedError(
      "load_failed",
      `${path} does not export "${attribute}". It exports: ${names.join(", ") || "nothing"}.`,
    );
  }
  return { value: attribute === "default" ? (defaults?.default ?? value) : value, entry, attribute };
}

async function importEntry(entry: string, directory: string): Promise<Record<string, unknown>> {
  try {
    return (await import(pathToFileURL(entry).href)) as Record<string, unknown>;
  } catch (error) {
    throw new CodedError("load_failed", adviceFor(error, directory), { cause: error });
  }
}

function adviceFor(error: unknown, directory: string): string {
  const message = messageOf(error);
  const { code } = error as { code?: unknown };
  const missing = code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND";
  const name = /^Cannot find (?:package|module) '([^']+)'/.exec(message)?.[1];
  if (!missing || !name || /^[./]|^file:/.test(name)) return message;
  const declared = existsSync(join(directory, "node_modules"))
    ? ` If package.json does not list it, add it first.`
    : "";
  return `The package ${name} is not installed: run "npm install" in ${directory}.${declared}`;
}

type Build = "import" | "require";

/**
 * Finds a package as the user's own file would, in the build the user's code runs: the ESM and the CommonJS build of
 * one package are two copies whose classes don't know each other.
 */
export function resolvePackage(specifier: string, from: string, build: Build): string | undefined {
  if (build === "require") {
    try {
      return createRequire(from).resolve(specifier);
    } catch {
      return undefined;
    }
  }
  const name = specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
  let manifest: string | undefined;
  try {
    manifest = findPackageJSON(name, pathToFileURL(from));
  } catch {
    return undefined;
  }
  if (!manifest) return undefined;
  const { exports } = readManifest(manifest) as { exports?: Record<string, unknown> };
  const target = pick(exports?.[`.${specifier.slice(name.length)}`]);
  return target && join(dirname(manifest), target);
}

/** Not by require, whose cache says what the project has loaded. */
export function readManifest(path: string): Record<string, unknown> {
  return JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
}

function pick(target: unknown): string | undefined {
  if (typeof target === "string") return target;
  for (const [condition, inner] of Object.entries((target ?? {}) as Record<string, unknown>)) {
    if (!["import", "node", "module-sync", "default"].includes(condition)) continue;
    const picked = pick(inner);
    if (picked) return picked;
  }
  return undefined;
}

/** Imports a file of a package; a CommonJS build's exports come as they are. */
export async function importFile(path: string, build: Build): Promise<Record<string, unknown>> {
  if (build === "require") return createRequire(path)(path) as Record<string, unknown>;
  return (await import(pathToFileURL(path).href)) as Record<string, unknown>;
}

/** The build the user's code has loaded: whatever it required stands in the CommonJS cache. */
export function loadedBuilds(name: string): Build[] {
  const { cache } = createRequire(import.meta.url);
  const required = Object.keys(cache).some((path) => path.includes(`/node_modules/${name}/`));
  return required ? ["require", "import"] : ["import", "require"];
}

/**
 * What a project in Python says it needs, and everything on which the outcome of installing it depends. Reads the
 * project's files; installs nothing.
 */
import type { Stats } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { parse, TomlError } from "smol-toml";
import { isObject } from "../core/json.ts";
import { LoadError } from "../runner/errors.ts";

export const REQUIREMENTS = "requirements.txt";
export const PYPROJECT = "pyproject.toml";
export const UV_LOCK = "uv.lock";
const MAX_FILE_BYTES = 4 * 1024 * 1024;
/** What says how a folder is built and what it depends on. */
const BUILD_FILES = [PYPROJECT, "setup.py", "setup.cfg"];

export type Packages = {
  /**
   * `requirements`: install requirements.txt. `project`: build and install the folder. `dependencies`: install what
   * pyproject.toml lists; without a build system the folder is no package. `none`: nothing is asked for.
   */
  kind: "requirements" | "project" | "dependencies" | "none";
  /** For `dependencies`: one requirement each. */
  dependencies: string[];
  /** uv.lock says which versions. */
  isLocked: boolean;
  /** Two projects with equal identities get the same environment from the same interpreter. */
  identity: string[];
};

/** Throws a LoadError when the file cannot be used. */
export async function readPackages(directory: string): Promise<Packages> {
  const requirements = join(directory, REQUIREMENTS);
  if (await exists(requirements)) {
    const identity: string[] = [];
    await readRequirements(requirements, directory, identity, new Set());
    return { kind: "requirements", dependencies: [], isLocked: false, identity };
  }
  const text = await readText(join(directory, PYPROJECT));
  const none: Packages = { kind: "none", dependencies: [], isLocked: false, identity: [] };
  if (text === null) return none;
  const table = parsePyproject(text);
  const project = isObject(table.project) ? table.project : undefined;
  // With only the settings of tools in it, the file says nothing about packages.
  if (!project && !isObject(table["build-system"])) return none;
  const lock = await readText(join(directory, UV_LOCK));
  const isLocked = lock !== null;
  const locked = isLocked ? ["locked", lock] : [];
  const dynamic = Array.isArray(project?.dynamic) && project.dynamic.includes("dependencies");
  if (isObject(table["build-system"]) || dynamic) {
    const identity = ["project", ...(await folderIdentity(directory)), ...locked];
    return { kind: "project", dependencies: [], isLocked, identity };
  }
  const dependencies = Array.isArray(project?.dependencies)
    ? project.dependencies.filter((line) => typeof line === "string")
    : [];
  return { kind: "dependencies", dependencies, isLocked, identity: ["dependencies", text, ...locked] };
}

/** Adds the content of a requirements file, of those it includes, and what tells local packages apart. */
async function readRequirements(
  path: string,
  directory: string,
  identity: string[],
  seen: Set<string>,
): Promise<void> {
  if (seen.has(path)) return;
  seen.add(path);
  const text = await readText(path);
  // One that is missing is the installer's to complain about.
  identity.push("requirements", text ?? "");
  for (const line of (text ?? "").replace(/\\\r?\n/g, " ").split(/\r?\n/)) {
    const said = line.replace(/(^|\s)#.*$/, "").trim();
    const included = /^(?:-r|-c|--requirement|--constraint)\s*=?\s*(\S.*)$/.exec(said)?.[1];
    if (included !== undefined) {
      if (!/^[a-z]+:\/\//.test(included)) {
        await readRequirements(resolve(dirname(path), included), directory, identity, seen);
      }
      continue;
    }
    const local = localPath(said);
    if (local !== null) identity.push(...(await localIdentity(resolve(directory, local))));
  }
}

/** The path of a requirement that is a folder or file here, such as `-e ./tools[all]` or `./wheels/x.whl`; or null. */
function localPath(requirement: string): string | null {
  const option = /^(?:-e|--editable)\s*=?\s*(\S.*)$/.exec(requirement)?.[1];
  const named = /^[\w.-]+(?:\[[^\]]*\])?\s*@\s*(\S+)/.exec(requirement)?.[1];
  const said = (option ?? named ?? requirement).replace(/^file:(\/\/)?/, "");
  const path = said.replace(/\s*;.*$/, "").replace(/\[[^\]]*\]$/, "");
  return /^\.{0,2}\/|^\.{1,2}$|^[^:=<>!~;\s]+\//.test(path) ? path : null;
}

async function localIdentity(path: string): Promise<string[]> {
  const stats = await statOf(path);
  if (!stats) return [];
  if (stats.isDirectory()) return folderIdentity(path);
  return ["file", path, String(stats.size), String(stats.mtimeMs)];
}

/** A package built from a folder is a copy of it or points into it, so the folder's place is part of the outcome. */
async function folderIdentity(path: string): Promise<string[]> {
  const texts = await Promise.all(BUILD_FILES.map((name) => readText(join(path, name))));
  return ["folder", path, ...texts.map((text) => text ?? "")];
}

function parsePyproject(text: string): Record<string, unknown> {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const what = error.message.split("\n")[0]!.replace(/^Invalid TOML document: /, "");
    throw new LoadError({
      code: "load_failed",
      message: `${PYPROJECT}:${error.line}: This is not TOML: ${what}. Correct column ${error.column} of this line.`,
    });
  }
}

/** Null when there is no such file. */
async function readText(path: string): Promise<string | null> {
  const stats = await statOf(path);
  if (!stats?.isFile()) return null;
  if (stats.size > MAX_FILE_BYTES) {
    throw new LoadError({
      code: "load_failed",
      message: `${path} is larger than ${MAX_FILE_BYTES / 1024 / 1024} MB. It should only list packages.`,
    });
  }
  return readFile(path, "utf8");
}

async function exists(path: string): Promise<boolean> {
  return (await statOf(path))?.isFile() ?? false;
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    if ((error as NodeJS.ErrnoException).code === "ENOTDIR") return undefined;
    throw error;
  }
}

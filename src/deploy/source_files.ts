/** Which files of a project's folder are its source: what .gitignore and [build] exclude leave, never secrets or what can be made again. */
import { type Dirent, existsSync } from "node:fs";
import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import ignore, { type Ignore } from "ignore";
import { MAX_SOURCE_BYTES, MAX_SOURCE_FILES, pathComplaint, SourceError, tooLarge } from "./source_rules.ts";

/** What stands in a project's folder and is no part of its source. */
export const NOT_SOURCE: ReadonlySet<string> = new Set([
  ".git",
  ".hg",
  ".crewship",
  ".venv",
  "venv",
  "node_modules",
  "__pycache__",
  ".pytest_cache",
  ".mypy_cache",
  ".ruff_cache",
  ".tox",
  ".nox",
]);
/** Settings of a machine, most often secrets; those that only show which there are may go. */
const isDotenv = (name: string) => /^\.env(\..+)?$/.test(name) && !/\.(example|sample|template)$/.test(name);

export type SourceFile = {
  /** Relative to the project, with `/` between. */
  path: string;
  size: number;
  executable: boolean;
  /** Where a symbolic link leads, relative to its folder; null for a file. */
  link: string | null;
};

/** .gitignore files and their folders, from the repository's top down. */
type Rules = { folder: string; rules: Ignore }[];

/** The files, by path. Throws a SourceError for what cannot be deployed as it is, or when it is too much. */
export async function sourceFiles(directory: string, exclude: readonly string[]): Promise<SourceFile[]> {
  const files: SourceFile[] = [];
  let bytes = 0;
  const excluded = ignore().add([...exclude]);
  const isIgnored = (path: string, isFolder: boolean, rules: Rules): boolean => {
    if (excluded.ignores(posix(relative(directory, path)) + (isFolder ? "/" : ""))) return true;
    // As in git: the last file that says something about the path is right.
    let found = false;
    for (const { folder, rules: own } of rules) {
      const { ignored, unignored } = own.test(posix(relative(folder, path)) + (isFolder ? "/" : ""));
      if (ignored || unignored) found = ignored;
    }
    return found;
  };
  const enter = async (folder: string, above: Rules): Promise<void> => {
    const own = await readRules(folder);
    const rules = own ? [...above, { folder, rules: own }] : above;
    const entries = await readdir(folder, { withFileTypes: true });
    if (folder !== directory && entries.some(({ name }) => name === "pyvenv.cfg")) return;
    for (const entry of entries) {
      const path = join(folder, entry.name);
      if (NOT_SOURCE.has(entry.name) || entry.name.endsWith(".egg-info") || isDotenv(entry.name)) continue;
      if (isIgnored(path, entry.isDirectory(), rules)) continue;
      if (entry.isDirectory()) {
        await enter(path, rules);
        continue;
      }
      const file = await describe(directory, path, entry);
      if (!file) continue;
      files.push(file);
      bytes += file.size;
      if (files.length > MAX_SOURCE_FILES || bytes > MAX_SOURCE_BYTES) throw tooLarge();
    }
  };
  await enter(directory, await rulesAbove(directory));
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Undefined for a socket, a pipe or a device. */
async function describe(root: string, path: string, entry: Dirent): Promise<SourceFile | undefined> {
  const inside = posix(relative(root, path));
  const complaint = pathComplaint(inside);
  if (complaint !== null) throw new SourceError(complaint);
  if (entry.isSymbolicLink()) {
    const target = resolve(dirname(path), await readlink(path));
    if (!target.startsWith(root + sep)) {
      throw new SourceError(
        `${inside} is a link to ${target}, which lies outside the project. Put the file itself there, or exclude it with [build] exclude.`,
      );
    }
    return { path: inside, size: 0, executable: false, link: posix(relative(dirname(path), target)) || "." };
  }
  if (!entry.isFile()) return undefined;
  const { size, mode } = await lstat(path);
  return { path: inside, size, executable: (mode & 0o100) !== 0, link: null };
}

/** The .gitignore files of the folders above, up to the repository's top. */
async function rulesAbove(directory: string): Promise<Rules> {
  const rules: Rules = [];
  for (let folder = directory; !existsSync(join(folder, ".git")); ) {
    const parent = dirname(folder);
    // Without a repository those above are somebody else's.
    if (parent === folder) return [];
    folder = parent;
    const own = await readRules(folder);
    if (own) rules.unshift({ folder, rules: own });
  }
  return rules;
}

async function readRules(folder: string): Promise<Ignore | undefined> {
  const text = await readFile(join(folder, ".gitignore"), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "EISDIR") return undefined;
    throw error;
  });
  return text === undefined ? undefined : ignore().add(text);
}

function posix(path: string): string {
  return path.split(sep).join("/");
}

/** A copy of a project's source to build a package from: a build writes beside the source, which stays as it is. */
import { cp, lstat, readdir } from "node:fs/promises";
import { basename, relative, sep } from "node:path";
import { LoadError } from "../runner/errors.ts";
import { REQUIREMENTS } from "./python_packages.ts";
import { NOT_SOURCE } from "./source_files.ts";

const MAX_COPIED_BYTES = 512 * 1024 * 1024;
const MAX_COPIED_FILES = 50_000;
/** Only at the top: below, they may be packages. */
const NOT_SOURCE_AT_TOP = new Set(["build", "dist"]);

/** Copies what is source. Throws a LoadError when that is too much, or the signal's reason. */
export async function copyProject(directory: string, to: string, signal: AbortSignal): Promise<void> {
  let files = 0;
  let bytes = 0;
  await cp(directory, to, {
    recursive: true,
    filter: async (path) => {
      signal.throwIfAborted();
      const inside = relative(directory, path);
      const name = basename(path);
      if (inside === "") return true;
      if (NOT_SOURCE.has(name) || name.endsWith(".egg-info")) return false;
      if (!inside.includes(sep) && NOT_SOURCE_AT_TOP.has(name)) return false;
      const stats = await lstat(path);
      if (stats.isDirectory()) return !(await readdir(path)).includes("pyvenv.cfg");
      if (!stats.isFile() && !stats.isSymbolicLink()) return false;
      files++;
      bytes += stats.size;
      if (files > MAX_COPIED_FILES || bytes > MAX_COPIED_BYTES) {
        throw new LoadError({
          code: "load_failed",
          message: `The project is too large to be installed as a package (over ${MAX_COPIED_FILES} files or ${MAX_COPIED_BYTES / 1024 / 1024} MB). Move its data elsewhere, or list the packages it needs in ${REQUIREMENTS}.`,
        });
      }
      return true;
    },
  });
}

/**
 * Watches a project's folder and says which files changed, a moment after the last change. Every folder is watched by
 * itself: `recursive` would also watch each file below node_modules on Linux, tens of thousands of them.
 */
import { existsSync, type FSWatcher, readdirSync, statSync, watch } from "node:fs";
import { join, relative, sep } from "node:path";
import ignore from "ignore";
import { isSystemError } from "./failure.ts";

const QUIET_MS = 150;
const MAX_FOLDERS = 2_000;
const MAX_NAMES = 100;
const never = new Set(["node_modules", "dist", ".git", ".crewship", "__pycache__", "venv"]);

export type WatchOptions = {
  /** Patterns as in .gitignore, of what is no source. */
  exclude: readonly string[];
  /** Paths relative to the folder, sorted; called at most once per quiet moment. */
  onChange: (paths: string[]) => void;
  /** The folder cannot be watched further; what to tell the person. */
  onTrouble: (text: string) => void;
};

/** Starts watching; call the result to stop. */
export function watchFolder(root: string, { exclude, onChange, onTrouble }: WatchOptions): () => void {
  const excluded = ignore().add([...exclude]);
  const folders = new Map<string, FSWatcher>();
  const changed = new Set<string>();
  let quiet: NodeJS.Timeout | undefined;
  let full = false;

  const isSource = (path: string, folder: boolean): boolean => {
    const name = path.slice(path.lastIndexOf(sep) + 1);
    if (never.has(name) || name.endsWith(".egg-info") || (name.startsWith(".") && name !== ".env"))
      return false;
    const posix = path.split(sep).join("/");
    return !excluded.ignores(folder ? `${posix}/` : posix);
  };

  const note = (path: string) => {
    if (changed.size < MAX_NAMES) changed.add(path);
    clearTimeout(quiet);
    quiet = setTimeout(() => {
      const paths = [...changed].sort();
      changed.clear();
      onChange(paths);
    }, QUIET_MS);
  };

  const forget = (folder: string) => {
    for (const [path, watcher] of folders) {
      if (path !== folder && !path.startsWith(folder + sep)) continue;
      watcher.close();
      folders.delete(path);
    }
  };

  /** Watches a folder and what is below it. `fresh`: it appeared just now, so its files are changes too. */
  const enter = (folder: string, fresh: boolean) => {
    if (folders.has(folder) || full) return;
    if (folders.size >= MAX_FOLDERS) {
      full = true;
      onTrouble(
        `The project has more than ${MAX_FOLDERS} folders: changes in the others are not seen. Exclude some with [build] exclude.`,
      );
      return;
    }
    // A virtual environment, whatever it is called.
    if (existsSync(join(folder, "pyvenv.cfg"))) return;
    try {
      const watcher = watch(folder, (_kind, name) => name !== null && look(join(folder, name)));
      watcher.on("error", () => forget(folder));
      folders.set(folder, watcher);
      for (const entry of readdirSync(folder, { withFileTypes: true })) {
        const path = join(folder, entry.name);
        if (!isSource(relative(root, path), entry.isDirectory())) continue;
        if (entry.isDirectory()) enter(path, fresh);
        else if (fresh) note(relative(root, path));
      }
    } catch (error) {
      if (!isSystemError(error)) throw error;
      // Gone again already: its parent has said so.
      if (error.code === "ENOENT") return forget(folder);
      full = true;
      onTrouble(`Changes are not seen any more: ${error.message}. Start again, or use --no-watch.`);
    }
  };

  const look = (path: string) => {
    const inside = relative(root, path);
    const folder = folders.has(path) || (statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false);
    if (!isSource(inside, folder)) return;
    if (!folder) return note(inside);
    if (statSync(path, { throwIfNoEntry: false }) === undefined) {
      forget(path);
      note(inside);
    } else enter(path, true);
  };

  enter(root, false);
  return () => {
    clearTimeout(quiet);
    forget(root);
  };
}

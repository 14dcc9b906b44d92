/**
 * Finds the Python that `[deployment] python` asks for, or a usable one when it says nothing. Each candidate is asked
 * for its version by running it: a file called python3.11 may be a launcher that has no 3.11 to launch. Installs none.
 */
import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { access, readdir } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { promisify } from "node:util";
import { isObject } from "../core/json.ts";
import { LoadError } from "../runner/errors.ts";
import { installerEnvironment } from "./installer.ts";

export const OLDEST_PYTHON = "3.10";
const ASK_TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 64 * 1024;
/** What an error lists of what was found instead. */
const MAX_LISTED = 10;
// Also understood by a Python 2, so that it can be named as too old.
const QUESTION =
  "import json,sys,platform;" +
  "print(json.dumps({'version':'%d.%d.%d'%tuple(sys.version_info[:3])," +
  "'executable':getattr(sys,'_base_executable',sys.executable) or sys.executable," +
  "'home':getattr(sys,'base_prefix',sys.prefix)," +
  "'platform':'-'.join([platform.python_implementation(),sys.platform,platform.machine()])}))";

/** A Python that runs and is new enough. Of a virtual environment's Python this is the one behind it. */
export type Interpreter = {
  /** Absolute. */
  path: string;
  /** Such as 3.11.7. */
  version: string;
  /** The folder of its installation. */
  home: string;
  platform: string;
};

export type InterpreterSearch = {
  /** `[deployment] python`: a version such as "3.11" or "3.11.7", an absolute path, or null. */
  wanted: string | null;
  /** Whose PATH, HOME and PYENV_ROOT are searched. */
  environment: Readonly<Record<string, string | undefined>>;
  signal: AbortSignal;
};

/** What is wrong with a `[deployment] python`, and what to write, or null. */
export function pythonComplaint(wanted: string): string | null {
  if (isAbsolute(wanted)) return null;
  const version = /^\d+(\.\d+){0,2}$/.test(wanted) ? wanted : undefined;
  if (version === undefined) {
    return `python = "${wanted}" is neither a version such as "3.11" nor the absolute path of an interpreter.`;
  }
  // A whole major version leaves the choice open.
  if (version === "3" || isNewEnough(version)) return null;
  return `python = "${wanted}" is too old: agents need Python ${OLDEST_PYTHON} or newer.`;
}

/** The interpreter to use. Throws a LoadError that names what was asked for, what was found where, and the way out. */
export async function findPython(search: InterpreterSearch): Promise<Interpreter> {
  const { wanted, signal } = search;
  const asked = new Map<string, Answer>();
  const ask = async (path: string): Promise<Interpreter | undefined> => {
    if (!asked.has(path) && !(await isExecutable(path))) return undefined;
    const answer = asked.get(path) ?? (await answerOf(path, search));
    signal.throwIfAborted();
    asked.set(path, answer);
    return answer.interpreter && isNewEnough(answer.interpreter.version) ? answer.interpreter : undefined;
  };

  if (wanted !== null && isAbsolute(wanted)) {
    const found = await ask(wanted);
    if (found) return found;
    const [answer] = asked.values();
    const why = answer?.interpreter
      ? `is Python ${answer.interpreter.version}, and agents need ${OLDEST_PYTHON} or newer`
      : (answer?.trouble ?? "is no file that can be executed");
    throw missing(
      `[deployment] python names ${wanted}, which ${why}. Correct the path in crewship.toml, or leave the key out.`,
    );
  }
  const fits = ({ version }: Interpreter) => wanted === null || `${version}.`.startsWith(`${wanted}.`);
  for (const path of usualPaths(search)) {
    const found = await ask(path);
    if (found && fits(found)) return found;
  }
  const others: Interpreter[] = [];
  for (const path of await otherPaths(search)) {
    const found = await ask(path);
    if (found) others.push(found);
  }
  const newest = others.filter(fits).sort((a, b) => compareVersions(b.version, a.version))[0];
  if (newest) return newest;
  throw missing(absence(wanted, [...asked.values()]));
}

/** Below 0 when `a` is the older, above 0 when it is the newer; parts that one of them lacks count as 0. */
export function compareVersions(a: string, b: string): number {
  const [left = [], right = []] = [a, b].map((version) => version.split(".").map(Number));
  const at = Array.from({ length: Math.max(left.length, right.length) }, (_, i) => i);
  return at.map((i) => (left[i] ?? 0) - (right[i] ?? 0)).find((difference) => difference !== 0) ?? 0;
}

type Answer = { path: string; interpreter?: Interpreter; trouble?: string };

async function answerOf(path: string, search: InterpreterSearch): Promise<Answer> {
  try {
    const { stdout } = await run(path, ["-E", "-s", "-c", QUESTION], search);
    const said: unknown = JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
    if (!isObject(said)) throw new SyntaxError("no object");
    const { version, executable, home, platform } = said;
    if (
      typeof version !== "string" ||
      typeof executable !== "string" ||
      typeof home !== "string" ||
      typeof platform !== "string"
    )
      throw new SyntaxError("not the answer of a Python");
    return { path, interpreter: { path: executable, version, home, platform } };
  } catch (error) {
    if (error instanceof SyntaxError) return { path, trouble: "does not answer as a Python does" };
    const { killed, stderr } = error as { killed?: boolean; stderr?: string };
    if (killed) return { path, trouble: `did not answer within ${ASK_TIMEOUT_MS / 1000} s` };
    const line = stderr?.trim().split("\n")[0] ?? "";
    return { path, trouble: `does not run${line === "" ? "" : ` (${line.slice(0, 200)})`}` };
  }
}

/** The names under which the wanted Python usually stands on PATH, in order of preference. */
function usualPaths({ wanted, environment }: InterpreterSearch): string[] {
  const minor = wanted === null ? undefined : /^\d+\.\d+/.exec(wanted)?.[0];
  const names = [...(minor === undefined ? [] : [`python${minor}`]), "python3", "python"];
  return names.flatMap((name) => foldersOf(environment).map((folder) => join(folder, name)));
}

/** Every other place: numbered names on PATH, what pyenv has installed, what uv knows. */
async function otherPaths(search: InterpreterSearch): Promise<string[]> {
  const { environment, wanted } = search;
  const folders = foldersOf(environment);
  const listed = await Promise.all(
    folders.map(async (folder) =>
      (await entriesOf(folder))
        .filter((name) => /^python3\.\d+$/.test(name) && isNewEnough(name.slice("python".length)))
        .map((name) => join(folder, name)),
    ),
  );
  const versions = join(
    environment.PYENV_ROOT || join(environment.HOME ?? "/nonexistent", ".pyenv"),
    "versions",
  );
  const pyenv = (await entriesOf(versions))
    .filter((name) => /^3\.\d+\.\d+$/.test(name) && isNewEnough(name))
    .map((name) => join(versions, name, "bin", "python3"));
  const uv = await findOnPath("uv", environment);
  const known =
    uv === null
      ? []
      : await run(uv, ["python", "find", wanted ?? `>=${OLDEST_PYTHON}`], search).then(
          ({ stdout }) => [stdout.trim()],
          () => [],
        );
  return [...listed.flat(), ...pyenv, ...known.filter(isAbsolute)];
}

/** The first file of this name on PATH that can be executed, or null. */
export async function findOnPath(
  name: string,
  environment: InterpreterSearch["environment"],
): Promise<string | null> {
  for (const folder of foldersOf(environment)) {
    if (await isExecutable(join(folder, name))) return join(folder, name);
  }
  return null;
}

function absence(wanted: string | null, answers: Answer[]): string {
  const what = wanted === null ? `Python ${OLDEST_PYTHON} or newer` : `Python ${wanted}`;
  const need =
    wanted === null
      ? `Agents in Python need ${what}, and this machine has none.`
      : `[deployment] python asks for ${wanted}, and this machine has none.`;
  const ran = answers
    .flatMap(({ path, interpreter }) => (interpreter ? [{ at: path, ...interpreter }] : []))
    // One installation has many names.
    .filter((one, i, all) => all.findIndex((it) => it.home === one.home && it.version === one.version) === i)
    .sort((a, b) => compareVersions(b.version, a.version));
  const found = [
    ...ran.map(({ version, at }) => `${version} at ${at}`),
    ...answers.flatMap(({ path, trouble }) => (trouble ? [`${path}, which ${trouble}`] : [])),
  ];
  const list =
    found.length === 0
      ? "No Python was found on PATH, with pyenv or with uv."
      : `Found: ${found.slice(0, MAX_LISTED).join("; ")}${found.length > MAX_LISTED ? "; and more" : ""}.`;
  const install = wanted ?? OLDEST_PYTHON;
  return `${need} ${list} Install it (\`uv python install ${install}\`, or pyenv, or the system's packages), or say which to use with [deployment] python in crewship.toml: a version, or the path of an interpreter.`;
}

function missing(message: string): LoadError {
  return new LoadError({ code: "load_failed", message });
}

function isNewEnough(version: string): boolean {
  return compareVersions(version, OLDEST_PYTHON) >= 0;
}

/** From the root folder: a json.py or a .python-version where the server was started is not meant. */
function run(path: string, args: string[], { environment, signal }: InterpreterSearch) {
  return promisify(execFile)(path, args, {
    cwd: "/",
    env: { ...installerEnvironment(environment), UV_PYTHON_DOWNLOADS: "never" },
    timeout: ASK_TIMEOUT_MS,
    killSignal: "SIGKILL",
    maxBuffer: MAX_ANSWER_BYTES,
    signal,
  });
}

function foldersOf(environment: InterpreterSearch["environment"]): string[] {
  return [...new Set((environment.PATH ?? "").split(":").filter(isAbsolute))];
}

async function entriesOf(folder: string): Promise<string[]> {
  // A folder of PATH need not exist.
  return readdir(folder).catch(() => []);
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

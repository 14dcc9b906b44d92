/** Runs a tool that installs something: its lines as they come, a deadline, and a clean end when it is aborted. */
import { spawn } from "node:child_process";
import { LineCutter } from "../runner/lines.ts";

const MAX_LINE_BYTES = 1024 * 1024;
/** What an error shows of the tool's last words. */
const TAIL_LINES = 12;
const MAX_LINE_CHARACTERS = 300;
const STOP_GRACE_MS = 3_000;
/** After an exit: how long what it left in its pipes may take to read. A grandchild may hold them open. */
const DRAIN_MS = 500;

const PASSED = new Set([
  "PATH",
  "HOME",
  "TMPDIR",
  "LANG",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "ALL_PROXY",
  "NO_PROXY",
  "http_proxy",
  "https_proxy",
  "all_proxy",
  "no_proxy",
  "NODE_EXTRA_CA_CERTS",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "REQUESTS_CA_BUNDLE",
  "CURL_CA_BUNDLE",
  "GIT_SSL_CAINFO",
  // pip and uv keep their settings and caches there.
  "XDG_CACHE_HOME",
  "XDG_CONFIG_HOME",
  "XDG_DATA_HOME",
  "PYENV_ROOT",
]);
/** Settings of the caller's that would send packages elsewhere than into the environment being made. */
const ELSEWHERE = new Set([
  "NPM_CONFIG_GLOBAL",
  "NPM_CONFIG_PREFIX",
  "PIP_PREFIX",
  "PIP_PYTHON",
  "PIP_REQUIREMENT",
  "PIP_ROOT",
  "PIP_TARGET",
  "PIP_USER",
  "UV_BREAK_SYSTEM_PACKAGES",
  "UV_PREFIX",
  "UV_PROJECT_ENVIRONMENT",
  "UV_PYTHON",
  "UV_SYSTEM_PYTHON",
  "UV_TARGET",
]);

/** What installing takes, of the caller's environment: a package's build must not see the caller's secrets. */
export function installerEnvironment(
  caller: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const passes = (name: string) =>
    PASSED.has(name) ||
    name.startsWith("LC_") ||
    (/^(NPM_CONFIG|PIP|UV)_/i.test(name) && !ELSEWHERE.has(name.toUpperCase()));
  return Object.fromEntries(
    Object.entries(caller).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && passes(entry[0]),
    ),
  );
}

/** The tool did not end well. `lines` are its last ones. */
export class ToolFailed extends Error {
  readonly lines: readonly string[];

  constructor(reason: string, lines: readonly string[]) {
    super(reason);
    this.name = "ToolFailed";
    this.lines = lines;
  }
}

export type ToolRun = {
  cwd: string;
  env: Record<string, string>;
  /** Aborting ends the tool and what it started; the promise rejects with the signal's reason once it is gone. */
  signal: AbortSignal;
  onLine: (line: string) => void;
};

/** Resolves when the tool ended well. Throws a ToolFailed, or the signal's reason. */
export async function runTool(command: string, args: string[], run: ToolRun): Promise<void> {
  const { cwd, env, signal, onLine } = run;
  signal.throwIfAborted();
  const tail: string[] = [];
  // A process group of its own: a build starts compilers, and they end with it.
  const child = spawn(command, args, { cwd, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const end = (how: NodeJS.Signals) => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, how);
    } catch {
      // Gone already.
    }
  };
  const killNow = () => end("SIGKILL");
  let impatient: NodeJS.Timeout | undefined;
  const stop = () => {
    end("SIGINT");
    impatient = setTimeout(killNow, STOP_GRACE_MS);
  };
  process.once("exit", killNow);
  signal.addEventListener("abort", stop, { once: true });
  for (const stream of [child.stdout, child.stderr]) {
    const cutter = new LineCutter(MAX_LINE_BYTES);
    stream.on("data", (chunk: Buffer) => {
      for (const line of linesIn(cutter, chunk)) {
        tail.push(line);
        if (tail.length > TAIL_LINES) tail.shift();
        if (!signal.aborted) onLine(line);
      }
    });
  }
  try {
    const reason = await new Promise<string | null>((resolve) => {
      child.on("error", (error) => resolve(error.message));
      child.on("close", (code, how) => resolve(code === 0 ? null : (how ?? `exit code ${code}`)));
      child.on("exit", () =>
        setTimeout(() => {
          child.stdout.destroy();
          child.stderr.destroy();
        }, DRAIN_MS).unref(),
      );
    });
    signal.throwIfAborted();
    if (reason !== null) throw new ToolFailed(reason, tail);
  } finally {
    clearTimeout(impatient);
    // What the tool started and left behind.
    killNow();
    process.off("exit", killNow);
    signal.removeEventListener("abort", stop);
  }
}

/** The lines of a chunk, fit to be shown: short, and without a password that stands in an address. */
function* linesIn(cutter: LineCutter, chunk: Buffer): Generator<string> {
  try {
    for (const bytes of cutter.cut(chunk)) {
      const line = bytes.toString("utf8").trimEnd();
      if (line === "") continue;
      const shown = line.slice(0, 10 * MAX_LINE_CHARACTERS).replace(/:\/\/[^/@\s]*@/g, "://***@");
      yield shown.length > MAX_LINE_CHARACTERS ? `${shown.slice(0, MAX_LINE_CHARACTERS)}…` : shown;
    }
  } catch (error) {
    // A line without an end is of no use to anybody.
    if (!(error instanceof RangeError)) throw error;
  }
}

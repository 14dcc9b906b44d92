/** Real environments, made by real pip and uv. The first test's environment holds the uv that the others use. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { readConfig } from "../src/config.ts";
import { installerEnvironment } from "../src/deploy/installer.ts";
import { readManifest } from "../src/deploy/manifest.ts";
import { type Progress, preparePython } from "../src/deploy/python_environment.ts";
import { findPython } from "../src/deploy/python_interpreter.ts";
import { readPackages } from "../src/deploy/python_packages.ts";
import { LoadError } from "../src/runner/errors.ts";
import { startServer } from "../src/server.ts";
import { until } from "./faults/until.ts";
import { projectFolder, testServer } from "./fixtures/server.ts";

const root = mkdtempSync(join(tmpdir(), "crewship-python-"));
after(() => rmSync(root, { recursive: true, force: true, maxRetries: 5 }));
const MODULE = new URL("../src/deploy/python_environment.ts", import.meta.url).href;
const CLI = new URL("../src/cli/main.ts", import.meta.url).pathname;

/** PATH without a uv. */
const PATH = (process.env.PATH ?? "")
  .split(":")
  .filter((folder) => !existsSync(join(folder, "uv")))
  .join(":");
let folders = 0;

function put(folder: string, files: Record<string, string>): string {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}
const project = (files: Record<string, string>) => put(join(root, `project-${++folders}`), files);
const newCache = () => join(root, `cache-${++folders}`);

type Choice = { cache: string; path?: string; wanted?: string; signal?: AbortSignal };

/** Prepares, and says what a person would have read. */
async function prepare(directory: string, choice: Choice) {
  const { cache, path = PATH, wanted = null, signal = AbortSignal.timeout(120_000) } = choice;
  const told: Progress[] = [];
  const environment = { ...process.env, PATH: path };
  const python = await preparePython({
    directory,
    interpreter: await findPython({ wanted, environment, signal }),
    cacheFolder: cache,
    environment,
    onProgress: (progress) => told.push(progress),
    signal,
  });
  return { python, told, statuses: [...new Set(told.map(({ status }) => status))] };
}

async function complaint(directory: string, choice: Choice): Promise<string> {
  const error = await prepare(directory, choice).then(
    () => assert.fail("it was accepted"),
    (error: unknown) => error,
  );
  assert.ok(error instanceof LoadError, String(error));
  assert.equal(error.error.code, "load_failed");
  return error.message;
}

async function says(python: string, expression: string): Promise<string> {
  const { stdout } = await promisify(execFile)(python, ["-I", "-c", `print(${expression})`]);
  return stdout.trim();
}

/** A folder for PATH with a uv that does not come to an end, or only where the requirements say so. */
function endlessUv(other?: string): { path: string; pids: () => number[] } {
  const folder = join(root, `uv-${++folders}`);
  const elsewhere = other === undefined ? "" : `grep -qs endless requirements.txt || exec "${other}" "$@"`;
  const script = `#!/bin/sh
${elsewhere}
case $1 in
  pip) echo $$ >> ${folder}/pids; echo "Resolving for ever"; sleep 300 & echo $! >> ${folder}/pids; wait ;;
esac
`;
  put(folder, { uv: script, pids: "" });
  chmodSync(join(folder, "uv"), 0o755);
  const pids = () => readFileSync(join(folder, "pids"), "utf8").split("\n").filter(Boolean).map(Number);
  return { path: `${folder}:${PATH}`, pids };
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const cache = newCache();
let pathWithUv = "";

test("pip makes an environment of requirements.txt once for all who ask, and its lines are told", async () => {
  const files = { "requirements.txt": "six\nuv\n", "logging.py": "raise SystemExit('not this one')\n" };
  const directory = project(files);
  const [one, two] = await Promise.all([prepare(directory, { cache }), prepare(directory, { cache })]);
  assert.equal(one.python, two.python);
  const [maker, waiter] = one.statuses.includes("started") ? [one, two] : [two, one];
  assert.deepEqual(maker.statuses, ["started", "output", "done"]);
  assert.deepEqual(waiter.statuses, ["waiting"]);
  assert.equal(maker.told[0]!.text, "Installing Python packages from requirements.txt with pip");
  assert.ok(
    maker.told.some(({ text }) => text.startsWith("Successfully installed six")),
    JSON.stringify(maker.told),
  );
  assert.match(maker.told.at(-1)!.text, /^Python 3\.\d+\.\d+ environment ready$/);
  assert.ok(maker.told.at(-1)!.duration_ms! > 0);
  assert.equal(await says(one.python, "__import__('six').__name__"), "six");
  assert.deepEqual(readdirSync(directory).sort(), Object.keys(files).sort());
  pathWithUv = `${dirname(one.python)}:${PATH}`;

  const again = await prepare(project(files), { cache });
  assert.deepEqual([again.python, again.told], [one.python, []]);
});

test("uv is used when it is present", async () => {
  const { python, told } = await prepare(project({ "requirements.txt": "six\n" }), {
    cache,
    path: pathWithUv,
  });
  assert.equal(told[0]!.text, "Installing Python packages from requirements.txt with uv");
  assert.equal(await says(python, "__import__('six').__name__"), "six");
  assert.equal(existsSync(join(dirname(python), "pip")), false);
});

test("a package with a src layout is built from a copy, and its folder stays as it was", async () => {
  const files = {
    "pyproject.toml": `[project]\nname = "mine"\nversion = "0.3"\ndependencies = ["six"]\n[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n`,
    "src/mine/__init__.py": "",
    "src/mine/build/__init__.py": "WORD = 'built'\n",
    ".git/HEAD": "ref: x\n",
    "env/pyvenv.cfg": "home = /nowhere\n",
    "build/left.txt": "",
  };
  const directory = project(files);
  const before = readdirSync(directory, { recursive: true }).sort();
  const { python } = await prepare(directory, { cache, path: pathWithUv });
  assert.equal(await says(python, "__import__('importlib.metadata').metadata.version('mine')"), "0.3");
  assert.equal(await says(python, "__import__('mine.build').build.WORD"), "built");
  assert.equal(await says(python, "__import__('six').__name__"), "six");
  assert.deepEqual(readdirSync(directory, { recursive: true }).sort(), before);
  assert.deepEqual(
    readdirSync(join(python, "../../..")).filter((name) => name === "source"),
    [],
  );
});

test("a project without a build system is no package: its dependencies are installed, by uv and by pip", async () => {
  const directory = project({
    "pyproject.toml": `[project]\nname = "flat"\nversion = "1"\ndependencies = ["six"]\n`,
    "alpha/__init__.py": "",
    "beta/__init__.py": "",
  });
  for (const path of [pathWithUv, PATH]) {
    const { python } = await prepare(directory, { cache: newCache(), path });
    assert.equal(await says(python, "__import__('six').__name__"), "six");
  }
});

test("uv.lock says which versions, in a project and in a package; without uv a line says that it is not read", async () => {
  const asks = (six: string) => `[project]\nname = "locked"\nversion = "1"\ndependencies = ["${six}"]\n`;
  const build = `[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n`;
  for (const [kind, more] of [
    ["project", ""],
    ["package", build],
  ] as const) {
    const files = { "pyproject.toml": asks("six==1.16.0") + more, "src/locked/__init__.py": "" };
    const directory = project(files);
    await promisify(execFile)("uv", ["lock", "--quiet"], {
      cwd: directory,
      env: { ...process.env, PATH: pathWithUv },
    });
    put(directory, { "pyproject.toml": asks("six") + more });
    const { python } = await prepare(directory, { cache, path: pathWithUv });
    const version = `__import__("importlib.metadata").metadata.version`;
    assert.equal(await says(python, `${version}("six")`), "1.16.0", kind);
    if (kind === "package") {
      assert.equal(await says(python, `${version}("locked")`), "1");
      continue;
    }
    const { told } = await prepare(directory, { cache: newCache() });
    assert.ok(told.some(({ text }) => text.startsWith("uv.lock is for uv, which is not on PATH")));
  }
});

test("without a file, and with one that only holds settings of tools, the environment is empty", async () => {
  const bare = await prepare(project({ "agent.py": "" }), { cache });
  assert.match(bare.told[0]!.text, /^Making a Python 3\.\d+\.\d+ environment without packages$/);
  const settings = await prepare(project({ "pyproject.toml": "[tool.ruff]\nline-length = 110\n" }), {
    cache,
  });
  assert.deepEqual([settings.python, settings.told], [bare.python, []]);
  const { stdout } = await promisify(execFile)(bare.python, ["-c", "import sys; print(sys.prefix)"]);
  assert.equal(stdout.trim(), dirname(dirname(bare.python)));
});

test("what cannot be installed is an error with the installer's last lines, leaves nothing, and can be corrected", async () => {
  const directory = project({ "requirements.txt": "six=!=1\n" });
  const own = { cache: newCache(), path: pathWithUv };
  const message = await complaint(directory, own);
  assert.match(
    message,
    /^The Python packages of requirements\.txt could not be installed \(uv: exit code \d\)/,
  );
  assert.match(message, /Correct requirements\.txt.*The last lines were:\n[\s\S]*six=!=1/);
  const [key] = readdirSync(join(own.cache, "environments"));
  assert.deepEqual(readdirSync(join(own.cache, "environments", key!)), ["lock.db"]);
  put(directory, { "requirements.txt": "# nothing\n" });
  await prepare(directory, own);
  assert.match(
    await complaint(project({ "pyproject.toml": "[project\n" }), { cache }),
    /^pyproject\.toml:1: This is not TOML: .*Correct column \d+/,
  );
});

test("a Python without its venv module is an error that names the package to install", async () => {
  const folder = join(root, `debian-${++folders}`);
  const answer = { version: "3.11.2", executable: `${folder}/python3`, home: "/usr", platform: "CPython" };
  put(folder, {
    python3: `#!/bin/sh\ncase "$*" in *"-m venv"*) echo "The virtual environment was not created successfully because ensurepip is not available."; exit 1;; esac\necho '${JSON.stringify(answer)}'\n`,
  });
  chmodSync(join(folder, "python3"), 0o755);
  const choice = { cache: newCache(), path: `${folder}:/usr/bin:/bin`, wanted: join(folder, "python3") };
  assert.match(
    await complaint(project({ "requirements.txt": "six\n" }), choice),
    /^Python 3\.11\.2 at \S+ cannot make virtual environments.*apt install python3\.11-venv\), install uv, or/,
  );
});

test("a cache that cannot be written is an error that names it", async () => {
  const file = join(put(root, { "a-file": "" }), "a-file");
  assert.match(
    await complaint(project({}), { cache: file }),
    /could not be made in \S+a-file: ENOTDIR.*XDG_CACHE_HOME/,
  );
});

test("a build that is aborted ends with everything it started, and leaves nothing that counts", async () => {
  const { path, pids } = endlessUv();
  const directory = project({ "requirements.txt": "six\n" });
  const own = newCache();
  const stop = new AbortController();
  const building = prepare(directory, { cache: own, path, signal: stop.signal });
  building.catch(() => undefined);
  await until("the installer is at work", () => pids().length === 2);
  stop.abort();
  await assert.rejects(building, { name: "AbortError" });
  await until("the installer is gone", () => !pids().some(lives));
  assert.deepEqual((await prepare(directory, { cache: own, path: pathWithUv })).statuses, [
    "started",
    "output",
    "done",
  ]);
});

test("a build whose server was killed does not count, and the next one is not kept waiting", async (t) => {
  const { path, pids } = endlessUv();
  const directory = project({ "requirements.txt": "six\n" });
  const own = newCache();
  const search = { wanted: null, environment: process.env, signal: AbortSignal.timeout(10_000) };
  const order = JSON.stringify({ directory, interpreter: await findPython(search), cacheFolder: own });
  const script = `import { preparePython } from ${JSON.stringify(MODULE)};
await preparePython({ ...${order}, environment: process.env, onProgress() {}, signal: new AbortController().signal });`;
  const server = spawn(process.execPath, ["--input-type=module", "-e", script], {
    env: { ...process.env, PATH: path },
    stdio: "inherit",
  });
  // An installer outlives a server that was killed: it must find nothing that it could spoil.
  t.after(() => {
    for (const pid of pids().filter(lives)) process.kill(pid, "SIGKILL");
  });
  await until("the installer is at work", () => pids().length === 2);
  server.kill("SIGKILL");
  await once(server, "exit");
  const { python, statuses } = await prepare(directory, { cache: own, path: pathWithUv });
  assert.deepEqual(statuses, ["started", "output", "done"]);
  assert.equal(await says(python, "__import__('six').__name__"), "six");
});

test("an environment's key changes with all that its outcome depends on, and with nothing else", async () => {
  const files = {
    "requirements.txt":
      "six\n-r more/dev.txt  # and these\n-c limits.txt\n./tools/helper[all]\n-e .\n--index-url https://packages.invalid/simple\n",
    "more/dev.txt": "--requirement=deep.txt\n-r ../requirements.txt\n",
    "more/deep.txt": "idna\n",
    "limits.txt": "six<2\n",
    "tools/helper/pyproject.toml": "[project]\nname = 'helper'\n",
    "setup.py": "",
    "agent.py": "",
  };
  const directory = project(files);
  const identity = async () => JSON.stringify((await readPackages(directory)).identity);
  const first = await identity();
  for (const name of Object.keys(files).filter((name) => name !== "agent.py")) {
    put(directory, { [name]: `${files[name as keyof typeof files]}\n# changed` });
    assert.notEqual(await identity(), first, name);
    put(directory, { [name]: files[name as keyof typeof files] });
    assert.equal(await identity(), first, name);
  }
  put(directory, { "agent.py": "# changed" });
  assert.equal(await identity(), first);
  const elsewhere = await readPackages(project(files));
  assert.notEqual(JSON.stringify(elsewhere.identity), first, "a local package is another in another folder");
});

test("an installer sees no secret of the caller's, and cannot be sent elsewhere by a setting", () => {
  const caller = {
    PATH: "/bin",
    HOME: "/home/a",
    LC_ALL: "C",
    https_proxy: "http://proxy",
    SSL_CERT_FILE: "/ca.pem",
    PIP_INDEX_URL: "https://packages.invalid",
    UV_INDEX_URL: "https://packages.invalid",
    XDG_CACHE_HOME: "/cache",
  };
  assert.deepEqual(
    installerEnvironment({
      ...caller,
      OPENAI_API_KEY: "secret",
      CREWSHIP_API_KEY: "secret",
      PYTHONPATH: "/somewhere",
      VIRTUAL_ENV: "/somewhere",
      PIP_TARGET: "/somewhere",
      UV_SYSTEM_PYTHON: "1",
    }),
    caller,
  );
});

const functionInPython = {
  "crewship.toml": `[deployment]\nname = "py"\nframework = "function"\nentrypoint = "agent:agent"\n`,
  "agent.py": "def agent(input, context):\n    return input\n",
};

test("a run that waits for an environment which cannot be made fails with what to do, and a correction is tried", async (t) => {
  const { server, folder, deployment_id, call } = await testServer(
    t,
    { ...functionInPython, "requirements.txt": "six=!=1\n" },
    { PATH: pathWithUv, XDG_CACHE_HOME: newCache() },
  );
  const run = await call("POST", "/v1/runs", { deployment_id, input: {} });
  const told = new EventEmitter<{ failed: [string] }>();
  server.onActivity((activity) => {
    if (activity.kind === "agent_load_failed") told.emit("failed", activity.text!);
  });
  assert.match((await server.reload())!, /The Python packages of requirements\.txt could not be installed/);
  const look = async () => (await call("GET", `/v1/runs/${run.body.run_id}`)).body;
  await until("the run is over", async () => (await look()).completed_at !== null);
  const over = await look();
  assert.deepEqual([over.status, over.error.code], ["failed", "load_failed"]);
  assert.match(over.error_message, /could not be installed \(uv: exit code \d\).*\n[\s\S]*six=!=1/);

  const preparing: (string | undefined)[] = [];
  server.onActivity(({ kind, status }) => kind === "agent_preparing" && preparing.push(status));
  put(folder, { "requirements.txt": "six\n" });
  await server.reload();
  assert.equal(preparing[0], "started");
  assert.equal(preparing.at(-1), "done");
});

test("a run waits until its packages are there, and a change of what is asked for begins anew", async (t) => {
  const { path, pids } = endlessUv(join(pathWithUv.split(":")[0]!, "uv"));
  const { server, folder, deployment_id, call } = await testServer(
    t,
    { ...functionInPython, "requirements.txt": "endless\n" },
    { PATH: path, XDG_CACHE_HOME: newCache() },
  );
  const statuses: (string | undefined)[] = [];
  server.onActivity(({ kind, status }) => kind === "agent_preparing" && statuses.push(status));
  const loading = server.reload();
  const run = await call("POST", "/v1/runs", { deployment_id, input: { n: 1 } });
  await until("the installer is at work", () => pids().length === 2 && statuses.includes("output"));
  put(folder, { "requirements.txt": "six\n" });
  server.prepareAgain();
  assert.equal(await loading, null);
  assert.deepEqual(statuses.slice(0, 3), ["started", "output", "started"]);
  assert.equal(statuses.at(-1), "done");
  await until("the installer is gone", () => !pids().some(lives));
  const look = async () => (await call("GET", `/v1/runs/${run.body.run_id}`)).body;
  await until("the run is over", async () => (await look()).completed_at !== null);
  const over = await look();
  assert.deepEqual([over.status, over.output], ["succeeded", { n: 1 }]);
});

test("serve makes the environment of a version when its first run comes, and again when the cache was deleted", async (t) => {
  const directory = projectFolder(t, { ...functionInPython, "requirements.txt": "six\n" });
  const own = newCache();
  const config = readConfig(
    { port: "0", data: join(directory, ".crewship/data"), logLevel: "silent" },
    { ...process.env, PATH: pathWithUv, XDG_CACHE_HOME: own, XDG_CONFIG_HOME: join(directory, "config") },
  );
  await (await startServer(config, { dev: readManifest(directory) })).close();
  const server = await startServer(config, { dev: null });
  t.after(() => server.close());
  const statuses: (string | undefined)[] = [];
  server.onActivity(({ kind, status }) => kind === "agent_preparing" && statuses.push(status));
  const { deployment_id } = server.deployments[0]!;
  const run = async (n: number) => {
    const headers = { authorization: `Bearer ${server.apiKey}`, "content-type": "application/json" };
    const body = JSON.stringify({ deployment_id, input: { n } });
    const { run_id } = (await (
      await fetch(`${server.url}/v1/runs`, { method: "POST", headers, body })
    ).json()) as { run_id: string };
    const events = await (await fetch(`${server.url}/v1/runs/${run_id}/events`, { headers })).text();
    assert.match(events, /"run.completed"/);
  };
  await run(1);
  assert.deepEqual([statuses[0], statuses.at(-1)], ["started", "done"]);
  statuses.length = 0;
  await run(2);
  assert.deepEqual(statuses, []);
  rmSync(own, { recursive: true });
  await run(3);
  assert.deepEqual([statuses[0], statuses.at(-1)], ["started", "done"]);
});

test("Ctrl-C while packages are installed ends `crewship dev` and the installer", async () => {
  const { path, pids } = endlessUv();
  const directory = project({ ...functionInPython, "requirements.txt": "six\n" });
  const dev = spawn(process.execPath, [CLI, "dev", directory, "--port", "0"], {
    env: {
      ...process.env,
      PATH: path,
      XDG_CACHE_HOME: newCache(),
      XDG_CONFIG_HOME: join(directory, "config"),
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output: string[] = [];
  for (const stream of [dev.stdout, dev.stderr]) stream.on("data", (chunk) => output.push(String(chunk)));
  await until(
    "the installer is at work",
    () => pids().length === 2 && output.join("").includes("Resolving for ever"),
  );
  dev.kill("SIGINT");
  const [code] = await once(dev, "exit", { signal: AbortSignal.timeout(15_000) });
  const text = output.join("");
  assert.equal(code, 0, text);
  assert.match(text, /\d\d:\d\d:\d\d Installing Python packages from requirements\.txt with uv…\n/);
  assert.match(text, /\d\d:\d\d:\d\d │ Resolving for ever\n/);
  assert.doesNotMatch(text, /could not be loaded/);
  await until("the installer is gone", () => !pids().some(lives));
});

/** Processes of Python agents forked for one run each, with the Python runner itself. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import type { Json } from "../src/core/json.ts";
import { storeSettings } from "../src/core/store_settings.ts";
import { LoadError } from "../src/runner/errors.ts";
import { ForkSocket } from "../src/runner/fork_socket.ts";
import type { AgentRun, RunMessage } from "../src/runner/run.ts";
import { runnerSettings } from "../src/runner/settings.ts";
import {
  type AcquireRequest,
  type Slot,
  Supervisor,
  type SupervisorOptions,
} from "../src/runner/supervisor.ts";
import { collect, isAlive, start, until } from "./fixtures/agent_process.ts";
import { interpreters } from "./fixtures/python.ts";

const DEADLINE_MS = 30_000;
const found = interpreters();
const skip = process.platform === "linux" ? found.length === 0 && "no Python here" : "forks are for Linux";
const python = found.find(([version]) => version === "3.11")?.[1] ?? found[0]?.[1] ?? null;

// Everything that this file's processes leave in the temporary folder is theirs.
const root = mkdtempSync(join(tmpdir(), "forks-"));
const directory = join(root, "project");
const temporary = join(root, "tmp");
for (const folder of [directory, temporary]) mkdirSync(folder);
process.env.TMPDIR = temporary;
after(() => rmSync(root, { recursive: true, force: true }));

writeFileSync(
  join(directory, "agents.py"),
  `
import os, random, secrets, signal, ssl, sys, threading, time, uuid

wakeup = signal.set_wakeup_fd(-1)
for n in range(20):
    os.write(1, f"{os.getpid()} ".encode())
    os.write(1, f"says {n}\\n".encode())

def about(input, context):
    return {
        "pid": os.getpid(),
        "parent": os.getppid(),
        "leads": os.getpgrp() == os.getpid() == os.getsid(0),
        "drawn": [random.random(), secrets.token_hex(), str(uuid.uuid4()), ssl.RAND_bytes(8).hex()],
        "argv": sys.argv[1:],
        "threads_of_numpy": os.environ.get("OPENBLAS_NUM_THREADS"),
        "on_child": signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL,
        "wakeup": wakeup,
        "cwd": os.getcwd(),
        "path": sys.path[0],
    }

async def loops(input, context):
    import asyncio
    process = await asyncio.create_subprocess_exec("true")
    return await process.wait()

def wait(input, context):
    print("waiting")
    context.signal.wait()

def rest():
    while True:
        try:
            while True:
                try:
                    time.sleep(3600)
                except BaseException:
                    pass
        except BaseException:
            pass

def block(input, context):
    try:
        print("blocked")
    except BaseException:
        pass
    rest()

def devour(input, context):
    kept = []
    while True:
        kept.append(bytearray(16 * 1024 * 1024))
        for page in range(0, len(kept[-1]), 4096):
            kept[-1][page] = 1

def leave(input, context):
    os.write(2, b"the end\\n")
    os._exit(7)
`,
);

type Wish = Partial<AcquireRequest["version"]> & {
  env?: Record<string, string>;
  settings?: Parameters<typeof runnerSettings>[1];
};

function wish(
  entrypoint = "agents:about",
  { env = {}, settings = {}, ...version }: Wish = {},
): AcquireRequest {
  return {
    version: {
      version_id: "ver_1",
      framework: "function",
      entrypoint,
      directory,
      python,
      store: storeSettings({}),
      chat: { input_key: null, output_key: null },
      runner: runnerSettings("function", { isolation: "run", processes: 4, ...settings }),
      ...version,
    },
    environment: "production",
    secrets: [],
    env: { PATH: process.env.PATH!, ...env },
    log_id: 1,
    alone: false,
    signal: AbortSignal.timeout(DEADLINE_MS),
  };
}

type Line = { details: Record<string, unknown>; message: string };

/** A supervisor and what it logs. Afterwards nothing of it is left. */
async function supervised(
  body: (supervisor: Supervisor, warnings: Line[], output: Line[]) => Promise<void>,
  options: Partial<SupervisorOptions> = {},
): Promise<void> {
  const warnings: Line[] = [];
  const output: Line[] = [];
  const note = (lines: Line[]) => (details: object, message: string) =>
    lines.push({ details: details as Line["details"], message });
  const logger = { info: note(output), warn: note(warnings), error: note(warnings) };
  const supervisor = new Supervisor({ logger, ...options });
  try {
    await body(supervisor, warnings, output);
  } finally {
    await supervisor.close();
  }
  assert.deepEqual(readdirSync(temporary), [], "no folder is left");
  await until(() => ourProcesses().length === 0, "no process is left");
}

/** Every process whose command line names our runner, whoever its parent is. */
function ourProcesses(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const mine = readFileSync(`/proc/${pid}/cwd/agents.py`, "utf8") !== "" && isAlive(pid);
        return mine && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("runners/python");
      } catch {
        return false;
      }
    });
}

function parentOf(pid: number): number {
  return Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))![1]);
}

async function output(slot: Slot, run_id = "run_1"): Promise<Json> {
  const done = (await collect(slot.run(start(run_id, {})))).at(-1);
  assert.ok(done?.type === "done" && done.outcome === "succeeded", JSON.stringify(done));
  return done.output ?? null;
}

type About = Record<string, Json> & { pid: number; parent: number; drawn: string[] };

/** The messages of a run that has begun: its code has said something. */
async function begun(run: AgentRun): Promise<AsyncIterator<RunMessage, undefined>> {
  const messages = run[Symbol.asyncIterator]();
  assert.equal((await messages.next()).value?.type, "event");
  return messages;
}

for (const [version, interpreter] of found) {
  test(
    `Python ${version}: every run has a process forked from one parent, which is like a fresh one`,
    { skip },
    () =>
      supervised(async (supervisor) => {
        const known: About[] = [];
        const times: number[] = [];
        for (let n = 0; n < 4; n++) {
          const begin = performance.now();
          const slot = await supervisor.acquire(wish("agents:about", { python: interpreter }));
          times.push(performance.now() - begin);
          known.push((await output(slot)) as About);
          slot.release();
        }
        console.log(`# ready after ${times.map((ms) => `${Math.round(ms)} ms`).join(", ")}`);
        assert.equal(new Set(known.map(({ pid }) => pid)).size, 4);
        assert.equal(new Set(known.map(({ parent }) => parent)).size, 1);
        assert.notEqual(known[0]!.parent, process.pid);
        assert.equal(
          new Set(known.flatMap(({ drawn }) => drawn)).size,
          16,
          "children draw different numbers",
        );
        const { pid: _, parent: __, drawn: ___, ...same } = known[0]!;
        assert.deepEqual(same, {
          leads: true,
          argv: [],
          threads_of_numpy: null,
          on_child: true,
          wakeup: -1,
          cwd: directory,
          path: directory,
        });
        const loops = await supervisor.acquire(
          wish("agents:loops", { python: interpreter, version_id: "ver_2" }),
        );
        assert.equal(await output(loops), 0);
      }),
  );
}

test("a process that presents another token, or a channel twice, is refused", async (context) => {
  const socket = await ForkSocket.open();
  context.after(() => socket.close());
  const refused = async (greeting: string) => {
    const stranger = connect(socket.path).on("error", () => {});
    stranger.write(greeting);
    await new Promise((closed) => stranger.resume().once("close", closed));
  };
  const own = (channel: number) => {
    const channelSocket = connect(socket.path);
    channelSocket.write(`${socket.token}${channel}first`);
    return channelSocket;
  };
  assert.equal(statSync(dirname(socket.path)).mode & 0o777, 0o700);
  await refused(`${"0".repeat(32)}3`);
  await refused(`${socket.token}7`);
  const clients = [own(1), own(3)];
  await refused(`${socket.token}1`);
  clients.push(own(2));
  const { pipe, stdout, stderr } = await socket.connected;
  const silent = connect(socket.path);
  await once(silent, "connect");
  const closed = once(silent.resume(), "close");
  await Promise.all([socket.close(), closed]);
  assert.equal(existsSync(socket.path), false);
  for (const channel of [pipe, stdout, stderr]) {
    assert.equal(channel.isPaused(), false);
    assert.equal(
      String((await once(channel, "data"))[0]),
      "first",
      "what follows the token is the channel's",
    );
  }
  for (const end of [...clients, pipe, stdout, stderr]) end.destroy();
  assert.deepEqual(readdirSync(temporary), []);
});

test(
  "a parent with a second thread forks nothing: each run gets a fresh process, and the log says so once",
  { skip },
  () =>
    supervised(async (supervisor, warnings) => {
      const site = mkdtempSync(join(root, "site-"));
      writeFileSync(
        join(site, "sitecustomize.py"),
        "import threading, time\nthreading.Thread(target=time.sleep, args=(3600,), daemon=True).start()\n",
      );
      const threaded = { env: { PYTHONPATH: site } };
      for (let n = 0; n < 2; n++) {
        const slot = await supervisor.acquire(wish("agents:about", threaded));
        assert.equal(((await output(slot)) as About).parent, process.pid);
        slot.release();
      }
      const [line, ...others] = warnings.filter(({ message }) => /fresh process/.test(message));
      assert.match(String(line!.details.reason), /2 threads/);
      assert.equal(line!.details.version_id, "ver_1");
      assert.deepEqual(others, []);
      await until(
        () => ourProcesses().every((pid) => parentOf(pid) === process.pid),
        "no parent is kept for nothing",
      );
    }),
);

test("a framework that cannot be imported is reported by a fresh process", { skip }, () =>
  supervised(async (supervisor, warnings) => {
    const error = await supervisor.acquire(wish("agents:about", { framework: "langgraph" })).then(
      () => assert.fail("it loaded"),
      (error: unknown) => error,
    );
    assert.ok(error instanceof LoadError, String(error));
    assert.match(error.message, /No module named/);
    assert.match(String(warnings[0]!.details.reason), /No module named 'langgraph'/);
  }),
);

test(
  "when the parent is killed its children's runs are lost, and the next run has a new parent",
  { skip },
  () =>
    supervised(async (supervisor, warnings) => {
      const slot = await supervisor.acquire(wish("agents:block"));
      const run = slot.run(start("run_1", {}));
      const messages = await begun(run);
      const child = slot.pid!;
      const parent = parentOf(child);
      process.kill(parent, "SIGKILL");
      await assert.rejects(messages.next(), {
        name: "AgentLost",
        signal: "SIGKILL",
        wasEndedFromOutside: true,
      });
      await until(() => !isAlive(child) && !isAlive(parent), "both are gone");
      slot.release();
      const next = await supervisor.acquire(wish("agents:block"));
      await begun(next.run(start("run_2", {})));
      assert.notEqual(parentOf(next.pid!), parent);
      assert.notEqual(parentOf(next.pid!), process.pid);
      assert.ok(
        warnings.some(({ message, details }) => /fork parent/.test(message) && details.pid === parent),
      );
    }),
);

test(
  "a forked process that ends loses its run with its exit code and stderr, or its signal; the parent goes on",
  { skip },
  () =>
    supervised(async (supervisor) => {
      const leaving = await supervisor.acquire(wish("agents:leave"));
      const parent = parentOf(leaving.pid!);
      const lost = { name: "AgentLost", reason: "exited with code 7", stderr: "the end" };
      await assert.rejects(collect(leaving.run(start("run_1", {}))), lost);
      leaving.release();
      const killed = await supervisor.acquire(wish("agents:leave"));
      const ended = killed.run(start("run_2", {}));
      process.kill(killed.pid!, "SIGKILL");
      await assert.rejects(collect(ended), { name: "AgentLost", reason: "was ended by SIGKILL" });
      killed.release();
      const next = await supervisor.acquire(wish("agents:leave"));
      assert.equal(parentOf(next.pid!), parent);
    }),
);

test("what two forked processes print is told apart", { skip }, () =>
  supervised(async (supervisor, _warnings, lines) => {
    const slots = await Promise.all([supervisor.acquire(wish()), supervisor.acquire(wish())]);
    const said = () => lines.filter(({ message }) => / says /.test(message));
    await until(() => said().length === 40, "both have printed");
    for (const { pid } of slots) {
      assert.deepEqual(
        said().flatMap(({ details, message }) => (details.pid === pid ? [message] : [])),
        Array.from({ length: 20 }, (_, n) => `${pid} says ${n}`),
      );
    }
  }),
);

test("a canceled run whose code does not return is over within two seconds", { skip }, () =>
  supervised(async (supervisor) => {
    const slot = await supervisor.acquire(wish("agents:block"));
    const run = slot.run(start("run_1", {}));
    const messages = await begun(run);
    const begin = performance.now();
    run.cancel();
    await assert.rejects(messages.next(), { name: "AgentLost" });
    const took = performance.now() - begin;
    assert.ok(took < 2000, `it took ${Math.round(took)} ms`);
  }),
);

test("after a reload the old parent waits for its last run, and the next run has a new one", { skip }, () =>
  supervised(async (supervisor) => {
    const old = await supervisor.acquire(wish("agents:wait"));
    const run = old.run(start("run_1", {}));
    const messages = await begun(run);
    const parent = parentOf(old.pid!);
    supervisor.reload("ver_1");
    const fresh = await supervisor.acquire(wish("agents:wait"));
    assert.notEqual(parentOf(fresh.pid!), parent);
    assert.ok(isAlive(parent));
    run.cancel();
    const { value } = await messages.next();
    assert.ok(value?.type === "done" && value.outcome === "canceled");
    old.release();
    await until(() => !isAlive(parent), "the old parent has stopped");
    assert.ok(isAlive(parentOf(fresh.pid!)));
  }),
);

test("a parent without runs stops after the version's idle time", { skip }, () =>
  supervised(async (supervisor) => {
    const request = wish("agents:about", { settings: { idle_timeout_s: 1 } });
    const slot = await supervisor.acquire(request);
    const parent = parentOf(slot.pid!);
    await output(slot);
    slot.release();
    await until(() => !isAlive(parent), "the parent has stopped");
    assert.notEqual(parentOf((await supervisor.acquire(request)).pid!), parent);
  }),
);

test("closing does not wait for a parent that is still importing", { skip }, () =>
  supervised(async (supervisor) => {
    const site = mkdtempSync(join(root, "site-"));
    writeFileSync(join(site, "sitecustomize.py"), "import time\ntime.sleep(3600)\n");
    const waiting = supervisor.acquire(wish("agents:about", { env: { PYTHONPATH: site } }));
    await until(() => ourProcesses().length === 1, "the parent has started");
    const begin = performance.now();
    await Promise.all([supervisor.close(), assert.rejects(waiting)]);
    assert.ok(performance.now() - begin < 2000);
  }),
);

test("when the server is killed its forked processes and their parents end, though their code is blocked", {
  skip,
}, async () => {
  const script = `
    import { Supervisor } from ${JSON.stringify(new URL("../src/runner/supervisor.ts", import.meta.url).href)};
    const logger = { info() {}, warn() {}, error() {} };
    const request = ${JSON.stringify({ ...wish("agents:block"), signal: undefined })};
    const slot = await new Supervisor({ logger }).acquire({ ...request, signal: new AbortController().signal });
    const run = slot.run(${JSON.stringify(start("run_1", {}))});
    for await (const message of run) console.log(slot.pid);
  `;
  const server = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [said] = await once(server.stdout, "data");
  const child = Number(String(said).trim());
  const parent = parentOf(child);
  assert.ok(isAlive(child) && isAlive(parent));
  server.kill("SIGKILL");
  await until(() => !isAlive(child) && !isAlive(parent), "both are gone");
});

test(
  "a forked process that takes more memory than the version allows is ended with the number",
  { skip },
  () =>
    supervised(async (supervisor) => {
      const slot = await supervisor.acquire(wish("agents:devour", { settings: { memory_mb: 64 } }));
      const reason = /^ran out of memory \(memory_mb = 64\)$|^was killed: it used more than 352 MB$/;
      await assert.rejects(collect(slot.run(start("run_1", {}))), { name: "AgentLost", reason });
      slot.release();
    }),
);

test("where no socket can be opened a fresh process starts, and the log says what to do", { skip }, () =>
  supervised(async (supervisor, warnings) => {
    const deep = join(root, "d".repeat(100));
    mkdirSync(deep);
    process.env.TMPDIR = deep;
    try {
      const slot = await supervisor.acquire(wish());
      assert.equal(((await output(slot)) as About).parent, process.pid);
      assert.match(String(warnings[0]!.details.reason), /too long: set TMPDIR to a shorter one/);
      assert.deepEqual(readdirSync(deep), []);
    } finally {
      process.env.TMPDIR = temporary;
    }
  }),
);

/** Agents in Python behind a real server: the same threads, streams and crashes as with Node's. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CrewshipClient } from "../src/client/client.ts";
import { pythonVariables } from "./fixtures/python.ts";
import { type TestServer, testServer } from "./fixtures/server.ts";

const manifest = (more = "") =>
  `[deployment]\nname = "memory"\nframework = "function"\nentrypoint = "agent:agent"\n${more}`;

const agent = `
import logging, os, time

def agent(input, context):
    said = context.state.setdefault("said", [])
    said.append(input.get("message"))
    print("heard", input.get("message"))
    logging.getLogger("agent").warning("careful")
    if input.get("exit_once"):
        if not os.path.exists("exited"):
            open("exited", "w").close()
            os._exit(4)
    if input.get("sleep"):
        time.sleep(input["sleep"])
    while input.get("loop"):
        time.sleep(0.01)
    if input.get("raise"):
        raise LookupError(input["raise"])
    return {"said": len(said), "pid": os.getpid(), "parent": os.getppid()}
`;

const project = (more?: string) => ({ "crewship.toml": manifest(more), "agent.py": agent });
const serve = (t: Parameters<typeof testServer>[0], files: Record<string, string>) =>
  testServer(t, files, pythonVariables());

async function newThread({ call, deployment_id }: TestServer): Promise<string> {
  return (await call("POST", "/v1/threads", { deployment_id })).body.thread_id;
}

test("a thread of a Python agent is remembered, copied, changed by hand and streamed", async (t) => {
  const server = await serve(t, project());
  const { call } = server;
  const thread = await newThread(server);
  const run = async (id: string, message: string) =>
    (await call("POST", `/v1/threads/${id}/runs/wait`, { input: { message } })).body;
  assert.equal((await run(thread, "one")).output.said, 1);
  const second = await run(thread, "two");
  assert.equal(second.status, "succeeded", JSON.stringify(second.error));
  assert.equal(second.output.said, 2);
  const copy = (await call("POST", `/v1/threads/${thread}/copy`, {})).body.thread_id;
  await run(copy, "three");
  const said = async (id: string) => (await call("GET", `/v1/threads/${id}`)).body.values.said;
  assert.deepEqual(await said(thread), ["one", "two"]);
  assert.deepEqual(await said(copy), ["one", "two", "three"]);
  const { checkpoints } = (await call("GET", `/v1/threads/${copy}/history`)).body;
  assert.equal(checkpoints.length, 3);
  await call("POST", `/v1/threads/${thread}/state`, { values: { said: ["nothing"] } });
  assert.equal((await run(thread, "four")).output.said, 2);
  const events: string = (await call("GET", `/v1/runs/${second.id}/events`)).body;
  const logs = [...events.matchAll(/"type":"log","data":(\{[^}]*\})/g)].map((found) => JSON.parse(found[1]!));
  assert.deepEqual(logs, [
    { level: "info", message: "heard two" },
    { level: "warning", message: "careful" },
  ]);
});

test("a Python agent that raises fails its run with its line, and the next run goes on", async (t) => {
  const server = await serve(t, project());
  const thread = await newThread(server);
  const wait = async (input: object) =>
    (await server.call("POST", `/v1/threads/${thread}/runs/wait`, { input })).body;
  const failed = await wait({ raise: "no such city" });
  assert.equal(failed.status, "failed");
  assert.equal(failed.error.message, "LookupError: no such city");
  assert.match(failed.error.traceback, /agent\.py", line \d+, in agent\n.*raise LookupError/);
  assert.equal((await server.call("GET", `/v1/threads/${thread}`)).body.status, "error");
  assert.equal((await wait({})).status, "succeeded");
});

test("a Python function whose process ends is worker_lost, and with retry begins again", async (t) => {
  for (const [more, status] of [
    ["", "failed"],
    ["[runner]\nretry = 1\n", "succeeded"],
  ]) {
    const server = await serve(t, project(more));
    const thread = await newThread(server);
    // An agent that ends its process before it ever ended a run is taken for one that cannot be loaded.
    await server.call("POST", `/v1/threads/${thread}/runs/wait`, { input: {} });
    const input = { exit_once: true };
    const { body } = await server.call("POST", `/v1/threads/${thread}/runs/wait`, { input });
    assert.equal(body.status, status, JSON.stringify(body.error));
    if (status === "failed") {
      assert.equal(body.error.code, "worker_lost");
      assert.match(body.error.message, /exited with code 4/);
    }
    const next = await server.call("POST", `/v1/threads/${thread}/runs/wait`, { input: {} });
    assert.equal(next.body.status, "succeeded");
  }
});

test("a cancel frees the thread at once, and its blocked Python code is over within two seconds", async (t) => {
  const server = await serve(t, project());
  const { call } = server;
  const client = new CrewshipClient({ url: server.server.url, apiKey: server.server.apiKey });
  const thread = await newThread(server);
  // One at a step of Python code, one in C that no exception reaches.
  for (const input of [{ loop: true }, { sleep: 3600 }]) {
    const { body: run } = await call("POST", `/v1/threads/${thread}/runs`, { input });
    // It blocks right after it has printed.
    for await (const { type } of client.runEvents(run.run_id)) if (type === "log") break;
    const canceled = performance.now();
    assert.equal((await call("POST", `/v1/runs/${run.run_id}/cancel`)).status, 200);
    assert.equal((await call("GET", `/v1/threads/${thread}`)).body.status, "idle");
    const next = await call("POST", `/v1/threads/${thread}/runs/wait`, { input: {} });
    assert.equal(next.body.status, "succeeded");
    t.diagnostic(
      `${Object.keys(input)}: the next run had ended ${Math.round(performance.now() - canceled)} ms after the cancel`,
    );
  }
});

test('with isolation "run" each run of a Python agent has a process of its own', async (t) => {
  const server = await serve(t, project('[runner]\nisolation = "run"\n'));
  const processes: { pid: number; parent: number }[] = [];
  for (let i = 0; i < 3; i++) {
    const thread = await newThread(server);
    const { body } = await server.call("POST", `/v1/threads/${thread}/runs/wait`, { input: {} });
    assert.equal(body.status, "succeeded", JSON.stringify(body.error));
    processes.push(body.output);
  }
  assert.equal(new Set(processes.map(({ pid }) => pid)).size, 3);
  if (process.platform === "linux") {
    assert.equal(new Set(processes.map(({ parent }) => parent)).size, 1, "they are forked from one");
    assert.notEqual(processes[0]!.parent, process.pid);
  }
});

const broken: [what: string, files: Record<string, string>, message: RegExp, traceback?: RegExp][] = [
  [
    "whose module does not import",
    { "agent.py": "x = 1\nraise ValueError('not today')\n" },
    /Importing agent failed: ValueError: not today/,
    /agent\.py", line 2/,
  ],
  [
    "whose module has a mistake in its syntax",
    { "agent.py": "def agent(input, context)\n    pass\n" },
    /Importing agent failed: .*agent\.py", line 1.*SyntaxError/s,
  ],
  [
    "whose module is not there",
    { "other.py": "" },
    /The entrypoint's module "agent" does not exist in .*, nor in its src folder/,
  ],
  [
    "whose attribute is not there",
    { "agent.py": "def agnet(input, context):\n    pass\n" },
    /agent has no "agent"\. It defines: agnet/,
  ],
  ["that is no function", { "agent.py": "agent = 3\n" }, /"agent:agent" is not a function: it is 3/],
  [
    "that needs a package nobody installed",
    { "agent.py": "import a_package_nobody_installed\n" },
    /"a_package_nobody_installed" is not installed: add it to requirements.txt/,
    /agent\.py", line 1/,
  ],
  [
    "that ends the process while it is imported",
    { "agent.py": "import sys\nsys.exit(3)\n" },
    /Importing agent ended the process \(sys\.exit\(3\)\)/,
  ],
  [
    "that kills the process while it is imported",
    { "agent.py": "import os\nos._exit(5)\n" },
    /could not be loaded: its process exited with code 5/,
  ],
];
for (const [what, files, message, traceback] of broken) {
  test(`a Python agent ${what} fails its run with what to do, and the server lives`, async (t) => {
    const server = await serve(t, { "crewship.toml": manifest(), ...files });
    const thread = await newThread(server);
    const { body } = await server.call("POST", `/v1/threads/${thread}/runs/wait`, { input: {} });
    assert.equal(body.status, "failed");
    assert.equal(body.error.code, "load_failed");
    assert.match(body.error.message, message);
    if (traceback) assert.match(body.error.traceback, traceback);
    const text = await server.server.reload();
    assert.match(text ?? "", message, "dev says the same when it loads the folder");
    assert.equal((await server.call("GET", `/v1/threads/${thread}`)).body.status, "error");
  });
}

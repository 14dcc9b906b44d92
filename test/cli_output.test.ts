import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { firstSteps, quoted } from "../src/cli/first_steps.ts";
import { branchLines } from "../src/cli/history.ts";
import { parseJson } from "../src/cli/json_input.ts";
import { plain, table } from "../src/cli/output.ts";
import { makeProgram } from "../src/cli/program.ts";
import { activityLines, isLoopback } from "../src/cli/serve.ts";
import { patchLine } from "../src/cli/thread_states.ts";
import { EventTree } from "../src/cli/tree.ts";
import { answerIn, chatInput, resumeValue } from "../src/client/chat_messages.ts";
import type { Json } from "../src/core/json.ts";

const main = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url));
const at = new Date(2026, 0, 31, 10, 30, 5);

function tree(
  events: [type: string, data: Json][],
  options: { width?: number; now?: () => Date } = {},
): string {
  const drawn = new EventTree({ run_id: "run_1", now: () => at, ...options });
  return (
    events.map(([type, data], seq) => drawn.add({ id: String(seq + 1), type, data })).join("") + drawn.end()
  );
}

/** The CLI in a process of its own, without a terminal and without this machine's settings. */
async function crewship(t: TestContext, args: string[], input = "") {
  const home = mkdtempSync(join(tmpdir(), "crewship-cli-"));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const env = { PATH: process.env.PATH, XDG_CONFIG_HOME: home };
  const child = spawn(process.execPath, [main, ...args], { env, cwd: home });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  child.stdin.end(input);
  const code = await new Promise((resolve) => child.on("close", resolve));
  return { code, stdout, stderr };
}

async function serve(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("a run is drawn as a tree in which tokens grow below one heading", () => {
  const drawn = tree([
    ["run.started", { entrypoint: "x" }],
    ["task.started", { task: "research", agent: "analyst" }],
    ["tool.called", { tool: "web_search", input: { query: "tea" } }],
    ["tool.result", { tool: "web_search", output: "green,\nblack" }],
    ["message.delta", { message_id: "m1", content: "Green " }],
    ["message.delta", { message_id: "m1", content: "or\nblack." }],
    ["state.updated", { keys: ["messages"] }],
    ["log", { level: "info", message: "done\n  twice" }],
    ["run.completed", { duration_ms: 45_230, result: { answer: 1 } }],
  ]);
  assert.equal(
    drawn,
    [
      "▶ Run started: run_1",
      "├─ [10:30:05] Task: research (analyst)",
      '├─ [10:30:05] Tool: web_search("tea")',
      "│  ↳ green, black",
      "├─ [10:30:05] Message",
      "│  Green or",
      "│  black.",
      "├─ [10:30:05] Log: done",
      "│    twice",
      "✅ Run completed in 45.2s",
      "",
    ].join("\n"),
  );
});

test("a run that streamed no token shows its result at the end", () => {
  assert.equal(
    tree([["run.completed", { duration_ms: 1200, result: "All good." }]]),
    "✅ Run completed in 1.2s\nAll good.\n",
  );
});

test("each message has its own heading, and a message at the very end is closed with a newline", () => {
  const drawn = tree([
    ["message.delta", { message_id: "a", content: "one" }],
    ["message.delta", { message_id: "b", content: [{ type: "text", text: "two" }] }],
  ]);
  assert.equal(drawn, "├─ [10:30:05] Message\n│  one\n├─ [10:30:05] Message\n│  two\n");
});

test("no line of a tree is wider than the terminal", () => {
  const long = "many words that go on and on ".repeat(10);
  const drawn = tree(
    [
      ["tool.called", { tool: "search", input: { query: long } }],
      ["tool.result", { tool: "search", output: long }],
      ...long
        .split(/(?<= )/)
        .map((content): [string, Json] => ["message.delta", { message_id: "m", content }]),
    ],
    { width: 40 },
  );
  const widest = Math.max(...drawn.split("\n").map((line) => line.trimEnd().length));
  assert.ok(widest <= 40, drawn);
  assert.equal(drawn.split("\n").filter((line) => line.startsWith("│  many")).length > 0, true);
});

test("a failure shows its traceback, a question what is asked, and an agent's words cannot steer the terminal", () => {
  assert.equal(
    tree([["run.failed", { error: "boom\u001b[2J", traceback: "Error: boom\n  at x" }]]),
    "❌ Run failed: boom[2J\n   Error: boom\n     at x\n",
  );
  assert.equal(
    tree([["run.interrupted", { interrupts: [{ id: "1", value: "Send it?" }] }]]),
    "⏸ Run stopped to ask:\n   Send it?\n",
  );
});

test("columns are as wide as their widest cell and the last one ends where the terminal does", () => {
  const rows = [
    { id: "thr_1", text: "short" },
    { id: "thr_22", text: "much too long for this\nterminal" },
  ];
  const columns = [
    { title: "id", cell: (row: { id: string }) => row.id },
    { title: "text", cell: (row: { text: string }) => row.text },
  ];
  assert.equal(table(columns, rows, { width: 20 }), "ID      TEXT\nthr_1   short\nthr_22  much too lo…");
});

test("the log of runs says who, what and how long in one line", () => {
  const line = activityLines(
    {
      at: at.toISOString(),
      kind: "run_over",
      run_id: "run_ab12",
      thread_id: "thr_1",
      status: "succeeded",
      duration_ms: 1234,
    },
    plain,
  );
  assert.deepEqual(line, ["10:30:05 run_ab12 thr_1 succeeded in 1.2 s"]);
});

test("the log of an environment being made says what is done, shows the tool's lines short, and how long it took", () => {
  const lines = [
    { status: "started", text: "Installing Python packages from requirements.txt with uv" },
    { status: "output", text: `Resolved ${"x".repeat(200)}` },
    { status: "done", text: "Python 3.11.7 environment ready", duration_ms: 7234 },
  ].flatMap((activity) =>
    activityLines({ at: at.toISOString(), kind: "agent_preparing", ...activity }, plain),
  );
  assert.deepEqual(lines, [
    "10:30:05 Installing Python packages from requirements.txt with uv…",
    `10:30:05 │ Resolved ${"x".repeat(90)}…`,
    "10:30:05 Python 3.11.7 environment ready in 7.2 s",
  ]);
});

test("broken JSON is refused with the place where it breaks", () => {
  const places: [text: string, place: RegExp][] = [
    ['{"a": hello}', /breaks at line 1, column 7\.\n {2}\{"a": hello\}\n {8}\^$/],
    ["{'a': 1}", /line 1, column 2/],
    ['{"a": 1,}', /line 1, column 9/],
    ['{\n  "a": [1, 2,, 3]\n}', /line 2, column 14/],
    ['{"a": "b', /column 7/],
    ['{"a": [1, {"b": true}', /ends too early, at line 1, column 22/],
    ["", /ends too early, at line 1, column 1/],
    ['{"a": 1} x', /line 1, column 10/],
    ["[1 2]", /column 4/],
    ["01", /column 2/],
  ];
  for (const [text, place] of places) assert.throws(() => parseJson("-i", text), { message: place }, text);
  assert.deepEqual(parseJson("-i", ' {"a":[{},[],-1.5e3,"\\u00e9"]} '), { a: [{}, [], -1500, "é"] });
});

test("a line of chat becomes the input its deployment expects, and its result an answer", () => {
  const chat = { input_key: null, output_key: null };
  const messages = { messages: [{ role: "user", content: "hi" }] };
  assert.deepEqual(chatInput({ framework: "langgraph-js", chat }, "hi"), messages);
  assert.deepEqual(
    chatInput({ framework: "function", chat: { ...chat, input_key: "messages" } }, "hi"),
    messages,
  );
  assert.deepEqual(chatInput({ framework: "function", chat }, "hi"), { message: "hi" });
  assert.deepEqual(chatInput({ framework: "langgraph", chat: { ...chat, input_key: "q" } }, "hi"), {
    q: "hi",
  });
  assert.deepEqual(chatInput({ framework: "crewai", chat }, "hi"), { message: "hi" });
  assert.deepEqual(chatInput({ framework: "crewai", chat: { ...chat, input_key: "topic" } }, "hi"), {
    topic: "hi",
  });
  const crew = { raw: "All done.", json: null, tasks_output: [] };
  assert.equal(answerIn({ framework: "crewai", chat }, crew), "All done.");
  const talks = { framework: "function" as const, chat };
  assert.equal(answerIn(talks, { messages: [{ role: "assistant", content: "yes" }] }), "yes");
  assert.equal(answerIn({ ...talks, chat: { ...chat, output_key: "reply" } }, { reply: "no" }), "no");
  assert.deepEqual([resumeValue("true"), resumeValue("go on")], [true, "go on"]);
});

test("the commands to paste quote what a shell would read", () => {
  assert.equal(quoted("it's"), `'it'\\''s'`);
  const steps = firstSteps(
    { url: "http://127.0.0.1:8700", apiKey: "csk_x", deployment_id: "dep_1" },
    { framework: "langgraph-js", chat: { input_key: null, output_key: null } },
  );
  assert.match(steps, /^KEY=csk_x\n/);
  assert.match(steps, /\{"input":\{"messages":\[\{"role":"user","content":"What is my name\?"\}\]\}\}/);
});

test("only addresses of this machine count as loopback", () => {
  assert.deepEqual(
    ["127.0.0.1", "127.8.0.1", "localhost", "::1", "0.0.0.0", "::", "192.168.1.4", "127.example.org"].map(
      isLoopback,
    ),
    [true, true, true, true, false, false, false, false],
  );
});

test("wrong usage exits 2 and says how it would be right", async (t) => {
  const cases: [args: string[], says: RegExp][] = [
    [["nonsense"], /unknown command 'nonsense'/],
    [["invoke", "dep_1", "-i", "{oops}"], /-i is not JSON: it breaks at line 1, column 2/],
    [["thread", "get"], /missing required argument 'thread'/],
    [["runs", "list", "--limit", "0"], /whole number from 1 to 100/],
    [["runs", "list", "--url", "localhost"], /--url takes an address such as/],
    [["serve", "--host", "0.0.0.0"], /Set CREWSHIP_API_KEY/],
    [["serve", "--port", "http"], /--port takes a whole number/],
    [["dev", "."], /There is no .*crewship\.toml/],
  ];
  const answers = await Promise.all(cases.map(([args]) => crewship(t, args)));
  for (const [index, { code, stderr, stdout }] of answers.entries()) {
    const [args, says] = cases[index]!;
    assert.equal(code, 2, `${args.join(" ")}: ${stderr}`);
    assert.match(stderr, says);
    assert.equal(stdout, "");
  }
});

test("a server that is not there, or says no, exits 1", async (t) => {
  const closed = createServer();
  await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
  const gone = `http://127.0.0.1:${(closed.address() as AddressInfo).port}`;
  await new Promise((resolve) => closed.close(resolve));
  const refusing = await serve(t, (_, response) => {
    response.writeHead(404, { "Content-Type": "application/json" });
    response.end(
      JSON.stringify({
        error: { code: "not_found", message: "There is no run run_1.", details: { id: "run_1" } },
      }),
    );
  });
  const [nobody, no, forMachines] = await Promise.all([
    crewship(t, ["runs", "get", "run_1", "--url", gone]),
    crewship(t, ["runs", "get", "run_1", "--url", refusing]),
    crewship(t, ["runs", "get", "run_1", "--url", refusing, "--json"]),
  ]);
  assert.equal(nobody.code, 1);
  assert.match(nobody.stderr, new RegExp(`There is no server at ${gone}\\. Start one with`));
  assert.deepEqual([no.code, no.stdout, no.stderr], [1, "", "error: There is no run run_1.\n"]);
  assert.equal(forMachines.code, 1);
  assert.deepEqual(JSON.parse(forMachines.stderr).error.details, { id: "run_1" });
});

test("invoke takes its input from stdin, sends the key, and exits 1 when the run failed", async (t) => {
  const seen: string[] = [];
  const run = { id: "run_1", status: "failed", output: null, error_message: "out of tea", error: null };
  const url = await serve(t, (request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      seen.push(`${request.method} ${request.url} ${request.headers.authorization} ${body}`);
      if (request.url?.endsWith("/events")) {
        response.writeHead(200, { "Content-Type": "text/event-stream" });
        response.end(
          `id: 1\ndata: ${JSON.stringify({ type: "run.failed", data: { error: "out of tea" } })}\n\n`,
        );
      } else {
        response.writeHead(request.method === "POST" ? 202 : 200, { "Content-Type": "application/json" });
        response.end(
          JSON.stringify(request.method === "POST" ? { run_id: "run_1", status: "running" } : run),
        );
      }
    });
  });
  const { code, stdout, stderr } = await crewship(
    t,
    ["invoke", "--thread", "thr_1", "-i", "-", "--url", url, "--api-key", "csk_1"],
    '{"topic": "tea"}',
  );
  assert.equal(code, 1);
  assert.equal(stdout, "");
  assert.match(stderr, /Run failed: out of tea \(run_1\)/);
  assert.deepEqual(seen, [
    'POST /v1/threads/thr_1/runs Bearer csk_1 {"input":{"topic":"tea"}}',
    "GET /v1/runs/run_1/events Bearer csk_1 ",
    "GET /v1/runs/run_1 Bearer csk_1 ",
  ]);
});

test("branches of a history stand beside each other, and join where they began", () => {
  const of = (...rows: [id: string, parent: string | null][]) =>
    branchLines(rows.map(([id, parent]) => ({ id, parent })));
  assert.deepEqual(of(["c", "b"], ["b", "a"], ["a", null]), ["●", "●", "●"]);
  assert.deepEqual(of(["c", "a"], ["b", "a"], ["a", null]), ["●", "│ ●", "●─╯"]);
  assert.deepEqual(of(["d", "a"], ["c", "b"], ["b", "a"], ["a", null]), ["●", "│ ●", "│ ●", "●─╯"]);
  assert.deepEqual(of(["d", "a"], ["c", "a"], ["b", "a"], ["a", null]), ["●", "│ ●", "│ │ ●", "●─┴─╯"]);
  assert.deepEqual(of(["e", "b"], ["d", "a"], ["c", "b"], ["b", "a"], ["a", null]), [
    "●",
    "│ ●",
    "│ │ ●",
    "●─┼─╯",
    "●─╯",
  ]);
  // What its parent was is not there any more: the branch ends, and its column is taken by another.
  assert.deepEqual(of(["c", null], ["b", "a"], ["a", null]), ["●", "●", "●"]);
  assert.deepEqual(of(), []);
});

test("a difference is a line for each place", () => {
  assert.equal(patchLine({ op: "replace", path: "/a/0", value: "x\u001b[2J\ny" }), "~ /a/0: x[2J y");
  assert.equal(patchLine({ op: "add", path: "/b", value: { c: 1 } }), '+ /b: {"c":1}');
  assert.equal(patchLine({ op: "remove", path: "/d" }), "- /d");
});

test("every command explains itself with an example", () => {
  const seen: string[] = [];
  explain(makeProgram(), []);
  assert.equal(seen.length, 51, seen.join(", "));

  function explain(command: Command, path: string[]): void {
    const own = command.commands.filter((one) => one.name() !== "help");
    for (const one of own) explain(one, [...path, one.name()]);
    if (own.length > 0) return;
    const name = path.join(" ");
    seen.push(name);
    let help = "";
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    assert.match(help, new RegExp(`Examples?:\\n  \\$ (.* )?crewship ${name}`), name);
    assert.match(help, /--json/, name);
  }
});

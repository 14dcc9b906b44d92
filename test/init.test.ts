/** `crewship init` recognises what is in a folder, and never writes over what a person wrote. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { readManifest } from "../src/deploy/manifest.ts";
import { propose } from "../src/deploy/propose.ts";
import { newProject } from "./fixtures/deployer.ts";

const main = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url));

function init(folder: string, ...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, "init", folder, ...args], (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}

const crew = `from crewai import Agent, Crew
from crewai.project import CrewBase

@CrewBase
class SupportCrew:
    pass
`;
const graphInPython = `from langgraph.graph import StateGraph
tools = ["one"]
builder = StateGraph(dict)
graph = (
    builder.add_node("a", lambda s: s)
    .compile()
)
`;
const graphInNode = `import { StateGraph } from "@langchain/langgraph";
export const limit = 3;
export const graph = new StateGraph(State)
  .addNode("a", a)
  .compile();
`;

const cases: [string, Record<string, string>, { framework: string; entrypoint: string }[]][] = [
  [
    "a crew",
    { "src/support/crew.py": crew, "src/support/tools.py": "" },
    [{ framework: "crewai", entrypoint: "support.crew:SupportCrew" }],
  ],
  [
    "a flow",
    { "review.py": "from crewai.flow.flow import Flow\n\nclass Review(Flow[State]):\n    pass\n" },
    [{ framework: "crewai", entrypoint: "review:Review" }],
  ],
  [
    "a graph in Python, not its tests",
    { "tests/test_graph.py": graphInPython, "app/graph.py": graphInPython },
    [{ framework: "langgraph", entrypoint: "app.graph:graph" }],
  ],
  [
    "a graph in TypeScript",
    { "package.json": "{}", "src/graph.ts": graphInNode, "src/graph.test.ts": graphInNode },
    [{ framework: "langgraph-js", entrypoint: "./src/graph.ts:graph" }],
  ],
  [
    "langgraph.json, whatever else there is",
    {
      "langgraph.json": JSON.stringify({ graphs: { one: "./src/one/agent.py:graph", two: "./two.ts:app" } }),
      "crew.py": crew,
      "src/one/agent.py": "",
      "two.ts": "",
    },
    [
      { framework: "langgraph", entrypoint: "one.agent:graph" },
      { framework: "langgraph-js", entrypoint: "./two.ts:app" },
    ],
  ],
  [
    "a function",
    { "agent.ts": "export async function agent(input) {}\n" },
    [{ framework: "function", entrypoint: "./agent.ts:agent" }],
  ],
  ["nothing", { "main.py": "print(1)\n" }, []],
];

test("crews, flows, graphs and functions are recognised without being executed", async (t) => {
  for (const [what, files, expected] of cases) {
    const found = await propose(newProject(t, files));
    assert.deepEqual(
      found.map(({ framework, entrypoint }) => ({ framework, entrypoint })),
      expected,
      what,
    );
  }
});

test("init writes a crewship.toml that serves, says so, and leaves one that is there", async (t) => {
  const folder = newProject(t, { "agent.ts": "export function agent() {}\n" });
  const said = await init(folder, "--name", "mine");
  assert.equal(said.code, 0, said.stderr);
  assert.match(said.stdout, /✓ Wrote .*crewship\.toml/);
  const { name, framework, entrypoint } = readManifest(folder);
  assert.deepEqual([name, framework, entrypoint], ["mine", "function", "./agent.ts:agent"]);
  assert.match((await init(folder, "--name", "mine")).stdout, /says this already/);
  const before = readFileSync(join(folder, "crewship.toml"), "utf8");
  const refused = await init(folder, "--name", "other");
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /--force writes over it/);
  assert.equal(readFileSync(join(folder, "crewship.toml"), "utf8"), before);
  assert.equal((await init(folder, "--name", "other", "--force")).code, 0);
  assert.equal(readManifest(folder).name, "other");
});

test("a project with several graphs gets a deployment for each", async (t) => {
  const folder = newProject(t, {
    "langgraph.json": JSON.stringify({ graphs: { "first one": "./a.ts:graph", second: "./b.ts:graph" } }),
    "a.ts": "",
    "b.ts": "",
  });
  assert.equal((await init(folder)).code, 0);
  assert.equal(readManifest(folder, "first-one").entrypoint, "./a.ts:graph");
  assert.equal(readManifest(folder, "second").entrypoint, "./b.ts:graph");
});

test("a deployment is called as the project calls itself, else as its folder", async (t) => {
  const agent = { "agent.ts": "export function agent() {}\n", "agent.py": "def agent(input):\n    pass\n" };
  const nameOf = async (files: Record<string, string>) =>
    (await propose(newProject(t, { ...agent, ...files })))[0]!.name;
  assert.equal(await nameOf({ "package.json": `{"name":"@team/support"}` }), "support");
  assert.equal(await nameOf({ "pyproject.toml": `[project]\nname = "research"\n` }), "research");
  assert.equal(
    await nameOf({ "package.json": "{", "pyproject.toml": "[" }).then((n) => n.slice(0, 9)),
    "crewship-",
  );
});

test("where nothing is recognised, or what was said does not exist, nothing is written", async (t) => {
  const folder = newProject(t, { "main.py": "print(1)\n" });
  for (const args of [
    [],
    ["--framework", "function"],
    ["--framework", "function", "--entrypoint", "./gone.ts:agent"],
  ]) {
    const said = await init(folder, ...args);
    assert.equal(said.code, 2, args.join(" "));
  }
  assert.ok(!existsSync(join(folder, "crewship.toml")));
});

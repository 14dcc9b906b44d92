/** What the runners say of the agents they have loaded. */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import type { Structure } from "../../src/core/structure.ts";
import { pythonWith } from "../fixtures/python.ts";
import { Agent, type LoadOptions, project } from "./harness.ts";
import { Project, VERSIONS } from "./python_langgraph.ts";

async function structureOf(agent: Agent): Promise<Structure | null> {
  const described = agent.message(({ type }) => type === "described");
  agent.send({ type: "describe" });
  const message = await described;
  assert.equal(message.type, "described");
  return message.type === "described" ? message.structure : null;
}

async function ask(name: string, entrypoint: string, options: LoadOptions): Promise<Structure | null> {
  const agent = await Agent.load(project(name), entrypoint, options);
  try {
    return await structureOf(agent);
  } finally {
    await agent.stop();
  }
}

const nodes = (structure: Structure, depth = 0) =>
  structure.drawings[depth]!.nodes.map(({ id }) => id).sort();
const keys = (schema: unknown) => Object.keys((schema as { properties: object }).properties);

describe("LangGraph.js", { concurrency: 1 }, () => {
  test("tells the schemas of a state that zod defines, and where its edges may lead", async () => {
    const structure = (await ask("chat", "./src/structures.ts:zod", {}))!;
    assert.deepEqual(nodes(structure), ["__end__", "__start__", "write"]);
    const ways = structure.drawings[0]!.edges.filter(({ conditional }) => conditional);
    assert.deepEqual(ways.map(({ source, target }) => [source, target]).sort(), [
      ["write", "__end__"],
      ["write", "write"],
    ]);
    const { input_schema, state_schema, output_schema, config_schema, context_schema } = structure.schemas;
    for (const schema of [input_schema, state_schema, output_schema])
      assert.deepEqual(keys(schema), ["topic", "depth"]);
    assert.equal(
      (input_schema as { properties: { topic: { description: string } } }).properties.topic.description,
      "What it is about",
    );
    assert.deepEqual(keys(context_schema), ["tone"]);
    assert.deepEqual(config_schema, context_schema);
  });

  test("tells a state of annotations by its keys, and which of them are messages", async () => {
    const structure = (await ask("chat", "./src/graphs.ts:subgraph", {}))!;
    assert.deepEqual(nodes(structure), ["__end__", "__start__", "close", "inner"]);
    assert.deepEqual(structure.schemas.input_schema, {
      type: "object",
      properties: { messages: { type: "array", items: { type: "object" }, langgraph_type: "messages" } },
    });
    assert.equal(structure.schemas.context_schema, null);
  });

  test("draws subgraphs open to each depth, and tells each one's schemas by its namespace", async () => {
    const structure = (await ask("chat", "./src/structures.ts:nested", {}))!;
    assert.equal(structure.drawings.length, 3);
    assert.deepEqual(nodes(structure, 0), ["__end__", "__start__", "one", "two"]);
    assert.deepEqual(nodes(structure, 1), ["__end__", "__start__", "one:one", "one:two", "two"]);
    assert.deepEqual(nodes(structure, 2), [
      ...["__end__", "__start__", "one:one:one", "one:one:two", "one:two", "two"],
    ]);
    assert.deepEqual(Object.keys(structure.subgraphs).sort(), ["one", "one|one"]);
    assert.deepEqual(keys(structure.subgraphs["one|one"]!.state_schema), ["log"]);
  });

  test("that fails to draw a graph loads it all the same, and says the rest", async () => {
    const structure = (await ask("chat", "./src/structures.ts:undrawn", {}))!;
    assert.deepEqual(structure.drawings, []);
    assert.deepEqual(keys(structure.schemas.state_schema), ["log"]);
  });

  test("in its oldest version tells what it can", async () => {
    const agent = await Agent.load(project("chat", "0.2"), "./src/graphs.ts:subgraph");
    const structure = (await structureOf(agent))!;
    await agent.stop();
    assert.deepEqual(keys(structure.schemas.state_schema), ["messages"]);
    assert.ok(structure.drawings.every(({ nodes }) => nodes.length > 0));
  });
});

for (const langgraph of VERSIONS) {
  describe(`LangGraph ${langgraph.version} for Python`, { concurrency: 1 }, () => {
    const python = new Project(langgraph);
    after(() => python.stop());

    test("tells the graph, its schemas and its subgraphs", async () => {
      const structure = (await structureOf(await python.load("graphs:subgraph")))!;
      assert.deepEqual(nodes(structure), ["__end__", "__start__", "close", "inner"]);
      const { input_schema, output_schema, state_schema } = structure.schemas;
      for (const schema of [input_schema, output_schema, state_schema])
        assert.deepEqual(keys(schema), ["messages"]);
      if (!langgraph.complete) return;
      assert.deepEqual(nodes(structure, 1), ["__end__", "__start__", "close", "inner:think"]);
      assert.deepEqual(Object.keys(structure.subgraphs), ["inner"]);
      assert.deepEqual(keys(structure.subgraphs.inner!.state_schema), ["messages"]);
    });

    test("is asked while a run is under way, and the run goes on", async () => {
      const agent = await python.load("graphs:mixed");
      const run = agent.run({ thread: "asked", input: { log: [] } });
      const { state_schema } = (await structureOf(agent))!.schemas;
      assert.deepEqual(keys(state_schema), ["log", "answer", "bad"]);
      assert.deepEqual((await run).output, { log: ["sync", "awaited"] });
    });
  });
}

describe("CrewAI", { concurrency: 1 }, () => {
  const crewai = async (): Promise<LoadOptions> => ({
    framework: "crewai",
    python: await pythonWith("crewai"),
    env: { OPENAI_API_KEY: "none" },
  });

  test("tells a crew's tasks in their order, its agents, and the inputs its words ask for", async () => {
    const structure = (await ask("python-crew", "research.crew:Research", await crewai()))!;
    assert.deepEqual(
      structure.drawings[0]!.edges.map(({ source, target }) => `${source} ${target}`),
      ["__start__ find", "find write", "write __end__"],
    );
    const { agents, tasks, process } = structure.crew!;
    assert.equal(process, "sequential");
    assert.deepEqual(
      agents.map(({ role, tools, llm }) => [role, tools, llm]),
      [
        ["Researcher of {topic}", ["look_up"], "gpt-4o-mini"],
        ["Writer", [], "gpt-4o-mini"],
      ],
    );
    assert.deepEqual(
      tasks.map(({ name, agent }) => [name, agent]),
      [
        ["find", "Researcher of {topic}"],
        ["write", "Writer"],
      ],
    );
    const input = structure.schemas.input_schema as { required: string[] };
    assert.deepEqual(keys(input), ["message", "topic"]);
    assert.deepEqual(input.required, ["topic"]);
  });

  test("tells a flow's methods, what leads from one to another, and its state", async () => {
    const structure = (await ask("everything-crewai", "everything:Everything", await crewai()))!;
    const { edges } = structure.drawings[0]!;
    assert.ok(edges.some(({ source, target }) => source === "__start__" && target === "begin"));
    assert.ok(edges.some(({ source, target }) => source === "begin" && target === "choose"));
    const way = edges.find(({ target }) => target === "wait");
    assert.deepEqual(way, { source: "choose", target: "wait", conditional: true, data: "heed" });
    assert.deepEqual(keys(structure.schemas.state_schema).slice(0, 3), ["act", "file", "said"]);
  });
});

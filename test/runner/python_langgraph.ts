/** Interpreters that have LangGraph for Python, and what its versions can do. */
import { execFileSync } from "node:child_process";
import { pythonWith, type Requirements } from "../fixtures/python.ts";
import { Agent, type LoadOptions, project } from "./harness.ts";

const OLDEST = "0.2.0";
const LATEST = "1.2.22";

export class LangGraph {
  readonly version: string;
  /** Commands, questions, custom events, tokens, and subgraphs that can be looked into. */
  readonly complete: boolean;
  /** `durability: "exit"` and channels of deltas. */
  readonly latest: boolean;
  readonly python: () => Promise<string>;

  constructor(version: string, python: () => Promise<string>) {
    this.version = version;
    this.complete = version !== OLDEST;
    this.latest = version === LATEST;
    this.python = python;
  }
}

function required(version: string, requirements: Requirements): LangGraph {
  return new LangGraph(version, () => pythonWith(requirements));
}

/** An interpreter of one's own, to try another version. */
function chosen(python: string): LangGraph {
  const ask = "import importlib.metadata; print(importlib.metadata.version('langgraph'))";
  const version = execFileSync(python, ["-c", ask], { encoding: "utf8" }).trim();
  return new LangGraph(version, async () => python);
}

const python = process.env.CREWSHIP_TEST_LANGGRAPH_PYTHON;
export const VERSIONS = python
  ? [chosen(python)]
  : [required(LATEST, "langgraph"), required(OLDEST, "langgraph-0.2")];

/** Agents of test/projects/python-langgraph under one version. */
export class Project {
  readonly directory = project("python-langgraph");
  readonly #langgraph: LangGraph;
  readonly #agents = new Map<string, Promise<Agent>>();

  constructor(langgraph: LangGraph) {
    this.#langgraph = langgraph;
  }

  /** A process of its own. */
  async start(entrypoint: string, options: LoadOptions = {}): Promise<Agent> {
    const python = await this.#langgraph.python();
    return Agent.load(this.directory, entrypoint, { framework: "langgraph", python, ...options });
  }

  /** The process that all tests of an entrypoint share. */
  load(entrypoint: string): Promise<Agent> {
    const agent = this.#agents.get(entrypoint) ?? this.start(entrypoint);
    this.#agents.set(entrypoint, agent);
    return agent;
  }

  async stop(): Promise<void> {
    for (const agent of this.#agents.values()) await (await agent).stop();
  }
}

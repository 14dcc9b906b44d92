/** Looks at a project's files and proposes what crewship.toml should say. Reads text only: nothing of the project is executed. */
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { parse } from "smol-toml";
import type { Framework } from "../core/deployment.ts";
import { isObject } from "../core/json.ts";
import { fitName } from "./manifest.ts";
import { sourceFiles } from "./source_files.ts";

/** An agent that was found. `found`: the file that tells, for people. */
export type Proposal = { name: string; framework: Framework; entrypoint: string; found: string };

const MAX_FILE_BYTES = 512 * 1024;
const MAX_FILES = 2_000;
const PYTHON = /\.py$/;
const NODE = /\.[cm]?[jt]sx?$/;
/** Not what a project is for. */
const ASIDE =
  /(^|\/)(tests?|__tests__|scripts|examples|docs)\/|(^|\/)(test_[^/]*|[^/]*_test|conftest|setup)\.py$|\.(test|spec|config)\.[cm]?[jt]sx?$|\.d\.ts$/;

type Look = { framework: Framework; language: RegExp; pattern: RegExp };

/** In the order of how telling they are; the first group is what the entrypoint names. A statement ends where the next line begins with a word. */
const looks: Look[] = [
  { framework: "crewai", language: PYTHON, pattern: /^@CrewBase\b[^\n]*\n(?:@[^\n]*\n)*class\s+(\w+)/m },
  { framework: "crewai", language: PYTHON, pattern: /^class\s+(\w+)\(\s*Flow\b/m },
  {
    framework: "langgraph",
    language: PYTHON,
    pattern:
      /^(\w+)\s*(?::[^=\n]+)?=\s*(?:(?:(?!\n[^\s)\]}.#/])[\s\S]){0,2000}?\.compile\(|create_react_agent\(|create_agent\()/m,
  },
  {
    framework: "langgraph-js",
    language: NODE,
    pattern:
      /^export\s+const\s+(\w+)\s*(?::[^=\n]+)?=\s*(?:(?:(?!\n[^\s)\]}.#/])[\s\S]){0,2000}?\.compile\(|createReactAgent\(|createAgent\()/m,
  },
  { framework: "function", language: NODE, pattern: /^export\s+(?:async\s+)?function\*?\s+(agent)\b/m },
  { framework: "function", language: PYTHON, pattern: /^(?:async\s+)?def\s+(agent)\s*\(/m },
];
const mentions: Partial<Record<Framework, RegExp>> = {
  crewai: /\bcrewai\b/,
  langgraph: /\blanggraph\b|\blangchain\b/,
  "langgraph-js": /@langchain\/|["']langchain/,
};

/** The agents of a project, none when nothing is recognised. langgraph.json says it best. Throws a SourceError. */
export async function propose(directory: string): Promise<Proposal[]> {
  const name = fitName(await projectName(directory));
  const declared = await fromLanggraphJson(directory, name);
  if (declared.length > 0) return declared;
  const files = (await sourceFiles(directory, [])).filter(
    ({ path, size, link }) =>
      link === null && size <= MAX_FILE_BYTES && !ASIDE.test(path) && (PYTHON.test(path) || NODE.test(path)),
  );
  // The nearest to the top first: an agent is rarely hidden deep.
  files.sort((a, b) => a.path.split("/").length - b.path.split("/").length);
  const texts = await Promise.all(
    files
      .slice(0, MAX_FILES)
      .map(async ({ path }) => ({ path, text: await readFile(join(directory, path), "utf8") })),
  );
  for (const { framework, language, pattern } of looks) {
    for (const { path, text } of texts) {
      if (!language.test(path) || mentions[framework]?.test(text) === false) continue;
      const attribute = pattern.exec(text)?.[1];
      if (attribute !== undefined)
        return [{ name, framework, entrypoint: entrypointOf(path, attribute), found: path }];
    }
  }
  return [];
}

/** As the project calls itself, else its folder's name. */
async function projectName(directory: string): Promise<string> {
  const read = (file: string) => readFile(join(directory, file), "utf8").catch(() => undefined);
  const [about, pyproject] = [await read("package.json"), await read("pyproject.toml")];
  for (const table of [asJson(about), asToml(pyproject)?.project]) {
    if (isObject(table) && typeof table.name === "string" && table.name !== "")
      return table.name.replace(/^@[^/]*\//, "");
  }
  return basename(directory);
}

/** Undefined for what is missing or broken: another file may tell. */
function asJson(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

function asToml(text: string | undefined): Record<string, unknown> | undefined {
  try {
    return text === undefined ? undefined : parse(text);
  } catch {
    return undefined;
  }
}

async function fromLanggraphJson(directory: string, name: string): Promise<Proposal[]> {
  const found = "langgraph.json";
  const value = asJson(await readFile(join(directory, found), "utf8").catch(() => undefined));
  const graphs = isObject(value) && isObject(value.graphs) ? Object.entries(value.graphs) : [];
  return graphs.flatMap(([graph, place]): Proposal[] => {
    const path = typeof place === "string" ? place : isObject(place) ? String(place.path ?? "") : "";
    const [file, attribute] = path.split(":");
    if (!file || !attribute) return [];
    const framework = NODE.test(file) ? "langgraph-js" : "langgraph";
    const inside = file.replace(/^\.\//, "");
    return [
      {
        name: graphs.length === 1 ? name : fitName(graph),
        framework,
        entrypoint: entrypointOf(inside, attribute),
        found,
      },
    ];
  });
}

/** `./src/graph.ts:graph` in Node; in Python the module, whose `src` folder is on its path. */
function entrypointOf(path: string, attribute: string): string {
  if (!PYTHON.test(path)) return `./${path}:${attribute}`;
  const module = path
    .replace(PYTHON, "")
    .replace(/^src\//, "")
    .replace(/\/__init__$/, "");
  return `${module.split("/").join(".")}:${attribute}`;
}

/** The text of a crewship.toml that says this. */
export function manifestText(proposals: Proposal[]): string {
  const keys = ({ framework, entrypoint }: Proposal) =>
    `framework = ${JSON.stringify(framework)}\nentrypoint = ${JSON.stringify(entrypoint)}\n`;
  const [only, ...others] = proposals;
  if (only && others.length === 0) return `[deployment]\nname = ${JSON.stringify(only.name)}\n${keys(only)}`;
  return proposals.map((one) => `[deployments.${JSON.stringify(one.name)}]\n${keys(one)}`).join("\n");
}

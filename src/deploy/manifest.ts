/**
 * crewship.toml: what a project says of its agent. Reads and checks the file, says what is wrong with the line and
 * the way out, and fills in the defaults. Does not load the agent and builds nothing.
 */
import { readFileSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { parse, TomlError, type TomlTable } from "smol-toml";
import { type Static, type TSchema, Type } from "typebox";
import { Compile } from "typebox/compile";
import { Value } from "typebox/value";
import { DeploymentName, type Framework, frameworks } from "../core/deployment.ts";
import { isObject } from "../core/json.ts";
import { type StoreSettings, StoreTable, storeSettings } from "../core/store_settings.ts";
import { type RunnerSettings, RunnerTable, runnerSettings } from "../runner/settings.ts";
import { entrypointComplaint } from "./entrypoint.ts";
import { pythonComplaint } from "./python_interpreter.ts";
import { lineOf, nearest } from "./toml_lines.ts";

export const MANIFEST_NAME = "crewship.toml";
const MAX_MANIFEST_BYTES = 64 * 1024;
const NAME_WITHOUT_FOLDER = "agent";
const NAME_RULE =
  'a name holds letters, digits, ".", "_", "-" and spaces, at most 100, and begins with a letter or a digit';

const strict = { additionalProperties: false };
const Text = Type.String({ minLength: 1, maxLength: 500 });

const deploymentKeys = {
  framework: Type.Enum([...frameworks]),
  entrypoint: Text,
  profile: Type.Optional(Text),
  python: Type.Optional(Text),
};
const Chat = Type.Object({ input_key: Type.Optional(Text), output_key: Type.Optional(Text) }, strict);
const Build = Type.Object({ exclude: Type.Optional(Type.Array(Text, { maxItems: 1000 })) }, strict);
const sections = {
  build: Type.Optional(Build),
  chat: Type.Optional(Chat),
  runner: Type.Optional(RunnerTable),
  store: Type.Optional(StoreTable),
};
const ignored = { apis: Type.Optional(Type.Unknown()), crewship: Type.Optional(Type.Unknown()) };

const Single = Type.Object(
  {
    deployment: Type.Object({ name: Type.Optional(DeploymentName), ...deploymentKeys }, strict),
    ...sections,
    ...ignored,
  },
  strict,
);
const Several = Type.Object(
  {
    deployments: Type.Record(Type.String(), Type.Object({ ...deploymentKeys, ...sections }, strict), {
      minProperties: 1,
    }),
    ...ignored,
  },
  strict,
);
const single = Compile(Single);
const several = Compile(Several);

export type Manifest = {
  name: string;
  framework: Framework;
  entrypoint: string;
  /** The project's folder, absolute. */
  directory: string;
  /** The keys of a message in `input` and `output`, for chat surfaces. */
  chat: { input_key: string | null; output_key: string | null };
  runner: RunnerSettings;
  store: StoreSettings;
  build: { exclude: string[] };
  profile: string | null;
  /** The Python to run it with: a version such as "3.11" or an absolute path; null: any that is new enough. */
  python: string | null;
  /** Lines to show a person: what the file says that has no effect here. */
  warnings: string[];
};

/** Something in crewship.toml a person must change. The message names the file, the line and the way out. */
export class ManifestError extends Error {
  readonly line: number | null;

  constructor(line: number | null, problem: string) {
    super(`${MANIFEST_NAME}${line === null ? "" : `:${line}`}: ${problem}`);
    this.name = "ManifestError";
    this.line = line;
  }
}

/**
 * Reads `directory`/crewship.toml. `name` chooses a deployment of a monorepo's file; a file with one deployment needs
 * none. Throws a ManifestError.
 */
export function readManifest(directory: string, name?: string): Manifest {
  const root = resolve(directory);
  return parseManifest(readText(join(root, MANIFEST_NAME)), root, name);
}

/** Like readManifest, of a text that is at hand. The entrypoint's file is looked up in `root`, an absolute path. */
export function parseManifest(text: string, root: string, name?: string): Manifest {
  const table = parseToml(text);
  const warnings = ["apis", "crewship"]
    .filter((section) => section in table)
    .map(
      (section) =>
        `${MANIFEST_NAME}:${lineOf(text, [section])}: [${section}] has no effect here and is ignored.`,
    );

  const form = table.deployments === undefined ? "deployment" : "deployments";
  if (form === "deployments" && table.deployment !== undefined) {
    const [one, many] = [lineOf(text, ["deployment"]), lineOf(text, ["deployments"])];
    throw new ManifestError(
      one,
      `[deployment] on line ${one} and [deployments] on line ${many} exclude each other. Keep [deployment] for one agent, or give each its [deployments.<name>].`,
    );
  }
  const found = { text, root, warnings };
  if (form === "deployment") {
    if (!single.Check(table)) throw misfit(text, Single, single.Errors(table), table);
    const { deployment, ...rest } = table;
    const chosen = deployment.name ?? fitName(basename(root));
    if (name !== undefined && name !== chosen) {
      throw new ManifestError(
        lineOf(text, ["deployment"]),
        `The deployment here is called ${chosen}, not ${name}.`,
      );
    }
    return complete({ ...found, path: ["deployment"], name: chosen, table: { ...deployment, ...rest } });
  }
  if (!several.Check(table)) throw misfit(text, Several, several.Errors(table), table);
  const names = Object.keys(table.deployments);
  const chosen = name ?? (names.length === 1 ? names[0]! : undefined);
  const odd = names.find((one) => !Value.Check(DeploymentName, one));
  if (odd !== undefined)
    throw new ManifestError(
      lineOf(text, ["deployments", odd]),
      `[deployments.${JSON.stringify(odd)}]: ${NAME_RULE}.`,
    );
  const line = lineOf(text, ["deployments"]);
  if (chosen === undefined) {
    throw new ManifestError(line, `It holds several deployments: name one of ${names.join(", ")}.`);
  }
  if (!Object.hasOwn(table.deployments, chosen)) {
    throw new ManifestError(line, `There is no deployment ${chosen}. Name one of ${names.join(", ")}.`);
  }
  return complete({
    ...found,
    path: ["deployments", chosen],
    name: chosen,
    table: table.deployments[chosen]!,
  });
}

/** A folder's name as a deployment's. */
export function fitName(folder: string): string {
  const name = folder.replace(/[^\p{L}\p{N}._-]+/gu, "-").replace(/^[^\p{L}\p{N}]+|-+$/gu, "");
  return name.slice(0, 100) || NAME_WITHOUT_FOLDER;
}

function complete(found: {
  text: string;
  root: string;
  warnings: string[];
  path: string[];
  name: string;
  table: Static<(typeof Several)["properties"]["deployments"]>[string];
}): Manifest {
  const { text, root, path, table, name, warnings } = found;
  const complaint = entrypointComplaint(table.framework, table.entrypoint, root);
  if (complaint !== null) throw new ManifestError(lineOf(text, [...path, "entrypoint"]), complaint);
  const embed = table.store?.index?.embed;
  const doubt = embed === undefined ? null : entrypointComplaint(table.framework, embed, root, "embed");
  const store = path[0] === "deployment" ? ["store"] : [...path, "store"];
  if (doubt !== null) throw new ManifestError(lineOf(text, [...store, "index", "embed"]), doubt);
  const objection = table.python === undefined ? null : pythonComplaint(table.python);
  if (objection !== null) throw new ManifestError(lineOf(text, [...path, "python"]), objection);
  return {
    name,
    framework: table.framework,
    entrypoint: table.entrypoint,
    directory: root,
    chat: { input_key: table.chat?.input_key ?? null, output_key: table.chat?.output_key ?? null },
    runner: runnerSettings(table.framework, table.runner ?? {}),
    store: storeSettings(table.store ?? {}),
    build: { exclude: table.build?.exclude ?? [] },
    profile: table.profile ?? null,
    python: table.python ?? null,
    warnings,
  };
}

function readText(path: string): string {
  let bytes: number;
  try {
    bytes = statSync(path).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new ManifestError(
      null,
      `There is no ${path}. It needs [deployment] with framework and entrypoint; docs/agents.md shows one.`,
    );
  }
  if (bytes > MAX_MANIFEST_BYTES) {
    throw new ManifestError(
      null,
      `The file is larger than ${MAX_MANIFEST_BYTES / 1024} KB. It should hold settings only.`,
    );
  }
  return readFileSync(path, "utf8");
}

function parseToml(text: string): TomlTable {
  try {
    return parse(text, { unsafeKeyBehaviour: "throw" });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const what = error.message.split("\n")[0]!.replace(/^Invalid TOML document: /, "");
    throw new ManifestError(
      error.line,
      `This is not TOML: ${what}. Correct column ${error.column} of this line.`,
    );
  }
}

type Misfit = ReturnType<typeof single.Errors>[number];

/** The most telling of the errors, with its line. An unknown key first: it often is the cause of a missing one. */
function misfit(text: string, schema: TSchema, errors: Misfit[], value: unknown): ManifestError {
  const telling = ["additionalProperties", "required", "enum"].map((keyword) =>
    errors.find((error) => error.keyword === keyword),
  );
  const error = telling.find((found) => found !== undefined) ?? errors[0]!;
  const path = error.instancePath.split("/").slice(1).map(unescapePointer);
  const here = schemaAt(schema, path);
  const line = (at: string[]) => (at.length === 0 ? null : lineOf(text, at));
  switch (error.keyword) {
    case "additionalProperties": {
      const key = error.params.additionalProperties[0]!;
      const known = Object.keys(here?.properties ?? {});
      const near = nearest(key, known);
      const hint = near === undefined ? `Known here: ${known.join(", ")}.` : `Did you mean ${near}?`;
      return new ManifestError(line([...path, key]), `Unknown key ${[...path, key].join(".")}. ${hint}`);
    }
    case "required": {
      const missing = error.params.requiredProperties.join(" and ");
      if (path.length === 0) {
        return new ManifestError(
          null,
          `There is no [${missing}] section. Add one with framework and entrypoint.`,
        );
      }
      return new ManifestError(line(path), `[${path.join(".")}] needs ${missing}. Add it.`);
    }
    case "enum": {
      const choices = error.params.allowedValues.map(String);
      const given = path.reduce<unknown>((at, key) => (isObject(at) ? at[key] : undefined), value);
      const near = nearest(String(given), choices);
      const hint = near === undefined ? "" : ` Did you mean ${near}?`;
      return new ManifestError(line(path), `${path.join(".")} must be one of ${choices.join(", ")}.${hint}`);
    }
    default: {
      if (error.keyword === "pattern")
        return new ManifestError(line(path), `${path.join(".")}: ${NAME_RULE}.`);
      const quotes = error.message === "must be string" ? ": put it between quotes" : "";
      return new ManifestError(
        line(path),
        `${path.join(".")} ${error.message.replace(/^must be >=/, "must be at least")}${quotes}.`,
      );
    }
  }
}

type Branch = {
  properties?: Record<string, Branch>;
  patternProperties?: Record<string, Branch>;
};

/** The schema of what stands at `path`. */
function schemaAt(schema: Branch, path: string[]): Branch | undefined {
  return path.reduce<Branch | undefined>(
    (at, key) => at?.properties?.[key] ?? Object.values(at?.patternProperties ?? {})[0],
    schema,
  );
}

function unescapePointer(part: string): string {
  return part.replaceAll("~1", "/").replaceAll("~0", "~");
}

/** Finds the project's own LangGraph and LangChain: the very copies that made the user's graph. */
import { findPackageJSON } from "node:module";
import { extname } from "node:path";
import { pathToFileURL } from "node:url";
import { CodedError } from "./errors.ts";
import type {
  Classes,
  CompiledGraph,
  Framework,
  MessageClass,
  SaverBase,
  SchemaSide,
  StoreClasses,
} from "./framework.ts";
import { importFile, loadedBuilds, readManifest, resolvePackage } from "./load.ts";

const LANGGRAPH = "@langchain/langgraph";
const CORE = "@langchain/core";
const CHECKPOINT = "@langchain/langgraph-checkpoint";

type Build = "import" | "require";
type Exports = Record<string, unknown>;

/** A compiled graph, whatever the entrypoint exported: it, its builder, or a function that makes one. */
export async function toGraph(value: unknown, entrypoint: string): Promise<CompiledGraph> {
  let candidate = value;
  if (typeof candidate === "function" && !isGraph(candidate)) {
    candidate = await (candidate as (config: object) => unknown)({ configurable: {} });
  }
  const builder = candidate as { compile?: () => unknown } | null;
  if (!isGraph(candidate) && typeof builder?.compile === "function") candidate = builder.compile();
  if (isGraph(candidate)) return candidate;
  throw new CodedError(
    "load_failed",
    `The entrypoint "${entrypoint}" is not a LangGraph graph. Export what .compile() returns, or a function that returns it.`,
  );
}

function isGraph(value: unknown): value is CompiledGraph {
  const { stream, getState, updateState, channels } = (value ?? {}) as Partial<CompiledGraph>;
  return (
    [stream, getState, updateState].every((method) => typeof method === "function") && channels !== undefined
  );
}

/**
 * Loads the project's LangGraph before the hooks are there that read the project's TypeScript: its 300 modules would go
 * through them too, 640 ms instead of 410. What fails here fails again where the project imports it, and says why.
 */
export async function preloadFramework(entry: string): Promise<void> {
  if (!isModule(entry)) return;
  const path = resolvePackage(LANGGRAPH, entry, "import");
  if (path) await importFile(path, "import").catch(() => undefined);
}

/** Whether its imports load the packages' ESM builds; in doubt they do not. */
function isModule(entry: string): boolean {
  const extension = extname(entry);
  if (extension === ".mjs" || extension === ".mts") return true;
  const manifest = findPackageJSON(pathToFileURL(entry));
  const type = manifest && readManifest(manifest).type;
  return type === "module" && extension !== ".cjs" && extension !== ".cts";
}

export async function findFramework(graph: CompiledGraph, entry: string): Promise<Framework> {
  let fallback: { langgraph: Exports; path: string; build: Build } | undefined;
  let chosen: typeof fallback;
  for (const build of loadedBuilds(LANGGRAPH)) {
    const path = resolvePackage(LANGGRAPH, entry, build);
    const pregelPath = resolvePackage(`${LANGGRAPH}/pregel`, entry, build);
    if (!path || !pregelPath) continue;
    const langgraph = await importFile(path, build);
    const { Pregel } = await importFile(pregelPath, build);
    fallback ??= { langgraph, path, build };
    if (typeof Pregel === "function" && graph instanceof Pregel) {
      chosen = { langgraph, path, build };
      break;
    }
  }
  chosen ??= fallback;
  if (!chosen)
    throw new CodedError("load_failed", `The package ${LANGGRAPH} is not installed next to ${entry}.`);
  const { langgraph, path, build } = chosen;
  const checkpoint = await importFrom(CHECKPOINT, path, build);
  const { BaseCheckpointSaver, BaseStore, AsyncBatchedStore, emptyCheckpoint } = {
    ...checkpoint,
    ...langgraph,
  } as Partial<StoreClasses> & {
    BaseCheckpointSaver: SaverBase;
    emptyCheckpoint: () => { v: number };
  };
  const { BaseCallbackHandler } = (await importFrom(`${CORE}/callbacks/base`, path, build)) as {
    BaseCallbackHandler: { fromMethods(methods: Record<string, unknown>): object };
  };
  const classes = { ...(await coreClasses(path, build)), ...pickClasses(langgraph, checkpoint) };
  return {
    classes: classes as Framework["classes"],
    BaseCheckpointSaver,
    ...(BaseStore && { stores: { BaseStore, ...(AsyncBatchedStore && { AsyncBatchedStore }) } }),
    checkpointVersion: emptyCheckpoint().v,
    schemaOf: schemaReader(path, build),
    callbackHandler: (methods) => BaseCallbackHandler.fromMethods(methods),
  };
}

const SCHEMA_FUNCTIONS: Record<SchemaSide, string> = {
  input: "getInputTypeSchema",
  output: "getOutputTypeSchema",
  state: "getStateTypeSchema",
  config: "getConfigTypeSchema",
};

/** Imported when it is first asked: no run needs it. Versions that lack the module know no schemas. */
function schemaReader(path: string, build: Build): Framework["schemaOf"] {
  let functions: Promise<Exports> | undefined;
  return async (graph, side) => {
    const file = resolvePackage(`${LANGGRAPH}/zod/schema`, path, build);
    functions ??= file ? importFile(file, build) : Promise.resolve({});
    const read = (await functions)[SCHEMA_FUNCTIONS[side]];
    return typeof read === "function" ? read(graph) : undefined;
  };
}

/** LangChain's message classes, for a plain function whose project has LangChain. */
export async function findClasses(entry: string): Promise<Classes> {
  const [build] = loadedBuilds(CORE);
  return resolvePackage(`${CORE}/messages`, entry, build!) ? coreClasses(entry, build!) : { messages: {} };
}

async function coreClasses(from: string, build: Build): Promise<Classes> {
  const messages = (await importFrom(`${CORE}/messages`, from, build)) as Record<string, MessageClass>;
  const { load } = (await importFrom(`${CORE}/load`, from, build)) as { load: NonNullable<Classes["load"]> };
  return { messages, load };
}

function pickClasses(langgraph: Exports, checkpoint: Exports): Partial<Classes> {
  const { Send, Command, Overwrite } = langgraph as Partial<Classes>;
  const { DeltaSnapshot } = checkpoint as Partial<Classes>;
  return {
    ...(Send && { Send }),
    ...(Command && { Command }),
    ...(Overwrite && { Overwrite }),
    ...(DeltaSnapshot && { DeltaSnapshot }),
  };
}

async function importFrom(specifier: string, from: string, build: Build): Promise<Exports> {
  const path = resolvePackage(specifier, from, build);
  if (!path)
    throw new CodedError(
      "load_failed",
      `The package ${specifier} is not installed: run "npm install" there.`,
    );
  return importFile(path, build);
}

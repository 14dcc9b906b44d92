/** What a LangGraph.js graph is made of: drawn, and as JSON Schemas. What cannot be said is left out. */
import { isObject, type JsonObject } from "../../src/core/json.ts";
import type { Drawing, Structure, StructureSchemas } from "../../src/core/structure.ts";
import type { CompiledGraph, Framework, SchemaSide } from "./framework.ts";
import { isInternal } from "./shown.ts";

/** Subgraphs within subgraphs that are drawn open. */
const MAX_DEPTH = 8;
const MAX_SUBGRAPHS = 50;

export async function describeGraph(graph: CompiledGraph, framework: Framework): Promise<Structure> {
  return {
    drawings: await attempt(() => drawAll(graph), []),
    schemas: await schemasOf(graph, framework),
    subgraphs: await attempt(() => subgraphsOf(graph, framework), {}),
    crew: null,
  };
}

/** Opened one level further each time, until that changes nothing. */
async function drawAll(graph: CompiledGraph): Promise<Drawing[]> {
  const drawings: Drawing[] = [];
  let last = "";
  for (let xray = 0; xray <= MAX_DEPTH; xray++) {
    const drawn = await attempt(
      async () => toDrawing((await graph.getGraphAsync?.({ xray }))?.toJSON()),
      null,
    );
    const text = JSON.stringify(drawn);
    if (drawn === null || text === last) break;
    drawings.push(drawn);
    last = text;
  }
  return drawings;
}

function toDrawing(drawn: unknown): Drawing | null {
  const plain: unknown = JSON.parse(JSON.stringify(drawn ?? null));
  if (!isObject(plain) || !Array.isArray(plain.nodes) || !Array.isArray(plain.edges)) return null;
  return {
    nodes: plain.nodes.filter(isObject).map(({ id, type, data, metadata }) => ({
      id: String(id),
      type: String(type ?? "runnable"),
      data: isObject(data) ? data : null,
      ...(isObject(metadata) && Object.keys(metadata).length > 0 && { metadata }),
    })),
    edges: plain.edges.filter(isObject).map(({ source, target, conditional, data }) => ({
      source: String(source),
      target: String(target),
      ...(conditional === true && { conditional }),
      ...(data !== undefined && data !== null && { data: String(data) }),
    })),
  };
}

async function subgraphsOf(graph: CompiledGraph, framework: Framework): Promise<Structure["subgraphs"]> {
  const subgraphs: Structure["subgraphs"] = {};
  for await (const [namespace, inner] of graph.getSubgraphsAsync?.(undefined, true) ?? []) {
    subgraphs[namespace] = await schemasOf(inner, framework);
    if (Object.keys(subgraphs).length >= MAX_SUBGRAPHS) break;
  }
  return subgraphs;
}

async function schemasOf(graph: CompiledGraph, { schemaOf }: Framework): Promise<StructureSchemas> {
  const read = (side: SchemaSide) =>
    attempt(async () => toSchema(await schemaOf(graph, side)) ?? byKeys(graph, side), null);
  // LangGraph.js has one schema for what Python's calls config and context.
  const config = await read("config");
  return {
    input_schema: await read("input"),
    output_schema: await read("output"),
    state_schema: await read("state"),
    config_schema: config,
    context_schema: config,
  };
}

function toSchema(schema: unknown): JsonObject | null {
  const plain: unknown = JSON.parse(JSON.stringify(schema ?? null));
  return isObject(plain) ? plain : null;
}

const DEFINITIONS = {
  input: "_inputDefinition",
  output: "_outputDefinition",
  state: "_schemaDefinition",
} as const;

/** Of a state made of annotations only the keys are known, and which of them are messages. */
function byKeys({ builder }: CompiledGraph, side: SchemaSide): JsonObject | null {
  const definition = side === "config" ? undefined : builder?.[DEFINITIONS[side]];
  if (!definition) return null;
  const keys = Object.entries(definition).filter(([key]) => !isInternal(key));
  const properties = keys.map(([key, channel]) => [key, isMessages(channel) ? MESSAGES : {}]);
  return { type: "object", properties: Object.fromEntries(properties) as JsonObject };
}

const MESSAGES = { type: "array", items: { type: "object" }, langgraph_type: "messages" };

/** A channel, or what makes one; its reducer is LangGraph's own for messages, whichever copy that is of. */
function isMessages(definition: unknown): boolean {
  const channel: unknown = typeof definition === "function" ? definition() : definition;
  const { operator } = (channel ?? {}) as { operator?: { name?: string } };
  return operator?.name === "messagesStateReducer";
}

async function attempt<T>(work: () => Promise<T>, otherwise: T): Promise<T> {
  try {
    return await work();
  } catch {
    return otherwise;
  }
}

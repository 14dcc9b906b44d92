/** What an agent says of itself: its graph drawn, and the JSON Schemas of what goes in and out. */
import { useQuery } from "@tanstack/react-query";
import { isObject, type Json, type JsonObject } from "../../../src/core/json.ts";
import { client, keys } from "../api.ts";

export type GraphNode = { id: string; name: string };
export type GraphEdge = { source: string; target: string; conditional: boolean; label: string | null };
export type AgentGraph = { nodes: GraphNode[]; edges: GraphEdge[] };
export type Structure = {
  input: JsonObject | null;
  /** By what each is of. */
  schemas: Record<string, JsonObject>;
  /** The graph, then with its subgraphs drawn open, a level more each. */
  drawings: AgentGraph[];
};

export function useStructure(deployment_id: string | undefined, version_id: string | undefined) {
  return useQuery({
    queryKey: keys.version(version_id ?? ""),
    queryFn: async ({ signal }): Promise<Structure> => {
      const { schemas, graph } = await client.getVersion(deployment_id!, version_id!, { signal });
      return structureOf(schemas, [graph]);
    },
    enabled: deployment_id !== undefined && version_id !== undefined,
    staleTime: 10_000,
  });
}

const schemaNames: Record<string, string> = {
  input: "Input",
  output: "Output",
  state: "State",
  config: "Configuration",
  context: "Context",
};

function structureOf(schemas: JsonObject | null, drawings: Json[]): Structure {
  const told = Object.entries(schemaNames).flatMap(([key, name]): [string, JsonObject][] => {
    const schema = schemas?.[key] ?? schemas?.[`${key}_schema`];
    return isObject(schema) ? [[name, schema]] : [];
  });
  const byName = Object.fromEntries(told);
  return { input: byName.Input ?? null, schemas: byName, drawings: drawings.flatMap(graphOf) };
}

function graphOf(drawing: Json): AgentGraph[] {
  if (!isObject(drawing) || !Array.isArray(drawing.nodes) || !Array.isArray(drawing.edges)) return [];
  const nodes = drawing.nodes
    .filter(isObject)
    .map(({ id }) => ({ id: String(id), name: nodeName(String(id)) }));
  const edges = drawing.edges.filter(isObject).map((edge) => ({
    source: String(edge.source),
    target: String(edge.target),
    conditional: edge.conditional === true,
    label: typeof edge.data === "string" ? edge.data : null,
  }));
  return nodes.length > 0 ? [{ nodes, edges }] : [];
}

/** LangGraph's own first and last node, and the inner name of a node of a subgraph. */
function nodeName(id: string): string {
  const name = id.split(":").at(-1)!;
  return name === "__start__" ? "start" : name === "__end__" ? "end" : name;
}

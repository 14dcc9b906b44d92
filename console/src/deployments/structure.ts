/** What an agent says of itself: the JSON Schemas of its input and state, and its graph. Read from what the version told. */
import { useQuery } from "@tanstack/react-query";
import { isObject, type Json, type JsonObject } from "../../../src/core/json.ts";
import { client, keys } from "../api.ts";

export type GraphNode = { id: string; name: string };
export type GraphEdge = { source: string; target: string; conditional: boolean; label: string | null };
export type AgentGraph = { nodes: GraphNode[]; edges: GraphEdge[] };
export type Structure = { input: JsonObject | null; schemas: JsonObject | null; graph: AgentGraph | null };

export function useStructure(deployment_id: string | undefined, version_id: string | undefined) {
  return useQuery({
    queryKey: keys.version(version_id ?? ""),
    queryFn: async ({ signal }): Promise<Structure> => {
      const { schemas, graph } = await client.getVersion(deployment_id!, version_id!, { signal });
      return { input: inputSchema(schemas), schemas, graph: graphOf(graph) };
    },
    enabled: deployment_id !== undefined && version_id !== undefined,
    staleTime: 30_000,
  });
}

function inputSchema(schemas: JsonObject | null): JsonObject | null {
  const input = schemas?.input ?? schemas?.input_schema;
  return isObject(input) ? input : null;
}

/** Nodes and edges as LangGraph draws them, in either language. */
function graphOf(drawing: Json): AgentGraph | null {
  if (!isObject(drawing) || !Array.isArray(drawing.nodes) || !Array.isArray(drawing.edges)) return null;
  const nodes = drawing.nodes.filter(isObject).map((node) => ({
    id: String(node.id),
    name: typeof node.name === "string" ? node.name : String(node.id),
  }));
  const edges = drawing.edges.filter(isObject).map((edge) => ({
    source: String(edge.source),
    target: String(edge.target),
    conditional: edge.conditional === true,
    label: typeof edge.data === "string" ? edge.data : null,
  }));
  return { nodes, edges };
}

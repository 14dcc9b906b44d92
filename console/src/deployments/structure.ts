/** What an agent says of itself: its graph drawn, and the JSON Schemas of what goes in and out. */
import { useQuery } from "@tanstack/react-query";
import type { JsonObject } from "../../../src/core/json.ts";
import type {
  CrewStructure,
  Drawing,
  StructureSchemas,
  VersionStructure,
} from "../../../src/core/structure.ts";
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
  /** A crew's agents and tasks. */
  crew: CrewStructure | null;
  /** The agent was asked, and had something to say. */
  described: boolean;
};

const UNDESCRIBED_MS = 3_000;

export function useStructure(deployment_id: string | undefined, version_id: string | undefined) {
  return useQuery({
    queryKey: keys.version(version_id ?? ""),
    queryFn: async ({ signal }) => show(await client.getStructure(deployment_id!, version_id!, { signal })),
    enabled: deployment_id !== undefined && version_id !== undefined,
    staleTime: 10_000,
    // Under `crewship dev` the agent is asked after it was loaded, a moment after the server answers.
    refetchInterval: ({ state }) => (state.data?.described === false ? UNDESCRIBED_MS : false),
  });
}

const schemaNames = {
  input_schema: "Input",
  output_schema: "Output",
  state_schema: "State",
  config_schema: "Configuration",
  context_schema: "Context",
} as const satisfies Record<keyof StructureSchemas, string>;

function show({ schemas, drawings, crew, described_at }: VersionStructure): Structure {
  const told = Object.entries(schemaNames).flatMap(([key, name]): [string, JsonObject][] => {
    const schema = schemas[key as keyof StructureSchemas];
    return schema ? [[name, schema]] : [];
  });
  return {
    input: schemas.input_schema,
    schemas: Object.fromEntries(told),
    drawings: drawings.map(graphOf).filter(({ nodes }) => nodes.length > 0),
    crew,
    described: described_at !== null,
  };
}

function graphOf({ nodes, edges }: Drawing): AgentGraph {
  return {
    nodes: nodes.map(({ id }) => ({ id, name: nodeName(id) })),
    edges: edges.map(({ source, target, conditional = false, data }) => ({
      source,
      target,
      conditional,
      label: data ?? null,
    })),
  };
}

/** LangGraph's own first and last node, and the inner name of a node of a subgraph. */
function nodeName(id: string): string {
  const name = id.split(":").at(-1)!;
  return name === "__start__" ? "start" : name === "__end__" ? "end" : name;
}

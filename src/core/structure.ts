/** What an agent is made of, as its framework tells it: enough to draw it and to make a form for its input. */
import { type Static, Type } from "typebox";
import { Iso, JsonObjectSchema, Nullable } from "./schema.ts";

const JsonSchema = (description: string) => Nullable(JsonObjectSchema, { description });

/** JSON Schemas, in the words of LangGraph; null: the framework does not say. */
export const StructureSchemas = Type.Object(
  {
    input_schema: JsonSchema("What a run is given"),
    output_schema: JsonSchema("What a run leaves as its output"),
    state_schema: JsonSchema("The thread's values"),
    config_schema: JsonSchema("`config.configurable`"),
    context_schema: JsonSchema("The context a run is given"),
  },
  { title: "StructureSchemas" },
);
export type StructureSchemas = Static<typeof StructureSchemas>;

export const Drawing = Type.Object(
  {
    nodes: Type.Array(
      Type.Object({
        id: Type.String({ description: "Within a subgraph that is drawn open: `node:inner`" }),
        type: Type.String({
          description: "runnable or schema in LangGraph; task in a crew, method in a flow",
        }),
        data: Nullable(JsonObjectSchema),
        metadata: Type.Optional(JsonObjectSchema),
      }),
    ),
    edges: Type.Array(
      Type.Object({
        source: Type.String(),
        target: Type.String(),
        conditional: Type.Optional(Type.Boolean()),
        data: Type.Optional(Type.String({ description: "Its label" })),
      }),
    ),
  },
  { title: "Drawing" },
);
export type Drawing = Static<typeof Drawing>;

const Texts = Type.Array(Type.String());

export const CrewStructure = Type.Object(
  {
    process: Type.String({ description: "sequential or hierarchical" }),
    agents: Type.Array(
      Type.Object({
        role: Type.String(),
        goal: Type.String(),
        backstory: Type.String(),
        llm: Nullable(Type.String(), { description: "The model's name" }),
        tools: Texts,
      }),
    ),
    tasks: Type.Array(
      Type.Object({
        name: Type.String(),
        description: Type.String(),
        expected_output: Type.String(),
        agent: Nullable(Type.String(), { description: "The agent's role" }),
        context: Type.Array(Type.String(), { description: "The tasks whose outputs it is given" }),
        tools: Texts,
        is_async: Type.Boolean(),
      }),
    ),
  },
  { title: "CrewStructure" },
);
export type CrewStructure = Static<typeof CrewStructure>;

/** As a runner says it. */
export const Structure = Type.Object({
  drawings: Type.Array(Drawing, {
    description:
      "The graph as it is, then with its subgraphs drawn open to depth 1, 2, … until nothing changes",
  }),
  schemas: StructureSchemas,
  subgraphs: Type.Unsafe<Record<string, StructureSchemas>>({
    ...JsonObjectSchema,
    description:
      "The schemas of all subgraphs by their namespace: `node`, or `node|inner` for one within another",
  }),
  crew: Nullable(CrewStructure, { description: "A crew's agents and tasks; null for anything else" }),
});
export type Structure = Static<typeof Structure>;

/** As the API shows it. */
export const VersionStructure = Type.Object(
  {
    version_id: Type.String(),
    described_at: Nullable(Iso, {
      description: "When its agent was asked; null: not yet, or it has nothing to say, as a plain function",
    }),
    ...Structure.properties,
  },
  { title: "VersionStructure" },
);
export type VersionStructure = Static<typeof VersionStructure>;

/** What stands where the framework says nothing. */
export const NO_STRUCTURE: Structure = {
  drawings: [],
  schemas: {
    input_schema: null,
    output_schema: null,
    state_schema: null,
    config_schema: null,
    context_schema: null,
  },
  subgraphs: {},
  crew: null,
};

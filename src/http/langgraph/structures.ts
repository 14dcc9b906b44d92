/** What an assistant's graph is made of: drawn, its schemas, its subgraphs. Known since its version was loaded. */
import { Type } from "typebox";
import { Problem } from "../../core/problem.ts";
import { JsonObjectSchema } from "../../core/schema.ts";
import type { VersionStructure } from "../../core/structure.ts";
import { activeVersion, versionStructure } from "../../store/versions.ts";
import type { App } from "../app.ts";
import type { Principal } from "../auth.ts";
import { endpoint } from "../endpoint.ts";
import { assistantOf } from "./assistants.ts";

const tag = "langgraph";
const AssistantPath = Type.Object({ assistant_id: Type.String() });

async function structureOf(
  app: App,
  principal: Principal,
  assistant_id: string,
): Promise<{ graph_id: string; structure: VersionStructure }> {
  const { database } = app.node;
  const { deployment_id, graph_id } = await assistantOf(app, principal, assistant_id);
  const version = await activeVersion(database, deployment_id, "production");
  if (!version) throw new Problem("no_version", { environment: "production" });
  const structure = await versionStructure(database, version.version_id);
  if (structure.described_at === null)
    throw new Problem("unavailable", {
      message:
        "What this agent is made of is known once it has been loaded: try again shortly. A version that was built by an earlier release says it once it is deployed again.",
    });
  return { graph_id, structure };
}

export const graph = endpoint(
  {
    summary: "An assistant's graph, with xray its subgraphs drawn open",
    tag,
    params: AssistantPath,
    query: Type.Object({ xray: Type.Optional(Type.String()) }),
    answers: { 200: JsonObjectSchema },
  },
  async ({ app, params, query, principal }) => {
    const { structure } = await structureOf(app, principal, params.assistant_id);
    const { drawings } = structure;
    const drawing = drawings[Math.min(depthOf(query.xray), drawings.length - 1)];
    if (!drawing) throw new Problem("not_found", { what: "graph of this assistant" });
    return { status: 200, body: drawing };
  },
);

/** `true` is all of it. */
function depthOf(xray: string | undefined): number {
  if (xray === undefined || xray === "false" || xray === "0") return 0;
  if (xray === "true") return Number.MAX_SAFE_INTEGER;
  const depth = Number(xray);
  if (Number.isInteger(depth) && depth > 0) return depth;
  throw new Problem("bad_request", { message: "query.xray is true, false or a depth." });
}

export const schemas = endpoint(
  {
    summary: "The schemas of an assistant's graph",
    tag,
    params: AssistantPath,
    answers: { 200: JsonObjectSchema },
  },
  async ({ app, params, principal }) => {
    const { graph_id, structure } = await structureOf(app, principal, params.assistant_id);
    return { status: 200, body: { graph_id, ...structure.schemas } };
  },
);

export const subgraphs = endpoint(
  {
    summary: "The schemas of an assistant's subgraphs, by their namespaces",
    tag,
    params: Type.Object({ assistant_id: Type.String(), namespace: Type.Optional(Type.String()) }),
    query: Type.Object({ recurse: Type.Optional(Type.Boolean()) }),
    answers: { 200: JsonObjectSchema },
  },
  async ({ app, params, query, principal }) => {
    const { graph_id, structure } = await structureOf(app, principal, params.assistant_id);
    const { namespace } = params;
    const found = Object.entries(structure.subgraphs)
      .filter(([name]) => namespace === undefined || name === namespace || name.startsWith(`${namespace}|`))
      .filter(([name]) => query.recurse || name === namespace || !name.includes("|"));
    return {
      status: 200,
      body: Object.fromEntries(found.map(([name, all]) => [name, { graph_id, ...all }])),
    };
  },
);

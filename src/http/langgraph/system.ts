/** What a client asks before anything else: is it there, and what can it do. */
import { Type } from "typebox";
import { JsonObjectSchema } from "../../core/schema.ts";
import { sql } from "../../store/sql.ts";
import { VERSION } from "../../version.ts";
import { endpoint } from "../endpoint.ts";

const tag = "langgraph";

export const ok = endpoint(
  {
    summary: "Whether the server answers, with check_db also its database",
    tag,
    query: Type.Object({ check_db: Type.Optional(Type.String()) }),
    answers: { 200: JsonObjectSchema },
  },
  async ({ app, query }) => {
    if (query.check_db === "1" || query.check_db === "true")
      await app.node.database.query(sql`select 1 as one`);
    return { status: 200, body: { ok: true } };
  },
);

export const info = endpoint(
  { summary: "What the server can do", tag, answers: { 200: JsonObjectSchema } },
  async () => ({
    status: 200,
    body: {
      version: VERSION,
      context: "js",
      flags: { assistants: true, crons: true, langsmith: false, langsmith_tracing_replicas: false },
      metadata: { server: "crewship" },
    },
  }),
);

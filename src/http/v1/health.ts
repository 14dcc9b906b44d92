/** Whether the server lives, and whether it can serve. */
import { Type } from "typebox";
import { sql } from "../../store/sql.ts";
import { endpoint } from "../endpoint.ts";

const Status = Type.Object({ status: Type.Literal("ok") });

export const live = endpoint(
  { summary: "The server lives", tag: "health", answers: { 200: Status } },
  async () => ({ status: 200, body: { status: "ok" } }),
);

export const ready = endpoint(
  { summary: "The server and its database can serve", tag: "health", answers: { 200: Status } },
  async ({ app }) => {
    await app.node.database.query(sql`select 1`);
    return { status: 200, body: { status: "ok" } };
  },
);

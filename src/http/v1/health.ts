/** Whether the server lives, and whether it can serve. */
import { Type } from "typebox";
import { Problem } from "../../core/problem.ts";
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
    try {
      await app.node.database.query(sql`select 1`);
    } catch (error) {
      throw new Problem("unavailable", { message: "The database does not answer." }, { cause: error });
    }
    return { status: 200, body: { status: "ok" } };
  },
);

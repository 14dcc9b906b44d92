/** A session of the console: what a signed-in browser may do, which is what its key may. */
import { type Static, Type } from "typebox";
import { Iso, Nullable } from "./schema.ts";

export const keyRoles = ["read", "run", "admin"] as const;
export type KeyRole = (typeof keyRoles)[number];

export const Session = Type.Object(
  {
    role: Type.Enum([...keyRoles]),
    deployment_ids: Nullable(Type.Array(Type.String()), { description: "null: all deployments." }),
    expires_at: Iso,
  },
  { title: "Session" },
);
export type Session = Static<typeof Session>;

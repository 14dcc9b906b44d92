/** /v1/keys: who may use this server. */
import { randomBytes } from "node:crypto";
import { Type } from "typebox";
import { prefixedId } from "../../core/ids.ts";
import { Problem } from "../../core/problem.ts";
import { Iso, Name, Nullable } from "../../core/schema.ts";
import { keyRoles } from "../../core/session.ts";
import { createKey, deleteKey, listKeys } from "../../store/keys.ts";
import { hashKey } from "../auth.ts";
import { endpoint } from "../endpoint.ts";

const tag = "keys";

const fields = {
  key_id: Type.String(),
  name: Type.String(),
  role: Type.Enum([...keyRoles]),
  deployment_ids: Nullable(Type.Array(Type.String()), { description: "null: all deployments." }),
  created_at: Iso,
};

/** A new key's text: 32 random bytes behind a prefix that secret scanners can know. */
export function newKey(): string {
  return `csk_${randomBytes(32).toString("base64url")}`;
}

export const create = endpoint(
  {
    summary: "Create a key; its text is shown only here",
    tag,
    body: Type.Object(
      {
        name: Name,
        role: Type.Enum([...keyRoles]),
        deployment_ids: Type.Optional(Nullable(Type.Array(Type.String(), { maxItems: 1000 }))),
      },
      { additionalProperties: false },
    ),
    answers: { 201: Type.Object({ ...fields, api_key: Type.String() }) },
  },
  async ({ app, body }) => {
    const api_key = newKey();
    const key = await app.node.database.transaction((tx) =>
      createKey(tx, {
        key_id: prefixedId("key", randomBytes(12)),
        name: body.name,
        key_hash: hashKey(api_key),
        role: body.role,
        deployment_ids: body.deployment_ids ?? null,
      }),
    );
    return { status: 201, body: { ...key, api_key } };
  },
);

export const list = endpoint(
  { summary: "List keys", tag, answers: { 200: Type.Object({ keys: Type.Array(Type.Object(fields)) }) } },
  async ({ app }) => ({ status: 200, body: { keys: await listKeys(app.node.database) } }),
);

export const remove = endpoint(
  { summary: "Delete a key", tag, params: Type.Object({ key_id: Type.String() }), answers: { 204: null } },
  async ({ app, params }) => {
    const gone = await app.node.database.transaction((tx) => deleteKey(tx, params.key_id));
    if (!gone) throw new Problem("not_found", { what: "key", id: params.key_id });
    return { status: 204 };
  },
);

/** API keys. Only a key's SHA-256 is kept; the key itself is shown once, when it is made. */
import type { KeyRole } from "../core/session.ts";
import { first, type Queryable } from "./database.ts";
import { sql } from "./sql.ts";

export type ApiKey = {
  key_id: string;
  name: string;
  role: KeyRole;
  /** null: all deployments. */
  deployment_ids: string[] | null;
  created_at: string;
};

type KeyRow = Omit<ApiKey, "deployment_ids"> & { deployment_ids: string | null };

const columns = sql`key_id, name, role, deployment_ids, created_at`;

function parse(row: KeyRow): ApiKey {
  return {
    ...row,
    deployment_ids: row.deployment_ids === null ? null : (JSON.parse(row.deployment_ids) as string[]),
  };
}

export async function createKey(
  tx: Queryable,
  key: { key_id: string; name: string; key_hash: string; role: KeyRole; deployment_ids: string[] | null },
): Promise<ApiKey> {
  const rows = await tx.query<KeyRow>(sql`
    insert into api_keys (key_id, name, key_hash, role, deployment_ids, created_at)
    values (${key.key_id}, ${key.name}, ${key.key_hash}, ${key.role},
      ${key.deployment_ids === null ? null : JSON.stringify(key.deployment_ids)}, ${tx.dialect.now})
    returning ${columns}`);
  return parse(rows[0]!);
}

export async function findKey(q: Queryable, key_hash: string): Promise<ApiKey | undefined> {
  const row = first(await q.query<KeyRow>(sql`select ${columns} from api_keys where key_hash = ${key_hash}`));
  return row && parse(row);
}

export async function listKeys(q: Queryable): Promise<ApiKey[]> {
  return (await q.query<KeyRow>(sql`select ${columns} from api_keys order by created_at, key_id`)).map(parse);
}

/** Who is signed in with it is signed out. */
export async function deleteKey(tx: Queryable, key_id: string): Promise<boolean> {
  const gone = first(
    await tx.query<{ key_hash: string }>(
      sql`delete from api_keys where key_id = ${key_id} returning key_hash`,
    ),
  );
  if (gone) await tx.query(sql`delete from sessions where key_hash = ${gone.key_hash}`);
  return gone !== undefined;
}

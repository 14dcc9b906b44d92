/** The environment variables of deployments, sealed: whoever reads the database alone learns their names. */
import type { Variable } from "../core/deployment.ts";
import type { Queryable } from "./database.ts";
import { sql } from "./sql.ts";

export type SealedVariable = { name: string; key_id: string; sealed: Uint8Array };

/** By environment and name. `environment` undefined: of all. */
export async function listVariables(
  q: Queryable,
  deployment_id: string,
  environment?: string,
): Promise<Variable[]> {
  return q.query<Variable>(sql`
    select name, environment, updated_at from variables where deployment_id = ${deployment_id}
      ${environment === undefined ? sql`` : sql`and environment = ${environment}`}
    order by environment, name`);
}

export async function sealedVariables(
  q: Queryable,
  deployment_id: string,
  environment: string,
): Promise<SealedVariable[]> {
  return q.query<SealedVariable>(sql`
    select name, key_id, sealed from variables
    where deployment_id = ${deployment_id} and environment = ${environment} order by name`);
}

export async function putVariable(
  tx: Queryable,
  place: { deployment_id: string; environment: string },
  { name, key_id, sealed }: SealedVariable,
): Promise<void> {
  await tx.query(sql`
    insert into variables (deployment_id, environment, name, key_id, sealed, updated_at)
    values (${place.deployment_id}, ${place.environment}, ${name}, ${key_id}, ${sealed}, ${tx.dialect.now})
    on conflict (deployment_id, environment, name) do update set key_id = excluded.key_id, sealed = excluded.sealed,
      updated_at = excluded.updated_at`);
}

export async function deleteVariable(
  tx: Queryable,
  place: { deployment_id: string; environment: string },
  name: string,
): Promise<void> {
  await tx.query(sql`
    delete from variables
    where deployment_id = ${place.deployment_id} and environment = ${place.environment} and name = ${name}`);
}

/** Deployments, and which version each of their environments points at. */
import type { Deployment, Framework } from "../core/deployment.ts";
import type { Environment } from "../core/run.ts";
import { first, type Queryable } from "./database.ts";
import { join, sql, where } from "./sql.ts";
import type { VersionRow } from "./versions.ts";

type DeploymentRow = {
  deployment_id: string;
  name: string;
  framework: Framework;
  chat: string;
  created_at: string;
};

export async function deploymentExists(q: Queryable, deployment_id: string): Promise<boolean> {
  return (await q.query(sql`select 1 from deployments where deployment_id = ${deployment_id}`)).length > 0;
}

export async function deploymentIds(q: Queryable): Promise<string[]> {
  const rows = await q.query<{ deployment_id: string }>(sql`select deployment_id from deployments`);
  return rows.map((row) => row.deployment_id);
}

/** Locks the deployment: its versions, environments and variables change one after another. */
export async function lockDeployment(tx: Queryable, deployment_id: string): Promise<void> {
  await tx.query(
    sql`select 1 from deployments where deployment_id = ${deployment_id} ${tx.dialect.forUpdate}`,
  );
}

export async function listDeployments(
  q: Queryable,
  filter: { deployment_ids?: readonly string[] | undefined },
): Promise<Deployment[]> {
  if (filter.deployment_ids?.length === 0) return [];
  const rows = await q.query<DeploymentRow>(sql`
    select deployment_id, name, framework, chat, created_at from deployments
    ${where([filter.deployment_ids === undefined ? undefined : sql`deployment_id in (${join(filter.deployment_ids)})`])}
    order by created_at desc, deployment_id`);
  const pointers = await q.query<{ deployment_id: string; environment: string; version_id: string }>(
    sql`select deployment_id, environment, version_id from environments`,
  );
  return rows.map((row) => ({
    deployment_id: row.deployment_id,
    name: row.name,
    framework: row.framework,
    environments: Object.fromEntries(
      pointers.filter((p) => p.deployment_id === row.deployment_id).map((p) => [p.environment, p.version_id]),
    ),
    chat: JSON.parse(row.chat) as Deployment["chat"],
    created_at: row.created_at,
  }));
}

/** False: the name is taken. */
export async function createDeployment(
  tx: Queryable,
  { deployment_id, name, framework }: { deployment_id: string; name: string; framework: Framework },
): Promise<boolean> {
  const chat = JSON.stringify({ input_key: null, output_key: null });
  const rows = await tx.query(sql`
    insert into deployments (deployment_id, name, framework, chat, created_at)
    values (${deployment_id}, ${name}, ${framework}, ${chat}, ${tx.dialect.now})
    on conflict (name) do nothing returning deployment_id`);
  return rows.length > 0;
}

/** Points an environment at a version that is ready; its runs go on, new ones take this. The caller holds the deployment. */
export async function activate(tx: Queryable, version: VersionRow, environment: string): Promise<void> {
  const { deployment_id, version_id, framework, chat } = version;
  await tx.query(sql`
    insert into environments (deployment_id, environment, version_id)
    values (${deployment_id}, ${environment}, ${version_id})
    on conflict (deployment_id, environment) do update set version_id = excluded.version_id`);
  await tx.query(sql`
    insert into activations (deployment_id, environment, number, version_id, activated_at)
    values (${deployment_id}, ${environment},
      (select coalesce(max(number), 0) + 1 from activations
        where deployment_id = ${deployment_id} and environment = ${environment}),
      ${version_id}, ${tx.dialect.now})`);
  const isMain: Environment = "production";
  if (environment === isMain)
    await tx.query(sql`
      update deployments set framework = ${framework}, chat = ${chat} where deployment_id = ${deployment_id}`);
}

/** The number of the version that an environment points at. */
export async function activeNumber(
  q: Queryable,
  deployment_id: string,
  environment: string,
): Promise<number | undefined> {
  const row = first(
    await q.query<{ number: number }>(sql`
      select versions.number from environments join versions on versions.version_id = environments.version_id
      where environments.deployment_id = ${deployment_id} and environments.environment = ${environment}`),
  );
  return row?.number;
}

/** The newest version before this one that has served the environment and still can. */
export async function versionBefore(
  q: Queryable,
  { deployment_id, number }: VersionRow,
  environment: string,
): Promise<string | undefined> {
  const row = first(
    await q.query<{ version_id: string }>(sql`
      select versions.version_id from versions
      where deployment_id = ${deployment_id} and number < ${number} and status = 'ready' and exists (
        select 1 from activations where activations.deployment_id = ${deployment_id}
          and activations.environment = ${environment} and activations.version_id = versions.version_id)
      order by number desc limit 1`),
  );
  return row?.version_id;
}

/** The environments that point at a version. */
export async function environmentsOf(q: Queryable, version_id: string): Promise<string[]> {
  const rows = await q.query<{ environment: string }>(
    sql`select environment from environments where version_id = ${version_id} order by environment`,
  );
  return rows.map(({ environment }) => environment);
}

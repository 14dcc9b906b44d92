/** Deployments, their versions, and which version each environment points at. */
import type { Deployment, Framework } from "../core/deployment.ts";
import type { JsonObject } from "../core/json.ts";
import { first, type Queryable } from "./database.ts";
import { join, sql, where } from "./sql.ts";

type DeploymentRow = {
  deployment_id: string;
  name: string;
  framework: Framework;
  chat: string;
  created_at: string;
};

export type VersionRow = {
  version_id: string;
  deployment_id: string;
  number: number;
  framework: Framework;
  entrypoint: string;
  /** Runner settings, JSON. */
  runner: string;
  machine: string;
  directory: string;
  /** `[deployment] python` in crewship.toml. */
  python: string | null;
  /** The deployment's keys for chat surfaces, JSON. */
  chat: string;
  status: "ready" | "failed";
  created_at: string;
};

const columns = sql`version_id, deployment_id, number, framework, entrypoint, runner, machine, directory, python, status, created_at`;
/** A version with what it takes from its deployment. */
const version = sql`
  select ${columns},
    (select chat from deployments where deployments.deployment_id = versions.deployment_id) as chat
  from versions`;

/** The version an environment points at, if it has one. */
export async function activeVersion(
  q: Queryable,
  deployment_id: string,
  environment: string,
): Promise<VersionRow | undefined> {
  return first(
    await q.query<VersionRow>(sql`
      ${version} where version_id = (
        select version_id from environments
        where deployment_id = ${deployment_id} and environment = ${environment})`),
  );
}

export async function getVersion(q: Queryable, version_id: string): Promise<VersionRow | undefined> {
  return first(await q.query<VersionRow>(sql`${version} where version_id = ${version_id}`));
}

export async function deploymentExists(q: Queryable, deployment_id: string): Promise<boolean> {
  return (await q.query(sql`select 1 from deployments where deployment_id = ${deployment_id}`)).length > 0;
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

export type DevFolder = {
  name: string;
  framework: Framework;
  entrypoint: string;
  runner: JsonObject;
  chat: { input_key: string | null; output_key: string | null };
  machine: string;
  directory: string;
  python: string | null;
};

/**
 * The deployment of a folder under `crewship dev`: made once, its single version updated ever after, so the same
 * folder keeps its deployment id in the same database. `ids` are used when it is new.
 */
export async function putDevDeployment(
  tx: Queryable,
  folder: DevFolder,
  ids: { deployment_id: string; version_id: string },
): Promise<VersionRow> {
  const known = first(
    await tx.query<VersionRow>(sql`
      ${version} where machine = ${folder.machine} and directory = ${folder.directory}`),
  );
  const deployment_id = known?.deployment_id ?? ids.deployment_id;
  const version_id = known?.version_id ?? ids.version_id;
  const taken = await tx.query(
    sql`select 1 from deployments where name = ${folder.name} and deployment_id <> ${deployment_id}`,
  );
  const name = taken.length > 0 ? `${folder.name}-${deployment_id.slice(-6)}` : folder.name;
  await tx.query(sql`
    insert into deployments (deployment_id, name, framework, chat, created_at)
    values (${deployment_id}, ${name}, ${folder.framework}, ${JSON.stringify(folder.chat)}, ${tx.dialect.now})
    on conflict (deployment_id) do update set name = excluded.name, framework = excluded.framework, chat = excluded.chat`);
  await tx.query(sql`
    insert into versions (${columns})
    values (${version_id}, ${deployment_id}, 1, ${folder.framework}, ${folder.entrypoint},
      ${JSON.stringify(folder.runner)}, ${folder.machine}, ${folder.directory}, ${folder.python}, 'ready', ${tx.dialect.now})
    on conflict (version_id) do update set framework = excluded.framework, entrypoint = excluded.entrypoint,
      runner = excluded.runner, python = excluded.python`);
  for (const environment of ["production", "staging"]) {
    await tx.query(sql`
      insert into environments (deployment_id, environment, version_id)
      values (${deployment_id}, ${environment}, ${version_id}) on conflict do nothing`);
  }
  return (await getVersion(tx, version_id))!;
}

/** Assistants: a deployment with settings of its own under a name, as LangGraph's protocol has them, in numbered versions. */
import type { JsonObject } from "../core/json.ts";
import { first, only, type Queryable } from "./database.ts";
import { join, type Sql, sql, where } from "./sql.ts";

export type AssistantRow = {
  assistant_id: string;
  deployment_id: string;
  /** The deployment's name. */
  graph_id: string;
  system: number;
  version: number;
  name: string;
  description: string | null;
  config: string;
  context: string;
  metadata: string;
  created_at: string;
  updated_at: string;
};

export type AssistantSettings = {
  name: string;
  description: string | null;
  config: JsonObject;
  context: JsonObject;
  metadata: JsonObject;
};

const columns = sql`assistants.assistant_id, assistants.deployment_id, deployments.name as graph_id, assistants.system,
  assistant_versions.version, assistant_versions.name, assistant_versions.description, assistant_versions.config,
  assistant_versions.context, assistant_versions.metadata, assistants.created_at`;
const source = sql`assistants join deployments on deployments.deployment_id = assistants.deployment_id
  join assistant_versions on assistant_versions.assistant_id = assistants.assistant_id`;
const current = sql`assistant_versions.version = assistants.version`;

/** Deployments that have no assistant of their own yet. */
export async function withoutSystemAssistant(
  q: Queryable,
): Promise<{ deployment_id: string; name: string; created_at: string }[]> {
  return q.query(sql`
    select deployment_id, name, created_at from deployments where not exists (
      select 1 from assistants where assistants.deployment_id = deployments.deployment_id and system = 1)`);
}

/** Undefined: the id is taken. */
export async function createAssistant(
  tx: Queryable,
  assistant: { assistant_id: string; deployment_id: string; system: boolean } & AssistantSettings,
): Promise<AssistantRow | undefined> {
  const { assistant_id } = assistant;
  const made = await tx.query(sql`
    insert into assistants (assistant_id, deployment_id, system, version, created_at, updated_at)
    values (${assistant_id}, ${assistant.deployment_id}, ${assistant.system ? 1 : 0}, 1, ${tx.dialect.now},
      ${tx.dialect.now})
    on conflict do nothing returning assistant_id`);
  if (made.length === 0) return undefined;
  await insertVersion(tx, assistant_id, 1, assistant);
  return findAssistant(tx, assistant_id);
}

/** Adds a version that becomes the current one. */
export async function addAssistantVersion(
  tx: Queryable,
  row: AssistantRow,
  deployment_id: string,
  settings: AssistantSettings,
): Promise<AssistantRow> {
  const { version } = only(
    await tx.query<{ version: number }>(sql`
      select max(version) + 1 as version from assistant_versions where assistant_id = ${row.assistant_id}`),
  );
  await insertVersion(tx, row.assistant_id, Number(version), settings);
  await tx.query(sql`
    update assistants set version = ${Number(version)}, deployment_id = ${deployment_id}, updated_at = ${tx.dialect.now}
    where assistant_id = ${row.assistant_id}`);
  return (await findAssistant(tx, row.assistant_id))!;
}

async function insertVersion(
  tx: Queryable,
  assistant_id: string,
  version: number,
  settings: AssistantSettings,
): Promise<void> {
  await tx.query(sql`
    insert into assistant_versions (assistant_id, version, name, description, config, context, metadata, created_at)
    values (${assistant_id}, ${version}, ${settings.name}, ${settings.description}, ${JSON.stringify(settings.config)},
      ${JSON.stringify(settings.context)}, ${JSON.stringify(settings.metadata)}, ${tx.dialect.now})`);
}

/** False: there is no such version. */
export async function chooseAssistantVersion(
  tx: Queryable,
  assistant_id: string,
  version: number,
): Promise<boolean> {
  const rows = await tx.query(sql`
    update assistants set version = ${version}, updated_at = ${tx.dialect.now}
    where assistant_id = ${assistant_id} and exists (
      select 1 from assistant_versions where assistant_id = ${assistant_id} and version = ${version})
    returning assistant_id`);
  return rows.length > 0;
}

export async function deleteAssistant(q: Queryable, assistant_id: string): Promise<void> {
  await q.query(sql`delete from assistant_versions where assistant_id = ${assistant_id}`);
  await q.query(sql`delete from assistants where assistant_id = ${assistant_id}`);
}

/** Locked until the transaction ends: its versions are numbered one after another. */
export async function lockAssistant(tx: Queryable, assistant_id: string): Promise<void> {
  await tx.query(sql`select 1 from assistants where assistant_id = ${assistant_id} ${tx.dialect.forUpdate}`);
}

export async function findAssistant(q: Queryable, assistant_id: string): Promise<AssistantRow | undefined> {
  return first(
    await q.query<AssistantRow>(sql`
      select ${columns}, assistants.updated_at from ${source}
      where assistants.assistant_id = ${assistant_id} and ${current}`),
  );
}

/** A deployment's own assistant, by the deployment's id or name. */
export async function systemAssistant(q: Queryable, deployment: string): Promise<AssistantRow | undefined> {
  return first(
    await q.query<AssistantRow>(sql`
      select ${columns}, assistants.updated_at from ${source}
      where system = 1 and ${current} and (deployments.name = ${deployment} or deployments.deployment_id = ${deployment})`),
  );
}

/** Newest first. */
export async function assistantVersions(q: Queryable, assistant_id: string): Promise<AssistantRow[]> {
  return q.query<AssistantRow>(sql`
    select ${columns}, assistant_versions.created_at as updated_at from ${source}
    where assistants.assistant_id = ${assistant_id} order by assistant_versions.version desc`);
}

export type AssistantFilter = {
  deployment_ids: readonly string[] | undefined;
  graph_id: string | undefined;
  /** A part of the name, in any case. */
  name: string | undefined;
};

export async function listAssistants(q: Queryable, filter: AssistantFilter): Promise<AssistantRow[]> {
  if (filter.deployment_ids?.length === 0) return [];
  const conditions: (Sql | undefined)[] = [
    current,
    filter.deployment_ids && sql`assistants.deployment_id in (${join(filter.deployment_ids)})`,
    filter.graph_id === undefined ? undefined : sql`deployments.name = ${filter.graph_id}`,
    filter.name === undefined
      ? undefined
      : sql`lower(assistant_versions.name) like ${`%${likeText(filter.name.toLowerCase())}%`} escape '!'`,
  ];
  return q.query<AssistantRow>(sql`
    select ${columns}, assistants.updated_at from ${source} ${where(conditions)}
    order by assistants.created_at desc, assistants.assistant_id`);
}

function likeText(text: string): string {
  return text.replace(/[!%_]/g, "!$&");
}

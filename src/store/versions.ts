/** Versions: snapshots of an agent's source and settings, numbered within their deployment. */
import type { Framework, Version, VersionStatus } from "../core/deployment.ts";
import type { JsonObject } from "../core/json.ts";
import { NO_STRUCTURE, type Structure, type VersionStructure } from "../core/structure.ts";
import { first, type Queryable } from "./database.ts";
import { join, type Sql, sql } from "./sql.ts";

export type VersionRow = {
  version_id: string;
  deployment_id: string;
  number: number;
  framework: Framework;
  entrypoint: string;
  /** Runner settings, JSON. */
  runner: string;
  /** The machine of a folder under `dev`; null: any node can have the archive. */
  machine: string | null;
  directory: string | null;
  /** The SHA-256 of the archive's bytes; null for a folder. */
  archive: string | null;
  digest: string | null;
  /** `[deployment] python` in crewship.toml. */
  python: string | null;
  /** The keys for chat surfaces, JSON. */
  chat: string;
  /** `[store]` in crewship.toml, JSON. */
  store: string;
  status: VersionStatus;
  /** What points at it once it is ready. */
  environment: string | null;
  error: string | null;
  created_at: string;
  built_at: string | null;
};

const columns = sql`version_id, deployment_id, number, framework, entrypoint, runner, machine, directory, archive,
  digest, python, chat, store, status, environment, error, created_at, built_at`;

/** The version an environment points at, if it has one. */
export async function activeVersion(
  q: Queryable,
  deployment_id: string,
  environment: string,
): Promise<VersionRow | undefined> {
  return first(
    await q.query<VersionRow>(sql`
      select ${columns} from versions where version_id = (
        select version_id from environments
        where deployment_id = ${deployment_id} and environment = ${environment})`),
  );
}

export async function getVersion(q: Queryable, version_id: string): Promise<VersionRow | undefined> {
  return first(
    await q.query<VersionRow>(sql`select ${columns} from versions where version_id = ${version_id}`),
  );
}

export async function numberedVersion(
  q: Queryable,
  deployment_id: string,
  number: number,
): Promise<VersionRow | undefined> {
  return first(
    await q.query<VersionRow>(sql`
      select ${columns} from versions where deployment_id = ${deployment_id} and number = ${number}`),
  );
}

/** Newest first. */
export async function listVersions(
  q: Queryable,
  deployment_id: string,
  { before, limit }: { before?: number | undefined; limit: number },
): Promise<VersionRow[]> {
  return q.query<VersionRow>(sql`
    select ${columns} from versions
    where deployment_id = ${deployment_id} ${before === undefined ? sql`` : sql`and number < ${before}`}
    order by number desc limit ${limit}`);
}

/** Versions as the API shows them. */
export async function showVersions(q: Queryable, rows: readonly VersionRow[]): Promise<Version[]> {
  if (rows.length === 0) return [];
  const pointers = await q.query<{ version_id: string; environment: string }>(sql`
    select version_id, environment from environments
    where version_id in (${join(rows.map(({ version_id }) => version_id))}) order by environment`);
  return rows.map((row) => ({
    version_id: row.version_id,
    deployment_id: row.deployment_id,
    number: row.number,
    status: row.status,
    framework: row.framework,
    entrypoint: row.entrypoint,
    digest: row.digest,
    environment: row.environment,
    environments: pointers
      .filter(({ version_id }) => version_id === row.version_id)
      .map(({ environment }) => environment),
    error: row.error,
    created_at: row.created_at,
    built_at: row.built_at,
  }));
}

/** What a version's agent said of itself when it was last asked. */
export async function versionStructure(q: Queryable, version_id: string): Promise<VersionStructure> {
  const told = first(
    await q.query<{ structure: string | null; described_at: string | null }>(
      sql`select structure, described_at from versions where version_id = ${version_id}`,
    ),
  );
  const structure = told?.structure ? (JSON.parse(told.structure) as Structure) : NO_STRUCTURE;
  return { version_id, described_at: told?.described_at ?? null, ...structure };
}

/** The columns that keep what an agent says of itself. */
export function described({ dialect }: Queryable, structure: Structure | null): Sql {
  return structure === null
    ? sql`structure = null, described_at = null`
    : sql`structure = ${JSON.stringify(structure)}, described_at = ${dialect.now}`;
}

/** Keeps what the agent of a folder under `dev` says of itself, which may be another thing after each change. */
export async function describeVersion(
  tx: Queryable,
  version_id: string,
  structure: Structure | null,
): Promise<void> {
  await tx.query(sql`update versions set ${described(tx, structure)} where version_id = ${version_id}`);
}

/** A version of the same source that need not be built again, or is being built. */
export async function findSameSource(
  q: Queryable,
  deployment_id: string,
  digest: string,
): Promise<VersionRow | undefined> {
  return first(
    await q.query<VersionRow>(sql`
      select ${columns} from versions
      where deployment_id = ${deployment_id} and digest = ${digest} and status in ('building', 'ready')
      order by number desc limit 1`),
  );
}

export type NewVersion = Pick<
  VersionRow,
  | "version_id"
  | "deployment_id"
  | "framework"
  | "entrypoint"
  | "python"
  | "archive"
  | "digest"
  | "environment"
> & { runner: JsonObject; chat: JsonObject; store: JsonObject };

/** The caller holds the deployment's row. The archive's content is stored already. */
export async function createVersion(tx: Queryable, version: NewVersion): Promise<void> {
  const { deployment_id } = version;
  await tx.query(sql`
    insert into versions (version_id, deployment_id, number, framework, entrypoint, runner, archive, digest, python,
      chat, store, status, environment, created_at)
    values (${version.version_id}, ${deployment_id},
      (select coalesce(max(number), 0) + 1 from versions where deployment_id = ${deployment_id}), ${version.framework},
      ${version.entrypoint}, ${JSON.stringify(version.runner)}, ${version.archive}, ${version.digest},
      ${version.python}, ${JSON.stringify(version.chat)}, ${JSON.stringify(version.store)}, 'building',
      ${version.environment}, ${tx.dialect.now})`);
  await tx.query(sql`update blobs set loose_at = null where sha256 = ${version.archive}`);
}

export async function retireVersion(tx: Queryable, version_id: string): Promise<void> {
  await tx.query(
    sql`update versions set status = 'retired' where version_id = ${version_id} and status = 'ready'`,
  );
}

export type DevFolder = {
  name: string;
  framework: Framework;
  entrypoint: string;
  runner: JsonObject;
  chat: { input_key: string | null; output_key: string | null };
  store: JsonObject;
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
      select ${columns} from versions where machine = ${folder.machine} and directory = ${folder.directory}`),
  );
  const deployment_id = known?.deployment_id ?? ids.deployment_id;
  const version_id = known?.version_id ?? ids.version_id;
  const taken = await tx.query(
    sql`select 1 from deployments where name = ${folder.name} and deployment_id <> ${deployment_id}`,
  );
  const name = taken.length > 0 ? `${folder.name}-${deployment_id.slice(-6)}` : folder.name;
  const chat = JSON.stringify(folder.chat);
  await tx.query(sql`
    insert into deployments (deployment_id, name, framework, chat, created_at)
    values (${deployment_id}, ${name}, ${folder.framework}, ${chat}, ${tx.dialect.now})
    on conflict (deployment_id) do update set name = excluded.name, framework = excluded.framework, chat = excluded.chat`);
  await tx.query(sql`
    insert into versions (version_id, deployment_id, number, framework, entrypoint, runner, machine, directory, python,
      chat, store, status, created_at)
    values (${version_id}, ${deployment_id}, 1, ${folder.framework}, ${folder.entrypoint},
      ${JSON.stringify(folder.runner)}, ${folder.machine}, ${folder.directory}, ${folder.python}, ${chat},
      ${JSON.stringify(folder.store)}, 'ready', ${tx.dialect.now})
    on conflict (version_id) do update set framework = excluded.framework, entrypoint = excluded.entrypoint,
      runner = excluded.runner, python = excluded.python, chat = excluded.chat, store = excluded.store`);
  for (const environment of ["production", "staging"]) {
    await tx.query(sql`
      insert into environments (deployment_id, environment, version_id)
      values (${deployment_id}, ${environment}, ${version_id}) on conflict do nothing`);
  }
  return (await getVersion(tx, version_id))!;
}

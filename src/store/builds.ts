/** Builds: which node makes which version, and the lines its tools print. All times are the database's. */
import { LEASE_S } from "../core/lease.ts";
import type { Structure } from "../core/structure.ts";
import { first, type Queryable } from "./database.ts";
import { sql } from "./sql.ts";
import { described, getVersion, type VersionRow } from "./versions.ts";

export type BuildLine = { number: number; at: string; line: string };

/** Nodes that may be lost building a version before it is taken for what ends them. */
export const MAX_BUILD_ATTEMPTS = 3;
const PAGE_LINES = 500;

/** Takes a version that waits to be built, or whose node has let go of it. `attempt` counts from 1. */
export async function claimBuild(
  tx: Queryable,
  node_id: string,
): Promise<{ version: VersionRow; attempt: number } | undefined> {
  const waiting = first(
    await tx.query<{ version_id: string }>(sql`
      select version_id from versions
      where status = 'building' and (build_until is null or build_until <= ${tx.dialect.now})
      order by created_at limit 1 ${tx.dialect.forUpdateSkipLocked}`),
  );
  if (!waiting) return undefined;
  const { version_id } = waiting;
  const rows = await tx.query<{ build_attempts: number }>(sql`
    update versions set build_node = ${node_id}, build_until = ${tx.dialect.nowPlus(LEASE_S)},
      build_attempts = build_attempts + 1
    where version_id = ${version_id} returning build_attempts`);
  return { version: (await getVersion(tx, version_id))!, attempt: rows[0]!.build_attempts };
}

/** False: the build is another's, or over. */
export async function renewBuild(tx: Queryable, version_id: string, node_id: string): Promise<boolean> {
  const rows = await tx.query(sql`
    update versions set build_until = ${tx.dialect.nowPlus(LEASE_S)}
    where version_id = ${version_id} and build_node = ${node_id} and status = 'building' returning version_id`);
  return rows.length > 0;
}

/** Lets go of a build that this node does not finish: it costs no attempt. */
export async function releaseBuild(tx: Queryable, version_id: string, node_id: string): Promise<void> {
  await tx.query(sql`
    update versions set build_node = null, build_until = null, build_attempts = build_attempts - 1
    where version_id = ${version_id} and build_node = ${node_id} and status = 'building'`);
}

/** What its build came to. */
export type Built = { status: "ready"; structure: Structure | null } | { status: "failed"; error: string };

/** False: the build is another's, or over. */
export async function endBuild(
  tx: Queryable,
  version_id: string,
  node_id: string,
  built: Built,
): Promise<boolean> {
  const result = built.status === "ready" ? described(tx, built.structure) : sql`error = ${built.error}`;
  const rows = await tx.query(sql`
    update versions set status = ${built.status}, ${result}, built_at = ${tx.dialect.now}, build_node = null,
      build_until = null
    where version_id = ${version_id} and build_node = ${node_id} and status = 'building' returning version_id`);
  return rows.length > 0;
}

/** Adds lines, numbered on from those there. The caller holds the version's row. */
export async function addBuildLines(
  tx: Queryable,
  version_id: string,
  lines: readonly string[],
): Promise<void> {
  let number = await lastBuildLine(tx, version_id);
  for (const line of lines) {
    await tx.query(sql`
      insert into build_lines (version_id, number, at, line)
      values (${version_id}, ${++number}, ${tx.dialect.now}, ${line})`);
  }
}

/** The number of the last line; 0: there is none. */
export async function lastBuildLine(q: Queryable, version_id: string): Promise<number> {
  const row = first(
    await q.query<{ last: number | null }>(
      sql`select max(number) as last from build_lines where version_id = ${version_id}`,
    ),
  );
  return row?.last ?? 0;
}

/** A page of lines after `after`, in order. */
export async function readBuildLines(q: Queryable, version_id: string, after: number): Promise<BuildLine[]> {
  return q.query<BuildLine>(sql`
    select number, at, line from build_lines where version_id = ${version_id} and number > ${after}
    order by number limit ${PAGE_LINES}`);
}

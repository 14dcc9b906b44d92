/** The files of runs: their names with the run; their content is blobs. */
import mime from "mime";
import type { Artifact } from "../core/artifact.ts";
import { first, type Queryable } from "./database.ts";
import { join, type Sql, sql } from "./sql.ts";

export type StoredFile = { name: string; size: number; sha256: string };

/** Says that the run left these files, whose content is stored. Those it has by name already stay as they are. */
export async function addArtifacts(
  tx: Queryable,
  { log_id, run_id }: { log_id: number; run_id: string },
  files: readonly StoredFile[],
): Promise<void> {
  for (const { name, sha256, size } of files) {
    await tx.query(sql`
      insert into artifacts (log_id, run_id, name, sha256, size, created_at)
      values (${log_id}, ${run_id}, ${name}, ${sha256}, ${size}, ${tx.dialect.now})
      on conflict (log_id, run_id, name) do nothing`);
    await tx.query(sql`update blobs set loose_at = null where sha256 = ${sha256}`);
  }
}

/** The media type that a file's name says. */
export function contentType(name: string): string {
  return mime.getType(name) ?? "application/octet-stream";
}

type Row = Omit<Artifact, "content_type">;
const columns = sql`name, size, sha256, created_at`;
const shown = (row: Row): Artifact => ({ ...row, content_type: contentType(row.name) });

/** By name. */
export async function listArtifacts(
  db: Queryable,
  { log_id, run_id }: { log_id: number; run_id: string },
): Promise<Artifact[]> {
  const rows = await db.query<Row>(sql`
    select ${columns} from artifacts where log_id = ${log_id} and run_id = ${run_id} order by name`);
  return rows.map(shown);
}

export async function findArtifact(
  db: Queryable,
  { log_id, run_id }: { log_id: number; run_id: string },
  name: string,
): Promise<Artifact | undefined> {
  const row = first(
    await db.query<Row>(sql`
      select ${columns} from artifacts where log_id = ${log_id} and run_id = ${run_id} and name = ${name}`),
  );
  return row && shown(row);
}

/** Removes up to `limit` of the log's files, or of one run's; returns how many. Content nothing else has becomes loose. */
export async function dropArtifacts(
  tx: Queryable,
  { log_id, run_id }: { log_id: number; run_id?: string },
  limit: number,
): Promise<number> {
  const of: Sql =
    run_id === undefined ? sql`log_id = ${log_id}` : sql`log_id = ${log_id} and run_id = ${run_id}`;
  const files = await tx.query<{ run_id: string; name: string; sha256: string }>(sql`
    select run_id, name, sha256 from artifacts where ${of} limit ${limit}`);
  if (files.length === 0) return 0;
  for (const file of files) {
    await tx.query(sql`
      delete from artifacts where log_id = ${log_id} and run_id = ${file.run_id} and name = ${file.name}`);
  }
  const contents = [...new Set(files.map(({ sha256 }) => sha256))];
  await tx.query(sql`update blobs set loose_at = ${tx.dialect.now} where sha256 in (${join(contents)})`);
  return files.length;
}

/** The files of runs: their names with the run, their content once for all that have it, in pieces. */
import mime from "mime";
import type { Artifact } from "../core/artifact.ts";
import { first, type Queryable } from "./database.ts";
import { join, type Sql, sql } from "./sql.ts";

export type StoredFile = { name: string; size: number; sha256: string };

/** What is stored before anything refers to it stays this long. */
const LOOSE_S = 3_600;
const PIECES_PER_STEP = 16;

/** Announces content; true when all of it is there already. Until something refers to it, it is kept for an hour. */
export async function openBlob(tx: Queryable, sha256: string, size: number): Promise<boolean> {
  const rows = await tx.query<{ complete: number }>(sql`
    insert into blobs (sha256, size, loose_at) values (${sha256}, ${size}, ${tx.dialect.now})
    on conflict (sha256) do update set loose_at = ${tx.dialect.now}
    returning complete`);
  return rows[0]!.complete === 1;
}

/** `piece` counts from 0. */
export async function putPiece(
  tx: Queryable,
  sha256: string,
  piece: number,
  body: Uint8Array,
): Promise<void> {
  await tx.query(sql`
    insert into blob_pieces (sha256, piece, body) values (${sha256}, ${piece}, ${body})
    on conflict (sha256, piece) do nothing`);
}

/** All pieces are there. */
export async function closeBlob(tx: Queryable, sha256: string): Promise<void> {
  await tx.query(sql`update blobs set complete = 1 where sha256 = ${sha256}`);
}

/** A piece of a content's bytes, undefined after the last. */
export async function readPiece(
  db: Queryable,
  sha256: string,
  piece: number,
): Promise<Uint8Array | undefined> {
  const row = first(
    await db.query<{ body: Uint8Array }>(sql`
      select body from blob_pieces where sha256 = ${sha256} and piece = ${piece}`),
  );
  return row?.body;
}

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

/** Removes some of the content nothing refers to. False: there was none. */
export async function sweepBlob(tx: Queryable, loose_s = LOOSE_S): Promise<boolean> {
  const blob = first(
    await tx.query<{ sha256: string; used: number }>(sql`
      select sha256, (
        select count(*) from (select 1 from artifacts where artifacts.sha256 = blobs.sha256 limit 1) one) as used
      from blobs
      where loose_at is not null and loose_at <= ${tx.dialect.nowPlus(-loose_s)}
      order by loose_at limit 1 ${tx.dialect.forUpdateSkipLocked}`),
  );
  if (!blob) return false;
  const { sha256, used } = blob;
  if (used > 0) {
    await tx.query(sql`update blobs set loose_at = null where sha256 = ${sha256}`);
    return true;
  }
  // From now on it is incomplete: whoever brings the same content stores it anew.
  await tx.query(sql`update blobs set complete = 0 where sha256 = ${sha256}`);
  const gone = await tx.query(sql`
    delete from blob_pieces where sha256 = ${sha256} and piece in (
      select piece from blob_pieces where sha256 = ${sha256} order by piece limit ${PIECES_PER_STEP})
    returning piece`);
  if (gone.length < PIECES_PER_STEP) await tx.query(sql`delete from blobs where sha256 = ${sha256}`);
  return true;
}

/** Content of files, stored once for all that have it, in pieces. */
import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { type Database, first, type Queryable } from "./database.ts";
import { sql } from "./sql.ts";

const PIECE_BYTES = 256 * 1024;
/** What is stored before anything refers to it stays this long. */
const LOOSE_S = 3_600;
const PIECES_PER_STEP = 16;

/**
 * Stores what an open file holds; until something refers to it, it is kept for an hour. Undefined: the file changed
 * meanwhile. `maxBytes`: more of it is not read.
 */
export async function storeBlob(
  database: Database,
  file: FileHandle,
  maxBytes: number,
): Promise<{ sha256: string; size: number } | undefined> {
  const { sha256, size } = await digest(file, maxBytes);
  if (await database.transaction((tx) => openBlob(tx, sha256, size))) return { sha256, size };
  const again = await digest(file, maxBytes, (piece, body) =>
    database.transaction((tx) => putPiece(tx, sha256, piece, body)),
  );
  if (again.sha256 !== sha256) return undefined;
  await database.transaction((tx) => closeBlob(tx, sha256));
  return { sha256, size };
}

/** The content's bytes, a piece at a time, as they are taken. */
export async function* readBlob(db: Queryable, sha256: string): AsyncGenerator<Uint8Array> {
  for (let piece = 0; ; piece++) {
    const body = await readPiece(db, sha256, piece);
    if (!body) return;
    yield body;
  }
}

/** Announces content; true when all of it is there already. Until something refers to it, it is kept for an hour. */
async function openBlob(tx: Queryable, sha256: string, size: number): Promise<boolean> {
  const rows = await tx.query<{ complete: number }>(sql`
    insert into blobs (sha256, size, loose_at) values (${sha256}, ${size}, ${tx.dialect.now})
    on conflict (sha256) do update set loose_at = ${tx.dialect.now}
    returning complete`);
  return rows[0]!.complete === 1;
}

/** `piece` counts from 0. */
async function putPiece(tx: Queryable, sha256: string, piece: number, body: Uint8Array): Promise<void> {
  await tx.query(sql`
    insert into blob_pieces (sha256, piece, body) values (${sha256}, ${piece}, ${body})
    on conflict (sha256, piece) do nothing`);
}

/** All pieces are there. */
async function closeBlob(tx: Queryable, sha256: string): Promise<void> {
  await tx.query(sql`update blobs set complete = 1 where sha256 = ${sha256}`);
}

/** A piece of a content's bytes, undefined after the last. */
async function readPiece(db: Queryable, sha256: string, piece: number): Promise<Uint8Array | undefined> {
  const row = first(
    await db.query<{ body: Uint8Array }>(sql`
      select body from blob_pieces where sha256 = ${sha256} and piece = ${piece}`),
  );
  return row?.body;
}

/** Removes some of the content nothing refers to. False: there was none. */
export async function sweepBlob(tx: Queryable, loose_s = LOOSE_S): Promise<boolean> {
  const blob = first(
    await tx.query<{ sha256: string; used: number }>(sql`
      select sha256, (
        select count(*) from (
          select 1 from artifacts where artifacts.sha256 = blobs.sha256
          union all select 1 from versions where versions.archive = blobs.sha256 limit 1) one) as used
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

/** Reads the file from its beginning. */
async function digest(
  file: FileHandle,
  maxBytes: number,
  take?: (piece: number, body: Uint8Array) => Promise<void>,
): Promise<{ sha256: string; size: number }> {
  const hash = createHash("sha256");
  let size = 0;
  for (let piece = 0; size <= maxBytes; piece++) {
    const body = await readFully(file, size);
    if (body.length === 0) break;
    hash.update(body);
    size += body.length;
    await take?.(piece, body);
    if (body.length < PIECE_BYTES) break;
  }
  return { sha256: hash.digest("hex"), size };
}

/** Pieces are of equal size whatever a read returns, so that the same content has the same pieces. */
async function readFully(file: FileHandle, position: number): Promise<Uint8Array> {
  const buffer = Buffer.alloc(PIECE_BYTES);
  let filled = 0;
  while (filled < PIECE_BYTES) {
    const { bytesRead } = await file.read(buffer, filled, PIECE_BYTES - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

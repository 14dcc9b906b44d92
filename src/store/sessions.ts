/** Sessions of the console: browsers that may do what a key may. Only hashes are kept; all times are the database's. */
import { first, only, type Queryable } from "./database.ts";
import { sql } from "./sql.ts";

/** How long a browser stays signed in. */
export const SESSION_DAYS = 30;
const SESSION_S = SESSION_DAYS * 24 * 3600;
const CODE_S = 600;
/** Of one key; a sign-in more ends the oldest. */
const MAX_SESSIONS = 100;

/** Returns when it expires. */
export async function createSession(
  tx: Queryable,
  { session_hash, key_hash }: { session_hash: string; key_hash: string },
): Promise<string> {
  const { now, nowPlus } = tx.dialect;
  await tx.query(sql`
    delete from sessions where session_hash in (
      select session_hash from sessions where key_hash = ${key_hash} order by created_at desc
      limit 1000 offset ${MAX_SESSIONS - 1})`);
  const made = await tx.query<{ expires_at: string }>(sql`
    insert into sessions (session_hash, key_hash, created_at, expires_at)
    values (${session_hash}, ${key_hash}, ${now}, ${nowPlus(SESSION_S)}) returning expires_at`);
  return only(made).expires_at;
}

/** The key of a session that has not expired. */
export async function findSession(
  q: Queryable,
  session_hash: string,
): Promise<{ key_hash: string; expires_at: string } | undefined> {
  return first(
    await q.query(sql`
      select key_hash, expires_at from sessions
      where session_hash = ${session_hash} and expires_at > ${q.dialect.now}`),
  );
}

export async function deleteSession(tx: Queryable, session_hash: string): Promise<void> {
  await tx.query(sql`delete from sessions where session_hash = ${session_hash}`);
}

/** A code that signs in once, within ten minutes, as the key. */
export async function createSignInCode(tx: Queryable, code_hash: string, key_hash: string): Promise<void> {
  await tx.query(sql`
    insert into sign_in_codes (code_hash, key_hash, expires_at)
    values (${code_hash}, ${key_hash}, ${tx.dialect.nowPlus(CODE_S)})`);
}

/** Uses a code up; the hash of its key, if it counts. */
export async function takeSignInCode(tx: Queryable, code_hash: string): Promise<string | undefined> {
  const taken = await tx.query<{ key_hash: string }>(sql`
    delete from sign_in_codes where code_hash = ${code_hash} and expires_at > ${tx.dialect.now} returning key_hash`);
  return first(taken)?.key_hash;
}

export async function forgetOldSessions(tx: Queryable): Promise<void> {
  await tx.query(sql`delete from sessions where expires_at <= ${tx.dialect.now}`);
  await tx.query(sql`delete from sign_in_codes where expires_at <= ${tx.dialect.now}`);
}

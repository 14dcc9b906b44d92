/** Idempotency keys: the first answer to a request, stored in the transaction that did the work. */
import type { Json } from "../core/json.ts";
import { Problem } from "../core/problem.ts";
import { first, type Queryable } from "./database.ts";
import { sql } from "./sql.ts";

const DAY_S = 86_400;

/** Who asked what: an API key's id, the request's method and path, the header, and a hash of the body. */
export type Attempt = { key_id: string; path: string; idempotency_key: string; body_hash: string };

/** The stored answer of an earlier, equal request; undefined when this is the first. Another body is a 409. */
export async function earlierAnswer(q: Queryable, attempt: Attempt): Promise<Json | undefined> {
  const row = first(
    await q.query<{ body_hash: string; answer: string }>(sql`
      select body_hash, answer from idempotency_keys
      where key_id = ${attempt.key_id} and path = ${attempt.path} and idempotency_key = ${attempt.idempotency_key}
        and created_at > ${q.dialect.nowPlus(-DAY_S)}`),
  );
  if (!row) return undefined;
  if (row.body_hash !== attempt.body_hash) throw new Problem("idempotency_mismatch");
  return JSON.parse(row.answer) as Json;
}

/** Makes the caller's attempt the first; false: there is an earlier one, whose answer stands. */
export async function openAnswer(tx: Queryable, attempt: Attempt): Promise<boolean> {
  const rows = await tx.query(sql`
    insert into idempotency_keys (key_id, path, idempotency_key, body_hash, answer, created_at)
    values (${attempt.key_id}, ${attempt.path}, ${attempt.idempotency_key}, ${attempt.body_hash}, 'null',
      ${tx.dialect.now})
    on conflict (key_id, path, idempotency_key) do update
      set body_hash = excluded.body_hash, answer = excluded.answer, created_at = excluded.created_at
      where idempotency_keys.created_at <= ${tx.dialect.nowPlus(-DAY_S)}
    returning key_id`);
  return rows.length > 0;
}

/** What the attempt that was opened has come to. */
export async function keepAnswer(tx: Queryable, attempt: Attempt, answer: Json): Promise<void> {
  await tx.query(sql`
    update idempotency_keys set answer = ${JSON.stringify(answer)}
    where key_id = ${attempt.key_id} and path = ${attempt.path} and idempotency_key = ${attempt.idempotency_key}`);
}

export async function forgetOldAnswers(tx: Queryable): Promise<void> {
  await tx.query(sql`delete from idempotency_keys where created_at < ${tx.dialect.nowPlus(-DAY_S)}`);
}

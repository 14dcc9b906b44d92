/** Idempotency inside the transaction that does the work: a repeat gets the first answer and does nothing. */
import type { Json } from "../core/json.ts";
import type { Queryable } from "../store/database.ts";
import { type Attempt, earlierAnswer, keepAnswer } from "../store/idempotency.ts";

export async function once(
  tx: Queryable,
  attempt: Attempt | undefined,
  work: () => Promise<Json>,
): Promise<Json> {
  if (!attempt) return work();
  const earlier = await earlierAnswer(tx, attempt);
  if (earlier !== undefined) return earlier;
  const answer = await work();
  await keepAnswer(tx, attempt, answer);
  return answer;
}

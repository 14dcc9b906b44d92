/** Idempotency inside the transaction that does the work: a repeat gets the first answer and does nothing. */
import type { Json } from "../core/json.ts";
import type { Queryable } from "../store/database.ts";
import { type Attempt, earlierAnswer, keepAnswer, openAnswer } from "../store/idempotency.ts";

export async function once(
  tx: Queryable,
  attempt: Attempt | undefined,
  work: () => Promise<Json>,
): Promise<Json> {
  if (!attempt) return work();
  // A repeat that comes while this one is under way waits here for its end.
  if (!(await openAnswer(tx, attempt))) return (await earlierAnswer(tx, attempt))!;
  const answer = await work();
  await keepAnswer(tx, attempt, answer);
  return answer;
}

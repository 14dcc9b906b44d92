/** Which threads and runs of some logs have changed since a time of the database's clock. */
import type { Change } from "../core/change.ts";
import type { Queryable } from "./database.ts";
import { join, sql } from "./sql.ts";

export type Stamped<T> = T & { changed_at: string };
export type Changed = {
  threads: Stamped<Change["threads"][number]>[];
  runs: Stamped<Change["runs"][number]>[];
};

export async function changedSince(
  q: Queryable,
  log_ids: readonly number[],
  since: string,
): Promise<Changed> {
  const logs = join(log_ids);
  const threads = await q.query<Changed["threads"][number]>(sql`
    select thread_id, deployment_id, status, updated_at as changed_at from threads
    where log_id in (${logs}) and updated_at >= ${since}`);
  const runs = await q.query<Changed["runs"][number]>(sql`
    select run_id, thread_id, deployment_id, status, coalesce(completed_at, started_at, created_at) as changed_at
    from runs where log_id in (${logs})
      and (created_at >= ${since} or started_at >= ${since} or completed_at >= ${since})`);
  return { threads, runs };
}

/** What LangGraph's protocol says of a schedule that came as a cron of it, and of the runs it starts. */
import type { JsonObject } from "../core/json.ts";
import type { LangGraphRequest, RunRequest } from "../core/run.ts";
import type { Queryable } from "./database.ts";
import { join, sql } from "./sql.ts";

export type CronTerms = {
  assistant_id: string;
  /** After this no run is started; ISO. */
  end_time: string | null;
  /** The thread of a run without one stays. */
  keeps: boolean;
  /** What a schedule does not hold of its runs' requests. */
  request: Pick<RunRequest, "interrupt_before" | "interrupt_after" | "webhook">;
  langgraph: LangGraphRequest;
  /** What the caller sent. */
  payload: JsonObject;
};

export type Cron = CronTerms & { updated_at: string };

export async function putCron(tx: Queryable, schedule_id: string, terms: CronTerms): Promise<void> {
  await tx.query(sql`
    insert into crons (schedule_id, terms, updated_at)
    values (${schedule_id}, ${JSON.stringify(terms)}, ${tx.dialect.now})
    on conflict (schedule_id) do update set terms = excluded.terms, updated_at = excluded.updated_at`);
}

export async function findCron(q: Queryable, schedule_id: string): Promise<Cron | undefined> {
  return (await findCrons(q, [schedule_id])).get(schedule_id);
}

/** Those of these schedules that are crons. */
export async function findCrons(q: Queryable, schedule_ids: readonly string[]): Promise<Map<string, Cron>> {
  if (schedule_ids.length === 0) return new Map();
  const rows = await q.query<{ schedule_id: string; terms: string; updated_at: string }>(sql`
    select schedule_id, terms, updated_at from crons where schedule_id in (${join(schedule_ids)})`);
  return new Map(
    rows.map(({ schedule_id, terms, updated_at }) => [
      schedule_id,
      { ...(JSON.parse(terms) as CronTerms), updated_at },
    ]),
  );
}

/** Removes what is kept only for a while after a run is over: its events but the last, its files, and runs without a thread. */
import type { Event } from "../core/event.ts";
import { dropArtifacts } from "./artifacts.ts";
import { first, type Queryable } from "./database.ts";
import { abandonLog } from "./logs.ts";
import { sql } from "./sql.ts";

const DAY_S = 86_400;
const ROWS_PER_STEP = 500;

type OldRun = { log_id: number; run_id: string; run_number: number; thread_id: string | null };

/**
 * Takes one step with the run that has been over longest, if that is more than `days`. A run without a thread goes
 * altogether; of any other its files do, and all events but the last. False: there is no such run.
 */
export async function sweepOldRun(tx: Queryable, days: number): Promise<boolean> {
  const run = first(
    await tx.query<OldRun>(sql`
      select log_id, run_id, run_number, thread_id from runs
      where completed_at is not null and events_swept = 0 and completed_at < ${tx.dialect.nowPlus(-days * DAY_S)}
      order by completed_at limit 1 ${tx.dialect.forUpdateSkipLocked}`),
  );
  if (!run) return false;
  if (run.thread_id === null) await abandonLog(tx, run.log_id);
  else if ((await dropArtifacts(tx, run, ROWS_PER_STEP)) >= ROWS_PER_STEP) return true;
  else if (!(await sweepEvents(tx, run))) return true;
  await tx.query(sql`
    update runs set events_swept = 1 where log_id = ${run.log_id} and run_id = ${run.run_id}`);
  return true;
}

/** Removes some of the run's events; true once only the last is left, under its own number. */
async function sweepEvents(tx: Queryable, { log_id, run_number }: OldRun): Promise<boolean> {
  const ofRun = sql`log_id = ${log_id} and run_number = ${run_number}`;
  const newest = first(
    await tx.query<{ last_seq: number; first_seq: number; events: string }>(sql`
      select last_seq, first_seq, events from event_batches where ${ofRun} order by last_seq desc limit 1`),
  );
  if (!newest) return true;
  const { last_seq, first_seq, events } = newest;
  const gone = await tx.query(sql`
    delete from event_batches where ${ofRun} and last_seq in (
      select last_seq from event_batches where ${ofRun} and last_seq < ${last_seq} order by last_seq limit ${ROWS_PER_STEP})
    returning last_seq`);
  if (gone.length >= ROWS_PER_STEP) return false;
  if (first_seq < last_seq) {
    const last = (JSON.parse(events) as Event[]).slice(-1);
    await tx.query(sql`
      update event_batches set first_seq = ${last_seq}, events = ${JSON.stringify(last)}
      where ${ofRun} and last_seq = ${last_seq}`);
  }
  return true;
}

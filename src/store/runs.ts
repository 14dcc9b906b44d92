/** Runs: created, read, and moved through the table of moves. `advance` is the only way a status changes. */
import { show } from "../core/encoding.ts";
import type { Event } from "../core/event.ts";
import type { Json, JsonObject } from "../core/json.ts";
import type { Lease } from "../core/lease.ts";
import { type MoveName, moves, type RunStatus, type ThreadStatus } from "../core/moves.ts";
import type { Environment, LangGraphRequest, Run, RunError, RunRequest } from "../core/run.ts";
import { eventOfEnd } from "../core/webhook.ts";
import { first, type Queryable } from "./database.ts";
import { oweDeliveries } from "./deliveries.ts";
import { insertEvents } from "./events.ts";
import { itemLookup } from "./items.ts";
import { createLease, holds } from "./leases.ts";
import { takeRunNumber } from "./logs.ts";
import { join, type Sql, sql, where } from "./sql.ts";

/** Condition: the run is pending or running. */
export const isLive = sql`status in ('pending', 'running')`;

export type NewRun = {
  log_id: number;
  run_id: string;
  thread_id: string | null;
  deployment_id: string;
  version_id: string;
  environment: Environment;
  request: RunRequest;
  /** What LangGraph's protocol says of it besides; null: it came by /v1. */
  langgraph: LangGraphRequest | null;
};

/** Stores a pending run with its request. `input`, `command` and `config` are encoded already. */
export async function createRun(tx: Queryable, run: NewRun): Promise<void> {
  const { request } = run;
  await tx.query(sql`
    insert into runs (log_id, run_id, thread_id, deployment_id, version_id, environment, status, attempt,
      lost_processes, lost_nodes, metadata, timeout_s, created_at, due_at, queue_number)
    values (${run.log_id}, ${run.run_id}, ${run.thread_id}, ${run.deployment_id}, ${run.version_id},
      ${run.environment}, 'pending', 0, 0, 0, ${JSON.stringify(request.metadata ?? {})}, ${request.timeout_s ?? null},
      ${tx.dialect.now}, ${tx.dialect.nowPlus(request.after_seconds ?? 0)},
      (select coalesce(max(queue_number), 0) + 1 from runs where log_id = ${run.log_id} and ${isLive}))`);
  await tx.query(sql`
    insert into run_requests (log_id, run_id, input, command, config, checkpoint_id, interrupt_before, interrupt_after,
      webhook, langgraph)
    values (${run.log_id}, ${run.run_id}, ${JSON.stringify(request.input ?? null)}, ${text(request.command)},
      ${text(request.config)}, ${request.checkpoint_id ?? null}, ${text(request.interrupt_before)},
      ${text(request.interrupt_after)}, ${request.webhook ?? null}, ${text(run.langgraph)})`);
  await createLease(tx, run.log_id, run.run_id);
}

function text(value: unknown): string | null {
  return value === undefined || value === null ? null : JSON.stringify(value);
}

export type RunRow = {
  log_id: number;
  run_id: string;
  thread_id: string | null;
  deployment_id: string;
  version_id: string;
  version_number: number;
  environment: Environment;
  status: RunStatus;
  run_number: number | null;
  attempt: number;
  lost_processes: number;
  lost_nodes: number;
  metadata: string;
  timeout_s: number | null;
  output: string | null;
  error: string | null;
  created_at: string;
  started_at: string | null;
  completed_at: string | null;
};

const columns = sql`runs.log_id, runs.run_id, runs.thread_id, runs.deployment_id, runs.version_id,
  versions.number as version_number, runs.environment, runs.status, runs.run_number, runs.attempt,
  runs.lost_processes, runs.lost_nodes, runs.metadata, runs.timeout_s, runs.output, runs.error, runs.created_at,
  runs.started_at, runs.completed_at`;

/** Runs of a deleted thread are not found: their log has lost its thread. */
const source = sql`runs join versions on versions.version_id = runs.version_id
  left join threads on threads.log_id = runs.log_id`;
const named = sql`((runs.thread_id is null or threads.thread_id is not null) and runs.hidden = 0)`;

export async function findRun(q: Queryable, run_id: string): Promise<RunRow | undefined> {
  return first(
    await q.query<RunRow>(sql`select ${columns} from ${source} where runs.run_id = ${run_id} and ${named}`),
  );
}

/** How far a run is, whether or not its thread still has a name. Its number is null while it has not begun. */
export async function progressOf(
  q: Queryable,
  run: { log_id: number; run_id: string },
): Promise<{ status: RunStatus; run_number: number | null } | undefined> {
  return first(
    await q.query<{ status: RunStatus; run_number: number | null }>(sql`
      select status, run_number from runs where log_id = ${run.log_id} and run_id = ${run.run_id}`),
  );
}

export async function listRuns(
  q: Queryable,
  filter: {
    deployment_ids?: readonly string[] | undefined;
    log_id?: number | undefined;
    status?: RunStatus | undefined;
    /** A run id: only runs made before it. */
    before?: string | undefined;
    limit: number;
  },
): Promise<RunRow[]> {
  const { deployment_ids, log_id, status, before, limit } = filter;
  if (deployment_ids?.length === 0) return [];
  return q.query<RunRow>(sql`
    select ${columns} from ${source}
    ${where([
      named,
      deployment_ids === undefined ? undefined : sql`runs.deployment_id in (${join(deployment_ids)})`,
      log_id === undefined ? undefined : sql`runs.log_id = ${log_id}`,
      status === undefined ? undefined : sql`runs.status = ${status}`,
      before === undefined ? undefined : sql`runs.run_id < ${before}`,
    ])}
    order by runs.run_id desc limit ${limit}`);
}

/** The run with a number in its log. */
export async function runIdByNumber(
  q: Queryable,
  log_id: number,
  run_number: number,
): Promise<string | undefined> {
  const rows = await q.query<{ run_id: string }>(sql`
    select run_id from runs where log_id = ${log_id} and run_number = ${run_number}`);
  return first(rows)?.run_id;
}

/** The number of the log's run that began last; 0: none has. */
export async function lastRunNumber(q: Queryable, log_id: number): Promise<number> {
  const rows = await q.query<{ last: number | null }>(sql`
    select max(run_number) as last from runs where log_id = ${log_id} and run_number is not null`);
  return Number(first(rows)?.last ?? 0);
}

/** A client deleted it: nobody finds it any more. */
export async function hideRun(tx: Queryable, run: { log_id: number; run_id: string }): Promise<void> {
  await tx.query(sql`update runs set hidden = 1 where log_id = ${run.log_id} and run_id = ${run.run_id}`);
}

/** Runs as the API shows them. */
export async function showRuns(q: Queryable, rows: readonly RunRow[]): Promise<Run[]> {
  const keys = rows.map(({ log_id, run_id }) => sql`(log_id = ${log_id} and run_id = ${run_id})`);
  const inputs =
    rows.length === 0
      ? []
      : await q.query<{ run_id: string; input: string }>(
          sql`select run_id, input from run_requests where ${join(keys, " or ")}`,
        );
  const inputOf = new Map(inputs.map(({ run_id, input }) => [run_id, JSON.parse(input) as Json]));
  const outputs = rows.map((row) => (row.output === null ? null : (JSON.parse(row.output) as Json)));
  const lookup = await itemLookup(q, outputs);
  return rows.map((row, i) => {
    const error = row.error === null ? null : (JSON.parse(row.error) as RunError);
    return {
      id: row.run_id,
      thread_id: row.thread_id,
      deployment_id: row.deployment_id,
      version_id: row.version_id,
      version_number: row.version_number,
      environment: row.environment,
      status: row.status,
      input: show(inputOf.get(row.run_id) ?? null, lookup),
      output: show(outputs[i]!, lookup),
      error_message: error?.message ?? null,
      error,
      metadata: JSON.parse(row.metadata) as JsonObject,
      attempt: row.attempt,
      created_at: row.created_at,
      started_at: row.started_at,
      completed_at: row.completed_at,
    };
  });
}

/** What a run was asked to do. */
export type StoredRequest = {
  input: Json;
  command: Json | null;
  config: Json | null;
  checkpoint_id: string | null;
  interrupt_before: string[] | "*" | null;
  interrupt_after: string[] | "*" | null;
  langgraph: LangGraphRequest | null;
};

export async function readRequest(q: Queryable, log_id: number, run_id: string): Promise<StoredRequest> {
  const row = first(
    await q.query<Record<keyof StoredRequest, string | null>>(sql`
      select input, command, config, checkpoint_id, interrupt_before, interrupt_after, langgraph
      from run_requests where log_id = ${log_id} and run_id = ${run_id}`),
  );
  if (!row) throw new Error(`the request of ${run_id} is gone`);
  const parse = <T>(value: string | null) => (value === null ? null : (JSON.parse(value) as T));
  return {
    input: parse<Json>(row.input),
    command: parse<Json>(row.command),
    config: parse<Json>(row.config),
    checkpoint_id: row.checkpoint_id,
    interrupt_before: parse<string[] | "*">(row.interrupt_before),
    interrupt_after: parse<string[] | "*">(row.interrupt_after),
    langgraph: parse<LangGraphRequest>(row.langgraph),
  };
}

/**
 * How a run ended: what its row keeps, and the data of its last event. `metadata` replaces the run's. `before`: events
 * that were not stored yet, in its row.
 */
export type Ending = {
  before?: Event[];
  output?: Json;
  error?: RunError;
  metadata?: JsonObject;
  data: (run: MovedRun) => Json;
};

export type MovedRun = {
  log_id: number;
  run_id: string;
  thread_id: string | null;
  deployment_id: string;
  environment: Environment;
  run_number: number | null;
  attempt: number;
  metadata: string;
  timeout_s: number | null;
  started_at: string | null;
  completed_at: string | null;
  moved_at: string;
  /** Another run of the thread waits for its turn. */
  queued: boolean;
  /** A webhook is to be told of this end. */
  owed: boolean;
};

/**
 * Makes one move of a run, with all that belongs to it: the run's row, the thread's status, the lease and, when the
 * run is over, its last event. Returns undefined, and changes nothing, when the run is not where the move starts,
 * the lease is not held, or `when` does not hold.
 */
export async function advance(
  tx: Queryable,
  name: MoveName,
  run: { log_id: number; run_id: string },
  options: { lease?: Lease; when?: Sql; ending?: Ending } = {},
): Promise<MovedRun | undefined> {
  const move = moves[name];
  const { lease, when, ending } = options;
  if (move.by === "holder" && !lease) throw new Error(`${name} needs a lease`);
  const over = move.last_event !== null;
  if (over !== (ending !== undefined)) throw new Error(`${name} ${over ? "needs" : "has no"} ending`);
  const begins = name === "claim" || over;
  const moved = first(
    await tx.query<Omit<MovedRun, "queued" | "owed">>(sql`
      update runs set status = ${move.to}
        ${
          begins
            ? sql`, run_number = coalesce(run_number, (select next_run from logs where log_id = ${run.log_id}))`
            : sql``
        }
        ${
          name === "claim"
            ? sql`, attempt = attempt + 1,
            started_at = coalesce(started_at, ${tx.dialect.now})`
            : sql``
        }
        ${over ? sql`, completed_at = ${tx.dialect.now}` : sql``}
        ${ending?.output === undefined ? sql`` : sql`, output = ${JSON.stringify(ending.output)}`}
        ${ending?.error === undefined ? sql`` : sql`, error = ${JSON.stringify(ending.error)}`}
        ${ending?.metadata === undefined ? sql`` : sql`, metadata = ${JSON.stringify(ending.metadata)}`}
      where log_id = ${run.log_id} and run_id = ${run.run_id} and status in (${join([...move.from])})
        ${lease ? sql`and ${holds(lease)}` : sql``} ${when ? sql`and ${when}` : sql``}
      returning log_id, run_id, thread_id, deployment_id, environment, run_number, attempt, metadata, timeout_s,
        started_at, completed_at, ${tx.dialect.now} as moved_at`),
  );
  if (!moved) return undefined;
  // Its number was taken with its first claim, or just now: when it is canceled before that.
  if (begins && moved.attempt === (name === "claim" ? 1 : 0)) await takeRunNumber(tx, run.log_id);
  // The thread was busy, and is.
  if (move.last_event === null || !ending) return { ...moved, queued: false, owed: false };
  const [thread] = await tx.query<{ status: ThreadStatus }>(sql`
    update threads set updated_at = ${tx.dialect.now}, status = case
      when exists (select 1 from runs where log_id = ${run.log_id} and ${isLive}) then 'busy'
      else ${move.thread} end
    where log_id = ${run.log_id} returning status`);
  const told = eventOfEnd[move.last_event];
  const owed = told !== null && (await oweDeliveries(tx, moved, told));
  const result = { ...moved, queued: thread?.status === "busy", owed };
  await end(tx, result, [...(ending.before ?? []), { type: move.last_event, data: ending.data(result) }]);
  return result;
}

/** The run's last event takes the last number, and the lease goes: nothing can follow. */
async function end(tx: Queryable, run: MovedRun, events: Event[]): Promise<void> {
  const lease = first(
    await tx.query<{ last_seq: number }>(sql`
      delete from leases where log_id = ${run.log_id} and run_id = ${run.run_id} returning last_seq`),
  );
  if (!lease) throw new Error(`live run ${run.run_id} had no lease row`);
  await insertEvents(tx, run.log_id, run.run_number ?? 0, lease.last_seq + events.length, events);
}

/** A checkpoint was committed: what was lost before it no longer counts. */
export async function noteProgress(tx: Queryable, log_id: number, run_id: string): Promise<void> {
  await tx.query(sql`
    update runs set lost_processes = 0, lost_nodes = 0 where log_id = ${log_id} and run_id = ${run_id}`);
}

/** An attempt ended early, through no checkpoint of its own. */
export async function noteLoss(
  tx: Queryable,
  log_id: number,
  run_id: string,
  lost: { processes: number; nodes: number },
): Promise<void> {
  await tx.query(sql`
    update runs set lost_processes = lost_processes + ${lost.processes}, lost_nodes = lost_nodes + ${lost.nodes}
    where log_id = ${log_id} and run_id = ${run_id}`);
}

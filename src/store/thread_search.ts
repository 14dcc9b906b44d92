/** Searching threads by status, metadata, values or ids, newest first. */
import { contains, type Json, type JsonObject } from "../core/json.ts";
import type { ThreadStatus } from "../core/moves.ts";
import { Problem } from "../core/problem.ts";
import type { Queryable } from "./database.ts";
import { deploymentIds } from "./deployments.ts";
import { join, raw, type Sql, sql, where } from "./sql.ts";
import { type ThreadRow, tagsOf, threadColumns, threadValues } from "./threads.ts";

export type ThreadFilter = {
  deployment_ids?: readonly string[] | undefined;
  ids?: readonly string[] | undefined;
  status?: ThreadStatus | undefined;
  metadata?: JsonObject | undefined;
  values?: JsonObject | undefined;
};

/** How many candidates a filter that no index serves may look at. */
const MAX_CANDIDATES = 10_000;

function conditions(filter: ThreadFilter): (Sql | undefined)[] {
  const tags = tagsOf(filter.metadata ?? {});
  const scope = filter.deployment_ids;
  return [
    scope === undefined ? undefined : sql`deployment_id in (${join(scope)})`,
    filter.ids === undefined ? undefined : sql`thread_id in (${join(filter.ids)})`,
    filter.status === undefined ? undefined : sql`status = ${filter.status}`,
    ...tags.map(
      ([key, value]) => sql`thread_id in (
        select thread_id from thread_tags where key = ${key} and value = ${value}
        ${scope === undefined ? sql`` : sql`and deployment_id in (${join(scope)})`})`,
    ),
  ];
}

/** True when the filter asks for more than the indexes answer: nested metadata, long text, or values. */
function needsLook(filter: ThreadFilter): boolean {
  const indexed = tagsOf(filter.metadata ?? {}).length;
  return Object.keys(filter.metadata ?? {}).length > indexed || Object.keys(filter.values ?? {}).length > 0;
}

/** A scope of more deployments is looked through without the order of the indexes. */
const MAX_WALKS = 100;
/** How many of the newest threads with a tag or a status tell how common it is. */
const SAMPLE = 1000;

type Place = { created_at: string; thread_id: string };

export type ThreadOrderField = "thread_id" | "status" | "created_at" | "updated_at";
export type ThreadOrder = { by: ThreadOrderField; direction: "asc" | "desc" };

const NEWEST_FIRST: ThreadOrder = { by: "created_at", direction: "desc" };
/** In the place of a deployment, of threads that have none until their first run. */
const UNBOUND = "";

/**
 * A statement for each deployment of the scope, which reads an index from the newest match on and stops at its limit: it looks
 * at no more threads than it must, however many there are.
 */
async function walksOf(q: Queryable, filter: ThreadFilter, page: Page): Promise<Sql[]> {
  const { after, order = NEWEST_FIRST } = page;
  const scope = filter.deployment_ids ?? [...(await deploymentIds(q)), UNBOUND];
  const isWalked = order.by === NEWEST_FIRST.by && order.direction === NEWEST_FIRST.direction;
  if (!isWalked || filter.ids !== undefined || scope.length > MAX_WALKS) {
    return [
      sql`select ${threadColumns} from threads ${where([...conditions(filter), before(after)])} ${ordered(order)}`,
    ];
  }
  return Promise.all(scope.map((deployment_id) => walkOf(q, deployment_id, filter, after)));
}

async function walkOf(
  q: Queryable,
  deployment_id: string,
  filter: ThreadFilter,
  after: Place | undefined,
): Promise<Sql> {
  const bound =
    deployment_id === UNBOUND ? sql`deployment_id is null` : sql`deployment_id = ${deployment_id}`;
  const inDeployment = sql`deployment_id = ${deployment_id}`;
  const status = filter.status === undefined ? undefined : sql`status = ${filter.status}`;
  const tags = tagsOf(filter.metadata ?? {}).map(([key, value]) => sql`key = ${key} and value = ${value}`);
  const ways = [
    ...(status || tags.length === 0 ? [sql`threads ${where([bound, status, before(after)])}`] : []),
    ...tags.map((tag) => sql`thread_tags ${where([inDeployment, tag, before(after)])}`),
  ];
  const rarest = await rarestOf(q, ways);
  const tagged = (others: Sql[]) =>
    others.map(
      (
        tag,
      ) => sql`exists (select 1 from thread_tags where thread_tags.deployment_id = ${deployment_id} and ${tag}
        and thread_tags.created_at = threads.created_at and thread_tags.thread_id = threads.thread_id)`,
    );
  const tag = tags[rarest - (ways.length - tags.length)];
  if (!tag) {
    return sql`select ${threadColumns} from threads ${where([bound, status, before(after), ...tagged(tags)])}
      ${ordered(NEWEST_FIRST)}`;
  }
  // SQLite keeps the order of a cross join, so it walks the tags.
  return sql`select ${threadColumns}
    from (select created_at as tagged_at, thread_id as tagged_id from ${ways[rarest]!}) as tagged
    cross join threads
    ${where([sql`thread_id = tagged_id`, status, ...tagged(tags.filter((other) => other !== tag))])}
    order by tagged_at desc, tagged_id desc`;
}

/** Which of the ways to the same threads has the fewest to look at: the one whose newest reach back the furthest. */
async function rarestOf(q: Queryable, ways: readonly Sql[]): Promise<number> {
  if (ways.length === 1) return 0;
  const reach = ways.map(
    (way, i) =>
      sql`select ${raw(String(i))} as way, (select created_at from ${way}
        order by created_at desc, thread_id desc limit 1 offset ${SAMPLE - 1}) as reach`,
  );
  const rows = await q.query<{ way: number; reach: string | null }>(
    sql`select way from (${join(reach, " union all ")}) as ways order by reach is not null, reach limit 1`,
  );
  return Number(rows[0]?.way ?? 0);
}

/** The first of what all walks find. */
function firstOf(walks: readonly Sql[], order: ThreadOrder, limit: number, offset: number): Sql {
  const pieces = walks.map((walk) => sql`select * from (${walk} limit ${limit + offset}) as walk`);
  return sql`${join(pieces, " union all ")} ${ordered(order)} limit ${limit} offset ${offset}`;
}

function ordered({ by, direction }: ThreadOrder): Sql {
  return sql`order by ${raw(by)} ${raw(direction)}, thread_id ${raw(direction)}`;
}

/** Behind the place in the order, newest first. */
function before(after: Place | undefined): Sql | undefined {
  return after && sql`(created_at, thread_id) < (${after.created_at}, ${after.thread_id})`;
}

type Page = {
  limit: number;
  offset?: number;
  after?: Place | undefined;
  /** Instead of newest first; not with `after`. */
  order?: ThreadOrder;
};

/** Threads that match, newest first, starting after `after` or at `offset`. */
export async function searchThreads(q: Queryable, filter: ThreadFilter, page: Page): Promise<ThreadRow[]> {
  if (filter.ids?.length === 0 || filter.deployment_ids?.length === 0) return [];
  const walks = await walksOf(q, filter, page);
  const select = (limit: number, offset: number) =>
    q.query<ThreadRow>(firstOf(walks, page.order ?? NEWEST_FIRST, limit, offset));
  if (!needsLook(filter)) return select(page.limit, page.offset ?? 0);
  const candidates = await select(MAX_CANDIDATES + 1, 0);
  if (candidates.length > MAX_CANDIDATES) throw new Problem("search_too_wide", { limit: MAX_CANDIDATES });
  const matching: ThreadRow[] = [];
  let looked = 0;
  for (const row of candidates) {
    if (matching.length >= page.limit + (page.offset ?? 0)) break;
    if (await matches(q, row, filter)) matching.push(row);
    // On the embedded store nothing above waits: others get their turn here.
    if (++looked % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return matching.slice(page.offset ?? 0);
}

export async function countThreads(q: Queryable, filter: ThreadFilter): Promise<number> {
  if (filter.ids?.length === 0 || filter.deployment_ids?.length === 0) return 0;
  if (needsLook(filter)) return (await searchThreads(q, filter, { limit: MAX_CANDIDATES })).length;
  const rows = await q.query<{ n: number }>(
    sql`select count(*) as n from threads ${where(conditions(filter))}`,
  );
  return Number(rows[0]?.n ?? 0);
}

async function matches(q: Queryable, row: ThreadRow, filter: ThreadFilter): Promise<boolean> {
  if (filter.metadata && !contains(JSON.parse(row.metadata) as Json, filter.metadata)) return false;
  return !filter.values || contains((await threadValues(q, row)) ?? {}, filter.values);
}

/** Nodes: which server processes there are, and what each last said of itself. All times are the database's. */
import type { NodeState } from "../core/operations.ts";
import type { Queryable } from "./database.ts";
import { sql } from "./sql.ts";

/** A node that was not seen for so long is forgotten. */
const FORGET_AFTER_S = 24 * 3600;
/** A node that was not seen for so long is not shown any more. */
const SHOWN_S = 3600;
const ALIVE_S = 15;

/** An embedded database has one node: those before it are gone. */
export async function createNode(tx: Queryable, node: { node_id: string; machine: string }): Promise<void> {
  if (!tx.dialect.shared) await tx.query(sql`delete from nodes`);
  await tx.query(sql`
    insert into nodes (node_id, machine, started_at) values (${node.node_id}, ${node.machine}, ${tx.dialect.now})`);
}

/** Says that the node lives, and what it does. */
export async function reportNode(tx: Queryable, node_id: string, state: NodeState): Promise<void> {
  await tx.query(sql`
    update nodes set seen_at = ${tx.dialect.now}, state = ${JSON.stringify(state)} where node_id = ${node_id}`);
}

export async function deleteNode(tx: Queryable, node_id: string): Promise<void> {
  await tx.query(sql`delete from nodes where node_id = ${node_id}`);
}

/** Removes those that ended without a word, but never the one that asks. */
export async function forgetOldNodes(tx: Queryable, node_id: string): Promise<void> {
  await tx.query(sql`
    delete from nodes where node_id <> ${node_id} and coalesce(seen_at, started_at) < ${tx.dialect.nowPlus(-FORGET_AFTER_S)}`);
}

export type NodeRow = {
  node_id: string;
  machine: string;
  started_at: string;
  seen_at: string;
  is_alive: boolean;
  state: NodeState | null;
};

/** The nodes seen within the last hour, and the one that asks, which answers for itself. */
export async function listNodes(
  q: Queryable,
  own: { node_id: string; state: NodeState },
): Promise<NodeRow[]> {
  const { now, nowPlus } = q.dialect;
  const rows = await q.query<
    Omit<NodeRow, "is_alive" | "state"> & { is_alive: number; state: string | null }
  >(sql`
    select node_id, machine, started_at, state,
      case when node_id = ${own.node_id} then ${now} else coalesce(seen_at, started_at) end as seen_at,
      case when node_id = ${own.node_id} or coalesce(seen_at, started_at) > ${nowPlus(-ALIVE_S)} then 1 else 0 end
        as is_alive
    from nodes where node_id = ${own.node_id} or coalesce(seen_at, started_at) > ${nowPlus(-SHOWN_S)}
    order by started_at, node_id limit 200`);
  return rows.map(({ is_alive, state, ...row }) => ({
    ...row,
    is_alive: is_alive === 1,
    state: row.node_id === own.node_id ? own.state : state === null ? null : (JSON.parse(state) as NodeState),
  }));
}

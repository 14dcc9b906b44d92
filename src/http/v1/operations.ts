/** /v1/operations: what the server is doing right now, on all nodes. */
import { Operations } from "../../core/operations.ts";
import { listNodes } from "../../store/nodes.ts";
import {
  countDeliveries,
  countKeys,
  countWaiting,
  heldLeases,
  runningByNode,
} from "../../store/operations.ts";
import { nextSchedules, readClock } from "../../store/schedules.ts";
import { requireEverywhere } from "../auth.ts";
import { endpoint } from "../endpoint.ts";

const SCHEDULES_SHOWN = 10;

export const get = endpoint(
  {
    summary: "Nodes, their agent processes and leases, what waits, and what is due next",
    tag: "operations",
    answers: { 200: Operations },
  },
  async ({ app, principal }) => {
    requireEverywhere(principal);
    const { database, node_id } = app.node;
    const [at, nodes, running, waiting, leases, deliveries, schedules, counts] = await Promise.all([
      readClock(database),
      listNodes(database, { node_id, state: app.nodeState() }),
      runningByNode(database),
      countWaiting(database),
      heldLeases(database),
      countDeliveries(database),
      nextSchedules(database, SCHEDULES_SHOWN),
      countKeys(database),
    ]);
    const body: Operations = {
      at,
      nodes: nodes.map((node) => ({ ...node, running: running.get(node.node_id) ?? 0 })),
      runs: { running: [...running.values()].reduce((all, some) => all + some, 0), ...waiting },
      leases,
      deliveries,
      schedules,
      ...counts,
    };
    return { status: 200, body };
  },
);

/**
 * A lease: the right of one node to execute one run for a bounded time. Its attempt number is the fence: every write
 * made for an agent names node and attempt, and is refused when the lease says otherwise.
 */
export type Lease = {
  log_id: number;
  run_id: string;
  node_id: string;
  attempt: number;
};

/** How long a lease lasts without being renewed, on the database's clock. */
export const LEASE_S = 6;
/** How often a node renews the leases it holds. */
export const RENEW_MS = 2_000;
/** What ended an attempt early: its agent process was lost, its node was, or the node stopped on purpose. */
export type Loss = "process" | "node" | "drain";
/**
 * Losses in a row, without a checkpoint in between, with which a run is given up as `worker_lost`. A lost process is
 * likely the run's own doing, a lost node rarely is: its agent may not even have been loaded. A drain never counts.
 */
export const MAX_LOST_PROCESSES = 3;
export const MAX_LOST_NODES = 10;

/** What must be reached: the speed table, row by row, under the names of the cases that measure it. */
export type Goal = { what: string; unit: string } & ({ atMost: number } | { atLeast: number });

/** What was measured for a goal, or why not. */
export type Figure =
  | {
      value: number;
      /** The limit that the value approaches on this machine, when it is another than that of the whole case. */
      limit?: string;
      /** What else there is to know of it. */
      beside?: string;
    }
  | { why: string };

/** Measured on another day on the same kind of machine; Aegra is not started here. */
const AEGRA = { turn_ms: 50, turns_a_second: 25, turns_a_second_two_nodes: 22 };
const PEER = "LangGraph.js's own server";
/** What a list of one id for each turn would add in the 80,000 turns that are looked at: 64 bytes each. */
const LEAK_MB = 5;

export const goals = {
  turn: {
    over_bare: { what: "turn, p50, over bare graph.invoke", atMost: 4, unit: "ms" },
    peer: { what: `turn, faster than ${PEER}`, atLeast: 50, unit: "×" },
    aegra: { what: `turn, faster than Aegra (${AEGRA.turn_ms} ms)`, atLeast: 8, unit: "×" },
  },
  "first-event": {
    first: { what: "first event of a stream, p50", atMost: 6, unit: "ms" },
  },
  throughput: {
    bare: { what: "32 clients, of a bare loop of graph.invoke", atLeast: 0.6, unit: "×" },
    peer: { what: `32 clients, more than ${PEER}'s best`, atLeast: 6, unit: "×" },
    aegra: {
      what: `32 clients, more than Aegra (${AEGRA.turns_a_second} turns/s)`,
      atLeast: 12,
      unit: "×",
    },
  },
  tokens: {
    custom: { what: "custom events of one stream", atLeast: 30_000, unit: "/s" },
    tokens: { what: "a model's tokens of one stream", atLeast: 30_000, unit: "/s" },
    lost: { what: "events lost or out of order", atMost: 0, unit: "" },
  },
  watchers: {
    streams: { what: "events of 200 streams at once, in all", atLeast: 40_000, unit: "/s" },
    streams_lost: { what: "of 200 streams, those that lost an event", atMost: 0, unit: "" },
    lag: { what: "1,000 readers of a run with 100 events/s: lag, p99", atMost: 250, unit: "ms" },
    missed: { what: "of 1,000 readers, those that missed an event", atMost: 0, unit: "" },
  },
  "long-thread": {
    growth: { what: "turn 1,000 / turn 1", atMost: 1.5, unit: "×" },
    bare: { what: "turns 100 to 1,000 / bare graph.invoke, at worst", atMost: 1, unit: "×" },
  },
  "big-thread": {
    thread: { what: "GET thread, p50 less 1 ms per 100 KB", atMost: 2, unit: "ms" },
    state: { what: "GET state, p50 less 1 ms per 100 KB", atMost: 5, unit: "ms" },
    history: { what: "GET history page of 20, p50 less 1 ms per 100 KB", atMost: 15, unit: "ms" },
    reads_growth: { what: "reads at 10,000 checkpoints / at 100, at worst", atMost: 1.25, unit: "×" },
    copy: { what: "copy of 10,000 checkpoints, p50", atMost: 5, unit: "ms" },
    copy_growth: { what: "copy of 10,000 checkpoints / of 100", atMost: 1.25, unit: "×" },
    copies: { what: "1,000 copies add", atMost: 1, unit: "MB" },
  },
  disk: {
    one_node: { what: "a turn adds, one node, at worst", atMost: 6, unit: "KB" },
    subgraph: { what: "a turn adds, a subgraph that shares messages, at worst", atMost: 8, unit: "KB" },
    window: { what: "a turn adds, a window of 20 by RemoveMessage, at worst", atMost: 8, unit: "KB" },
    slope: { what: "change from turn 500 to 2,000, at worst", atMost: 5, unit: "%" },
  },
  search: {
    slowest: { what: "list or search among 1,000,000 threads, p50 of the slowest", atMost: 5, unit: "ms" },
    memory: { what: "server memory over that without threads", atMost: 50, unit: "MB" },
  },
  recovery: {
    agent: { what: "agent process killed, p50", atMost: 1_000, unit: "ms" },
    server: { what: "server killed and restarted at once, p50", atMost: 3_000, unit: "ms" },
    node: { what: "one of two nodes killed (a lease of 6 s + 2 s), p50", atMost: 8_000, unit: "ms" },
  },
  start: {
    ready: { what: "crewship serve to ready, p50", atMost: 500, unit: "ms" },
    memory: { what: "idle memory", atMost: 120, unit: "MB" },
  },
  cold: {
    node: { what: "first run without a process, over its own imports, p50", atMost: 600, unit: "ms" },
  },
  nodes: {
    aegra: {
      what: "PostgreSQL, 2 nodes, 32 clients (5 × Aegra's 22)",
      atLeast: 5 * AEGRA.turns_a_second_two_nodes,
      unit: "turns/s",
    },
    added: { what: "a node added: turns/s after / before, at worst", atLeast: 1, unit: "×" },
  },
  "python-turn": {
    fork: { what: 'isolation = "run" over a warm shared process, p50', atMost: 80, unit: "ms" },
  },
  memory: {
    server: { what: "server's heap, growth over 80,000 turns", atMost: LEAK_MB, unit: "MB" },
    agent: { what: "agent process's heap, growth over 80,000 turns", atMost: LEAK_MB, unit: "MB" },
    long_thread: { what: "server's heap, one thread's turns 2,000 to 10,000", atMost: LEAK_MB, unit: "MB" },
    streams: { what: "server's heap after 200 streams, over before", atMost: LEAK_MB, unit: "MB" },
  },
} as const satisfies Record<string, Record<string, Goal>>;

export type Goals = typeof goals;

export const NO_PEER: Figure = { why: "--peer langgraph-js was not asked for" };
/** How many times better than Aegra, whose figures are written here only. */
export const overAegra = {
  turn: (ms: number): Figure => ({ value: AEGRA.turn_ms / ms }),
  throughput: (rate: number): Figure => ({ value: rate / AEGRA.turns_a_second }),
};

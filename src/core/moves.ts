/**
 * The run's table of moves: every legal change of a run's status, and what it does to the thread. A complete table:
 * it does not compile until each move says where it starts, where it ends and what the thread becomes.
 */
export const runStatuses = ["pending", "running", "succeeded", "failed", "canceled", "interrupted"] as const;
export type RunStatus = (typeof runStatuses)[number];

export const threadStatuses = ["idle", "busy", "interrupted", "error"] as const;
export type ThreadStatus = (typeof threadStatuses)[number];

/** The last events: exactly one ends each run and its stream. */
export const lastEventTypes = ["run.completed", "run.failed", "run.canceled", "run.interrupted"] as const;
export type LastEventType = (typeof lastEventTypes)[number];

type Move = {
  from: readonly RunStatus[];
  to: RunStatus;
  /** The thread's status after the move, as long as no other run of it is pending or running. */
  thread: ThreadStatus;
  /** The event that ends the run; null while it goes on. */
  last_event: LastEventType | null;
  /** Who may make it: the holder of the run's lease, or anyone. */
  by: "holder" | "anyone";
};

export const moves = {
  claim: { from: ["pending"], to: "running", thread: "busy", last_event: null, by: "anyone" },
  requeue: { from: ["running"], to: "pending", thread: "busy", last_event: null, by: "anyone" },
  succeed: { from: ["running"], to: "succeeded", thread: "idle", last_event: "run.completed", by: "holder" },
  fail: { from: ["running"], to: "failed", thread: "error", last_event: "run.failed", by: "holder" },
  interrupt: {
    from: ["running"],
    to: "interrupted",
    thread: "interrupted",
    last_event: "run.interrupted",
    by: "holder",
  },
  cancel: {
    from: ["pending", "running"],
    to: "canceled",
    thread: "idle",
    last_event: "run.canceled",
    by: "anyone",
  },
} as const satisfies Record<string, Move>;

export type MoveName = keyof typeof moves;
export const moveNames = Object.keys(moves) as MoveName[];

/** The run is over: no move starts from its status. */
export function isOver(status: RunStatus): boolean {
  return !moveNames.some((name) => (moves[name].from as readonly RunStatus[]).includes(status));
}

export function isLastEvent(type: string): type is LastEventType {
  return (lastEventTypes as readonly string[]).includes(type);
}

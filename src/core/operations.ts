/** What a server is doing right now, for the operator who asks what is stuck. */
import { type Static, Type } from "typebox";
import { Schedule } from "./schedule.ts";
import { Iso, Nullable } from "./schema.ts";

export const AgentProcessState = Type.Object({
  pid: Nullable(Type.Integer()),
  version_id: Type.String(),
  environment: Type.String(),
  state: Type.Union([Type.Literal("loading"), Type.Literal("ready"), Type.Literal("draining")], {
    description: "draining: it takes no new runs and stops after its last",
  }),
  seats: Type.Integer({ minimum: 0, description: "Runs in it or about to be" }),
  run_ids: Type.Array(Type.String(), { description: "The runs in it" }),
  memory_mb: Type.Number({ description: "Resident memory as it last said; 0: not yet" }),
  started_at: Iso,
});
export type AgentProcessState = Static<typeof AgentProcessState>;

/** As a node says it of itself. */
export const NodeState = Type.Object({
  version: Type.String({ description: "Of crewship" }),
  role: Type.String({ description: "all, api or worker" }),
  pid: Type.Integer(),
  memory_mb: Type.Number({ description: "Resident memory of the server itself" }),
  concurrency: Type.Integer({ description: "Runs it executes at once, at most" }),
  processes: Type.Array(AgentProcessState),
});
export type NodeState = Static<typeof NodeState>;

const Count = Type.Integer({ minimum: 0 });

export const Operations = Type.Object(
  {
    at: Iso,
    nodes: Type.Array(
      Type.Object({
        node_id: Type.String(),
        machine: Type.String(),
        started_at: Iso,
        seen_at: Iso,
        is_alive: Type.Boolean({ description: "It was seen within the last 15 seconds" }),
        running: Type.Integer({ minimum: 0, description: "Runs whose lease it holds" }),
        state: Nullable(NodeState, { description: "As it last said; null: it has not said anything yet" }),
      }),
    ),
    runs: Type.Object({
      running: Count,
      pending: Type.Integer({ minimum: 0, description: "Runs that wait for their turn, or for a place" }),
      oldest_due_at: Nullable(Iso, {
        description: "Since when the first of those that may begin has waited",
      }),
    }),
    leases: Type.Array(
      Type.Object({
        run_id: Type.String(),
        thread_id: Nullable(Type.String()),
        deployment_id: Type.String(),
        node_id: Type.String(),
        attempt: Type.Integer(),
        started_at: Nullable(Iso),
        expires_at: Iso,
      }),
      { description: "The runs that are executed, the longest first, 200 at most" },
    ),
    deliveries: Type.Object({
      pending: Type.Integer({ minimum: 0, description: "Of webhooks: owed, or to be tried again" }),
      failed: Type.Integer({ minimum: 0, description: "Given up within the last day" }),
    }),
    schedules: Type.Array(Schedule, { description: "The ten that are due next" }),
    keys: Count,
    sessions: Type.Integer({ minimum: 0, description: "Browsers signed in to the console" }),
  },
  { title: "Operations" },
);
export type Operations = Static<typeof Operations>;

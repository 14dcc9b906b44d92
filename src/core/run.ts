/** A run: one execution of a version, inside a thread or alone. */
import { type Static, Type } from "typebox";
import type { JsonObject } from "./json.ts";
import { runStatuses } from "./moves.ts";
import { Iso, JsonObjectSchema, JsonValue, Nullable } from "./schema.ts";

export const RunStatusSchema = Type.Enum([...runStatuses]);
export const environments = ["production", "staging"] as const;
export const EnvironmentSchema = Type.Enum([...environments], { default: "production" });
export type Environment = (typeof environments)[number];

/** Why a run failed. Codes: agent_error, load_failed, run_timeout, worker_lost, output_not_json, needs_thread, interrupt_not_waiting, checkpoint_gone. */
export const RunError = Type.Object({
  code: Type.String(),
  message: Type.String(),
  traceback: Type.Optional(Type.String()),
});
export type RunError = Static<typeof RunError>;

export const Run = Type.Object(
  {
    id: Type.String(),
    thread_id: Nullable(Type.String()),
    deployment_id: Type.String(),
    version_id: Type.String(),
    version_number: Type.Integer(),
    environment: Type.String(),
    status: RunStatusSchema,
    input: JsonValue,
    output: JsonValue,
    error_message: Nullable(Type.String()),
    error: Nullable(RunError),
    metadata: JsonObjectSchema,
    attempt: Type.Integer({ description: "How often a node has begun to execute it; 0 while pending." }),
    created_at: Iso,
    started_at: Nullable(Iso),
    completed_at: Nullable(Iso),
  },
  { title: "Run" },
);
export type Run = Static<typeof Run>;

/** The answer to an accepted run. `status` is `running` when this node claimed it at once, else `pending`. */
export const AcceptedRun = Type.Object(
  {
    run_id: Type.String(),
    thread_id: Type.Optional(Type.String()),
    version_id: Type.String(),
    version_number: Type.Integer(),
    status: Type.Enum(["pending", "running"]),
  },
  { title: "AcceptedRun" },
);
export type AcceptedRun = Static<typeof AcceptedRun>;

/** What a run does about those that are pending or running in its thread. */
export const multitaskStrategies = ["reject", "enqueue", "interrupt", "rollback"] as const;
export type MultitaskStrategy = (typeof multitaskStrategies)[number];

/** Of a webhook's address. */
export const MAX_URL_LENGTH = 2_048;
/** A year. */
const MAX_AFTER_S = 31_536_000;

const NodeNames = Type.Unsafe<string[] | "*">({
  anyOf: [{ type: "array", items: { type: "string" }, maxItems: 1000 }, { const: "*" }],
  description: 'Names of nodes, or "*" for all.',
});

export const Command = Type.Object(
  { resume: Type.Optional(JsonValue), update: Type.Optional(JsonValue), goto: Type.Optional(JsonValue) },
  { additionalProperties: false, minProperties: 1 },
);

/** What LangGraph's protocol says of a run that is no word of ours. */
export type LangGraphRequest = {
  assistant_id: string;
  stream_mode: string[];
  stream_subgraphs: boolean;
  multitask_strategy: MultitaskStrategy;
  /** What the caller sent, for showing it. */
  kwargs: JsonObject;
};

/** What a caller may say about a run in a thread. */
export const RunRequest = Type.Object(
  {
    input: Type.Optional(JsonValue),
    environment: Type.Optional(EnvironmentSchema),
    command: Type.Optional(Command),
    checkpoint_id: Type.Optional(
      Type.String({ description: "Start from this checkpoint instead of the newest." }),
    ),
    multitask_strategy: Type.Optional(
      Type.Enum([...multitaskStrategies], {
        description:
          "What to do when the thread is busy: refuse this run, let it wait its turn, or cancel what is there, keeping or dropping the checkpoints it made.",
        default: "reject",
      }),
    ),
    after_seconds: Type.Optional(
      Type.Number({ minimum: 0, maximum: MAX_AFTER_S, description: "Begin no sooner than this from now." }),
    ),
    config: Type.Optional(JsonObjectSchema),
    metadata: Type.Optional(JsonObjectSchema),
    interrupt_before: Type.Optional(NodeNames),
    interrupt_after: Type.Optional(NodeNames),
    timeout_s: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 604_800 })),
    webhook: Type.Optional(
      Type.String({ maxLength: MAX_URL_LENGTH, description: "An address to tell of the run's end." }),
    ),
  },
  { additionalProperties: false, title: "RunRequest" },
);
export type RunRequest = Static<typeof RunRequest>;

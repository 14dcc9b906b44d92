/** A thread: a stateful conversation, scoped to one deployment. The schema is type, validation and documentation. */
import { type Static, Type } from "typebox";
import { threadStatuses } from "./moves.ts";
import { Iso, JsonObjectSchema, JsonValue, Nullable } from "./schema.ts";

export const ThreadStatusSchema = Type.Enum([...threadStatuses]);

/** Ten years. */
export const MAX_TTL_MINUTES = 5_256_000;

export const Ttl = Type.Object(
  {
    minutes: Type.Number({
      minimum: 1,
      maximum: MAX_TTL_MINUTES,
      description: "Counted from updated_at, never while busy.",
    }),
    strategy: Type.Optional(Type.Enum(["delete", "keep_latest"], { default: "delete" })),
  },
  { additionalProperties: false },
);
export type Ttl = Static<typeof Ttl>;

export const Interrupt = Type.Object({
  id: Type.String(),
  value: JsonValue,
  task: Type.Optional(Type.String({ description: "The node or task that asked." })),
});
export type Interrupt = Static<typeof Interrupt>;

export const Thread = Type.Object(
  {
    thread_id: Type.String(),
    deployment_id: Nullable(Type.String()),
    status: ThreadStatusSchema,
    metadata: JsonObjectSchema,
    values: Nullable(JsonObjectSchema, { description: "The current state; null until something set it." }),
    interrupts: Type.Optional(
      Type.Array(Interrupt, { description: "Open questions, only when interrupted." }),
    ),
    copied_from: Type.Optional(Type.String()),
    ttl: Type.Optional(Ttl),
    created_at: Iso,
    updated_at: Iso,
  },
  { title: "Thread" },
);
export type Thread = Static<typeof Thread>;

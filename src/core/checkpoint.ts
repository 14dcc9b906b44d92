/** A checkpoint: an immutable snapshot of a thread's state. */
import { type Static, Type } from "typebox";
import { Iso, JsonObjectSchema, JsonValue, Nullable } from "./schema.ts";
import { Interrupt } from "./thread.ts";

export const checkpointSources = ["input", "loop", "update", "fork", "run"] as const;

const fields = {
  checkpoint_id: Type.String(),
  thread_id: Type.String(),
  parent_checkpoint_id: Nullable(Type.String()),
  run_id: Nullable(Type.String(), { description: "The run that made it; null for an update." }),
  step: Type.Integer(),
  source: Type.String({ description: checkpointSources.join(", ") }),
  values: JsonObjectSchema,
  next: Type.Array(Type.String(), { description: "The nodes that would run next." }),
  tasks: Type.Array(JsonValue),
  metadata: JsonObjectSchema,
  created_at: Iso,
};

export const Checkpoint = Type.Object(fields, { title: "Checkpoint" });
export type Checkpoint = Static<typeof Checkpoint>;

export const ThreadState = Type.Object(
  {
    ...fields,
    checkpoint_id: Nullable(Type.String(), { description: "null while the thread has no checkpoint yet." }),
    created_at: Nullable(Iso),
    interrupts: Type.Array(Interrupt),
  },
  { title: "ThreadState" },
);
export type ThreadState = Static<typeof ThreadState>;

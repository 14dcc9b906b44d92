/** A change: threads and runs that are not what they were a moment ago. For lists that show the present. */
import { type Static, Type } from "typebox";
import { runStatuses, threadStatuses } from "./moves.ts";
import { Nullable } from "./schema.ts";

export const Change = Type.Object(
  {
    threads: Type.Array(
      Type.Object({
        thread_id: Type.String(),
        deployment_id: Nullable(Type.String()),
        status: Type.Enum([...threadStatuses]),
      }),
    ),
    runs: Type.Array(
      Type.Object({
        run_id: Type.String(),
        thread_id: Nullable(Type.String()),
        deployment_id: Type.String(),
        status: Type.Enum([...runStatuses]),
      }),
    ),
    is_complete: Type.Boolean({
      description: "false: something else may have changed too; read what you show anew",
    }),
  },
  { title: "Change" },
);
export type Change = Static<typeof Change>;

/** Random programs of operations on threads. */
import fc from "fast-check";
import { type MultitaskStrategy, multitaskStrategies } from "../../src/core/run.ts";
import type { Way } from "./program_model.ts";

export type Command =
  | {
      do: "run";
      thread: number;
      way: Way;
      strategy: MultitaskStrategy;
      from: number | null;
      resumes: boolean;
      later: boolean;
    }
  | { do: "cancel"; thread: number; which: number; rollback: boolean }
  | { do: "update" | "copy"; thread: number; from: number | null }
  | { do: "finish" | "delete"; thread: number }
  | { do: "prune"; thread: number; last: number }
  | { do: "crash" }
  | { do: "sweep" };

const thread = fc.nat(3);
/** Mostly the head. */
const from = fc.option(fc.nat(20), { freq: 2 });
const rarely = fc.integer({ min: 0, max: 9 }).map((n) => n === 0);
const often = fc.integer({ min: 0, max: 3 }).map((n) => n === 0);
export const commands: fc.Arbitrary<Command[]> = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant("run" as const),
        thread,
        way: fc.constantFrom<Way>("answer", "ask", "ask", "fail"),
        strategy: fc.constantFrom(...multitaskStrategies),
        from: fc.oneof({ weight: 4, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: from }),
        resumes: often,
        later: rarely,
      }),
    },
    { weight: 6, arbitrary: fc.record({ do: fc.constant("finish" as const), thread }) },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant("cancel" as const),
        thread,
        which: fc.nat(3),
        rollback: fc.boolean(),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constantFrom("copy" as const, "update" as const), thread, from }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("delete" as const), thread }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("prune" as const), thread, last: fc.nat(3) }) },
    {
      weight: 1,
      arbitrary: fc.constantFrom({ do: "sweep" as const }, { do: "crash" as const }),
    },
  ),
  { minLength: 4, maxLength: 20 },
);

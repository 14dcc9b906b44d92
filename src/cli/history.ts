/** A thread's checkpoints as a table: the same for `thread history` and for `/history` in a chat. */
import type { Checkpoint } from "../core/checkpoint.ts";
import { dateTime, printTable, summary } from "./output.ts";

export function printHistory(checkpoints: Checkpoint[]): void {
  printTable<Checkpoint>(
    [
      { title: "checkpoint", cell: ({ checkpoint_id }) => checkpoint_id },
      { title: "created", cell: ({ created_at }) => dateTime(created_at) },
      { title: "step", cell: ({ step }) => String(step) },
      { title: "made by", cell: ({ run_id, source }) => run_id ?? source },
      { title: "next", cell: ({ next }) => next.join(", ") || "–" },
      { title: "state", cell: ({ values }) => summary(values) },
    ],
    checkpoints,
    "No checkpoints yet: the first run leaves one.",
  );
}

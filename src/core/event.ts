/** An event: something that happened in a run, numbered from 1 within it. */
import { type Static, Type } from "typebox";
import { JsonValue } from "./schema.ts";

export const Event = Type.Object(
  { type: Type.String({ examples: ["run.started", "message.delta", "run.completed"] }), data: JsonValue },
  { title: "Event" },
);
export type Event = Static<typeof Event>;

/**
 * An event with its place: `run_number` is the order in which the thread's runs began, `seq` its number in the run.
 * `gone`: so many events right before it are not kept any more. `at`: when it was committed.
 */
export type NumberedEvent = Event & { run_number: number; seq: number; at?: string; gone?: number };

/** Events the engine alone makes: an agent that sends one would forge history. */
export function isReserved(type: string): boolean {
  return type.startsWith("run.") || type === "state.updated" || type === "artifact";
}

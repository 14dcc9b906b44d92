/** An event: something that happened in a run, numbered from 1 within it. */
import { type Static, Type } from "typebox";
import type { Json } from "./json.ts";
import { JsonValue } from "./schema.ts";

export const Event = Type.Object(
  { type: Type.String({ examples: ["run.started", "message.delta", "run.completed"] }), data: JsonValue },
  { title: "Event" },
);
/** `langgraph`: what LangGraph's own protocol says of it besides; /v1 does not show it. */
export type Event = Static<typeof Event> & { langgraph?: Json };

/**
 * An event with its place: `run_number` is the order in which the thread's runs began, `seq` its number in the run.
 * `gone`: so many events right before it are not kept any more. `at`: when it was committed.
 */
export type NumberedEvent = Event & { run_number: number; seq: number; at?: string; gone?: number };

/** A subgraph's checkpoint was stored: {checkpoint_id, namespace}. Only in runs whose reader wants subgraphs. */
export const CHECKPOINT_EVENT = "langgraph.checkpoint";

/** Events that only LangGraph's own protocol tells. */
export function isHidden(type: string): boolean {
  return type.startsWith("langgraph.");
}

/** Events the engine alone makes: an agent that sends one would forge history. */
export function isReserved(type: string): boolean {
  return (
    type.startsWith("run.") || type === "state.updated" || type === "artifact" || type === CHECKPOINT_EVENT
  );
}

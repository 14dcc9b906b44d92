/**
 * What our checkpointer needs of whatever keeps checkpoints: in an agent process the run's pipe, in the tests a list
 * in memory. Messages are stored in the order in which they are handed over.
 */
import type { Json } from "../../src/core/json.ts";
import type { RunnerMessageOf, StoredCheckpoint } from "../../src/runner/protocol.ts";

export type CheckpointBody = Omit<RunnerMessageOf<"checkpoint">, "type" | "run_id" | "n">;
export type WritesBody = Omit<RunnerMessageOf<"writes">, "type" | "run_id" | "n">;
export type ReadRequest = Omit<RunnerMessageOf<"read">, "type" | "run_id" | "request_id">;
export type Shown = NonNullable<CheckpointBody["shown"]>;

export type Page = { checkpoints: StoredCheckpoint[]; items: [log: number, number: number, body: Json][] };

export interface CheckpointStore {
  read(request: ReadRequest): Promise<Page>;
  checkpoint(body: CheckpointBody): void;
  writes(body: WritesBody): void;
  /** Resolves when the store takes more. */
  room(): Promise<void>;
  /** Resolves when everything handed over is committed. */
  settled(): Promise<void>;
}

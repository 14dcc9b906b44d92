/** What executes runs: a LangGraph graph or a plain function. */

import type { Json } from "../../src/core/json.ts";
import type { Structure } from "../../src/core/structure.ts";
import type { RunStart } from "../../src/runner/protocol.ts";
import type { Done, RunPipe } from "./pipe.ts";

export type Update = RunStart & { values: Json; as_node: string | null };

export interface Host {
  /** What the agent is made of; null: nothing can be said of it. */
  describe(): Promise<Structure | null>;
  run(start: RunStart, pipe: RunPipe, signal: AbortSignal): Promise<Done>;
  update(update: Update, pipe: RunPipe): Promise<Done>;
}

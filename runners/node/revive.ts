/** Stored checkpoints → live tuples, in the form the project's own version of LangGraph expects. */
import type { StoredCheckpoint } from "../../src/runner/protocol.ts";
import { Decoder } from "./decode.ts";
import type { Checkpoint, Framework } from "./framework.ts";
import type { ThreadMemory } from "./memory.ts";
import type { CheckpointStore, Page } from "./store.ts";
import type { LiveTuple, LiveWrite } from "./tuple.ts";

const TASKS = "__pregel_tasks";

export class Reviver {
  readonly #framework: Framework;
  readonly #store: CheckpointStore;
  readonly #memory: ThreadMemory;

  constructor(thread: { framework: Framework; store: CheckpointStore; memory: ThreadMemory }) {
    this.#framework = thread.framework;
    this.#store = thread.store;
    this.#memory = thread.memory;
  }

  decoder(page: Page): Decoder {
    return new Decoder(this.#framework.classes, this.#memory, page.items);
  }

  async revive(stored: StoredCheckpoint, decoder: Decoder): Promise<LiveTuple> {
    const values: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(stored.channels)) values[name] = await decoder.decode(value);
    const writes: LiveWrite[] = [];
    for (const { task_id, task_path, idx, channel, value } of stored.writes) {
      writes.push({ task_id, task_path, idx, channel, value: await decoder.decode(value) });
    }
    const state = (await decoder.decode(stored.state)) as Omit<Checkpoint, "id" | "channel_values">;
    const checkpoint: Checkpoint = { ...state, id: stored.checkpoint_id, channel_values: values };
    const parentId = stored.parent_checkpoint_id;
    if (checkpoint.v < 4) await this.#placePushedTasks(checkpoint, stored.namespace, parentId);
    return {
      namespace: stored.namespace,
      checkpoint,
      metadata: (await decoder.decode(stored.metadata)) as Record<string, unknown>,
      parentId,
      writes,
    };
  }

  /**
   * Before version 4, pushed tasks stood in `pending_sends`; since then they are a channel. Both are brought to what
   * the project's LangGraph expects, as its MemorySaver does.
   */
  async #placePushedTasks(checkpoint: Checkpoint, namespace: string, parentId: string | null): Promise<void> {
    let sends = checkpoint.pending_sends;
    if (!sends && parentId !== null) {
      const page = await this.#store.read({ kind: "tuple", namespace, checkpoint_id: parentId });
      const decoder = this.decoder(page);
      sends = [];
      for (const { channel, value } of page.checkpoints[0]?.writes ?? []) {
        if (channel === TASKS) sends.push(await decoder.decode(value));
      }
    }
    if (this.#framework.checkpointVersion < 4) {
      checkpoint.pending_sends = sends ?? [];
      return;
    }
    delete checkpoint.pending_sends;
    if (parentId === null) return;
    checkpoint.channel_values[TASKS] = sends;
    const versions = Object.values(checkpoint.channel_versions ?? {});
    checkpoint.channel_versions = {
      ...checkpoint.channel_versions,
      [TASKS]: versions.reduce(laterVersion, 1),
    };
  }
}

function laterVersion(a: number | string, b: number | string): number | string {
  if (typeof a === "number" && typeof b === "number") return Math.max(a, b);
  return String(a).localeCompare(String(b)) >= 0 ? a : b;
}

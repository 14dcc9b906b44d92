/**
 * Our checkpointer as LangGraph's own validation suite opens it: over threads kept in memory, one saver for all. Run
 * by vitest, which the suite is written for; the suite's own command cannot load an initializer in this version.
 */
import { load } from "@langchain/core/load";
import * as messages from "@langchain/core/messages";
import { Command, Overwrite, Send } from "@langchain/langgraph";
import { BaseCheckpointSaver, DeltaSnapshot, emptyCheckpoint } from "@langchain/langgraph-checkpoint";
import { validate } from "@langchain/langgraph-checkpoint-validation";
import type {
  Checkpoint,
  CheckpointTuple,
  Framework,
  ListOptions,
  RunnableConfig,
  SaverBase,
} from "../../runners/node/framework.ts";
import { ThreadMemory } from "../../runners/node/memory.ts";
import { SaverState, saverClass } from "../../runners/node/saver.ts";
import type { CheckpointStore } from "../../runners/node/store.ts";
import { MemoryLog } from "./memory_store.ts";

const Base = BaseCheckpointSaver as unknown as SaverBase;
const framework = {
  classes: { messages, load, Send, Command, Overwrite, DeltaSnapshot },
  BaseCheckpointSaver: Base,
  checkpointVersion: emptyCheckpoint().v,
  callbackHandler: () => ({}),
} as unknown as Framework;

function storeOver(log: MemoryLog): CheckpointStore {
  return {
    read: async (request) => structuredClone(log.read(request)),
    checkpoint: (body) => log.addCheckpoint("run_1", structuredClone(body)),
    writes: (body) => log.addWrites("run_1", structuredClone(body)),
    room: async () => {},
    settled: async () => {},
  };
}

const OneThreadSaver = saverClass(Base);

/** Opens the thread anew for each call, so that nothing is answered from what the saver still remembers. */
class AllThreadsSaver extends Base {
  readonly #logs = new Map<string, MemoryLog>();

  #open(config: RunnableConfig) {
    const threadId = config.configurable?.thread_id;
    if (typeof threadId !== "string") throw new Error("thread_id is missing");
    const log = this.#logs.get(threadId) ?? new MemoryLog(this.#logs.size + 1);
    this.#logs.set(threadId, log);
    const state = new SaverState({
      framework,
      threadId,
      memory: new ThreadMemory(log.id, log.items.length),
      store: storeOver(log),
      describe: async () => ({ keys: [], next: [], tasks: [] }),
      fresh: false,
      durability: "sync",
      failed: () => {},
    });
    return new OneThreadSaver(state);
  }

  async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    return config.configurable?.thread_id === undefined ? undefined : this.#open(config).getTuple(config);
  }

  async get(config: RunnableConfig): Promise<Checkpoint | undefined> {
    return this.#open(config).get(config);
  }

  async *list(config: RunnableConfig, options?: ListOptions): AsyncGenerator<CheckpointTuple> {
    const { thread_id } = config.configurable ?? {};
    const threads = thread_id === undefined ? [...this.#logs.keys()] : [thread_id];
    let left = options?.limit ?? Number.POSITIVE_INFINITY;
    for (const thread of threads) {
      const configurable = { ...config.configurable, thread_id: thread };
      const limited = left === Number.POSITIVE_INFINITY ? options : { ...options, limit: left };
      for await (const tuple of this.#open({ configurable }).list({ ...config, configurable }, limited)) {
        left--;
        yield tuple;
      }
    }
  }

  async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: Record<string, unknown>,
    newVersions: Record<string, unknown>,
  ): Promise<RunnableConfig> {
    return this.#open(config).put(config, checkpoint, metadata, newVersions);
  }

  async putWrites(
    config: RunnableConfig,
    writes: [string, unknown][],
    taskId: string,
    path?: string,
  ): Promise<void> {
    return this.#open(config).putWrites(config, writes, taskId, path);
  }

  async deleteThread(threadId: string): Promise<void> {
    this.#logs.delete(threadId);
  }
}

validate({
  checkpointerName: "CrewshipSaver",
  createCheckpointer: () => new AllThreadsSaver() as unknown as BaseCheckpointSaver,
});

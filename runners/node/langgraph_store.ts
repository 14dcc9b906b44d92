/**
 * The store LangGraph's nodes get (`getStore()`, `config.store`, `runtime.store`): LangGraph's operations over the
 * deployment's store. The class itself is made from the project's own base class.
 */
import type { Json } from "../../src/core/json.ts";
import type { FoundItem, StoreItem, StoreOperation } from "../../src/core/store_item.ts";
import type { BatchedStore, StoreClasses } from "./framework.ts";
import type { ListNamespaces, Put, RunStore, Search } from "./run_store.ts";

/** What `batch` is given, told apart by the names of its fields. */
type Operation =
  | { namespace: string[]; key: string }
  | Put
  | {
      namespacePrefix: string[];
      filter?: Record<string, unknown>;
      limit?: number;
      offset?: number;
      query?: string;
    }
  | {
      matchConditions?: { matchType: "prefix" | "suffix"; path: string[] }[];
      maxDepth?: number;
      limit?: number;
      offset?: number;
    };

export function storeClass({ BaseStore, AsyncBatchedStore }: StoreClasses) {
  class CrewshipStore extends BaseStore {
    readonly #store: RunStore;
    #waiting: { operation: Operation; answer: PromiseWithResolvers<unknown> }[] = [];

    constructor(store: RunStore) {
      super();
      this.#store = store;
    }

    override async batch(operations: Operation[]): Promise<unknown[]> {
      const asked = await Promise.all(operations.map((operation) => this.#translated(operation)));
      const results = await this.#store.ask(asked);
      return results.map((result, i) => shown(asked[i]!, result));
    }

    /** What is asked in one turn goes out together. */
    enqueue(operation: Operation): Promise<unknown> {
      const answer = Promise.withResolvers<unknown>();
      if (this.#waiting.push({ operation, answer }) === 1) setImmediate(() => void this.#askWaiting());
      return answer.promise;
    }

    async #askWaiting(): Promise<void> {
      const waiting = this.#waiting;
      this.#waiting = [];
      try {
        const results = await this.batch(waiting.map(({ operation }) => operation));
        for (const [i, { answer }] of waiting.entries()) answer.resolve(results[i]);
      } catch (error) {
        // One that is refused must not take down those it shared the way with.
        if (waiting.length === 1) return waiting[0]!.answer.reject(error);
        for (const { operation, answer } of waiting)
          await this.batch([operation]).then(([result]) => answer.resolve(result), answer.reject);
      }
    }

    async #translated(operation: Operation): Promise<StoreOperation> {
      if ("namespacePrefix" in operation) {
        const { namespacePrefix: namespace_prefix, filter, query, limit, offset } = operation;
        const paged = { ...(limit !== undefined && { limit }), ...(offset !== undefined && { offset }) };
        const search: Search = { namespace_prefix, filter, query, ...paged };
        return this.#store.search(search);
      }
      if ("value" in operation) return this.#store.put(operation);
      if ("namespace" in operation) {
        const { namespace, key } = operation;
        return { op: "get", namespace, key };
      }
      const { matchConditions = [], maxDepth: max_depth, limit, offset } = operation;
      const listed: ListNamespaces = {
        ...(max_depth !== undefined && { max_depth }),
        ...(limit !== undefined && { limit }),
        ...(offset !== undefined && { offset }),
      };
      for (const { matchType, path } of matchConditions) listed[matchType] = path;
      return { op: "list_namespaces", ...listed };
    }
  }
  if (AsyncBatchedStore) askAtOnce(AsyncBatchedStore, CrewshipStore);
  return CrewshipStore;
}

/**
 * LangGraph wraps every store in one that looks for work in a timer, again and again for as long as a run lasts: a thousand
 * times a second for each of the runs that wait for a model. Around ours it passes on what is asked at once, and also what
 * it leaves out: lists of namespaces, and which texts of an item are embedded.
 */
function askAtOnce(
  { prototype }: NonNullable<StoreClasses["AsyncBatchedStore"]>,
  Ours: new (store: RunStore) => BatchedStore & { enqueue(operation: Operation): Promise<unknown> },
): void {
  const { processBatchQueue, enqueueOperation, batch, put } = prototype;
  prototype.processBatchQueue = function () {
    return this.store instanceof Ours ? Promise.resolve() : processBatchQueue.call(this);
  };
  prototype.enqueueOperation = function (operation: unknown) {
    return this.store instanceof Ours
      ? this.store.enqueue(operation as Operation)
      : enqueueOperation.call(this, operation);
  };
  prototype.batch = function (operations: unknown[]) {
    return this.store instanceof Ours ? this.store.batch(operations) : batch.call(this, operations);
  };
  prototype.put = function (...args: unknown[]) {
    return this.store instanceof Ours ? this.store.put(...args) : put.apply(this, args);
  };
}

function shown({ op }: StoreOperation, result: Json): unknown {
  if (op === "get") return result && toItem(result as unknown as StoreItem);
  if (op === "search") {
    return (result as unknown as FoundItem[]).map((found) => ({
      ...toItem(found),
      ...(found.score !== null && { score: found.score }),
    }));
  }
  return op === "put" ? undefined : result;
}

function toItem({ namespace, key, value, created_at, updated_at }: StoreItem) {
  return { namespace, key, value, createdAt: new Date(created_at), updatedAt: new Date(updated_at) };
}

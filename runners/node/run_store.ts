/** The deployment's store as one run asks it: texts are embedded here, everything else is the server's. */
import type { Json, JsonObject } from "../../src/core/json.ts";
import type { FoundItem, StoreItem, StoreOperation } from "../../src/core/store_item.ts";
import type { Embedder } from "./embedder.ts";
import type { RunPipe } from "./pipe.ts";

type Of<Op extends StoreOperation["op"]> = Omit<Extract<StoreOperation, { op: Op }>, "op">;
export type Get = Of<"get">;
export type Put = Omit<Of<"put">, "vectors" | "value"> & {
  value: Record<string, unknown> | null;
  /** The paths of the texts to embed; false: none; absent: as the settings say. */
  index?: false | string[] | null | undefined;
};
export type Search = Omit<Of<"search">, "vector" | "filter"> & {
  filter?: Record<string, unknown> | undefined;
  /** What is meant: the nearest items first. */
  query?: string | undefined;
};
export type ListNamespaces = Of<"list_namespaces">;

export class RunStore {
  readonly #pipe: RunPipe;
  readonly #embedder: Embedder | undefined;

  constructor(pipe: RunPipe, embedder: Embedder | undefined) {
    this.#pipe = pipe;
    this.#embedder = embedder;
  }

  async ask(operations: StoreOperation[]): Promise<Json[]> {
    return this.#pipe.store(operations);
  }

  async put({ index, value, ...put }: Put): Promise<StoreOperation> {
    const json = value === null ? null : toJson(value);
    const isEmbedded = json !== null && index !== false;
    const vectors = isEmbedded ? await this.#embedder?.value(json, index ?? null) : undefined;
    return { op: "put", ...put, value: json, ...(vectors && { vectors }) };
  }

  async search({ query, filter, ...search }: Search): Promise<StoreOperation> {
    const vector = query ? await this.#embedder?.query(query) : undefined;
    return {
      op: "search",
      ...search,
      ...(filter && { filter: toJson(filter) }),
      ...(vector !== undefined && { vector }),
    };
  }
}

/** What functions get as `context.store`. */
export class FunctionStore {
  readonly #store: RunStore;

  constructor(store: RunStore) {
    this.#store = store;
  }

  async get(namespace: string[], key: string): Promise<StoreItem | null> {
    return this.#one<StoreItem | null>({ op: "get", namespace, key });
  }

  /** Resolves once it is committed. */
  async put(
    namespace: string[],
    key: string,
    value: Record<string, unknown>,
    options: Pick<Put, "ttl" | "index"> = {},
  ): Promise<void> {
    await this.#one(await this.#store.put({ namespace, key, value, ...options }));
  }

  async delete(namespace: string[], key: string): Promise<void> {
    await this.#one({ op: "put", namespace, key, value: null });
  }

  async search(
    namespace_prefix: string[],
    options: Omit<Search, "namespace_prefix"> = {},
  ): Promise<FoundItem[]> {
    return this.#one<FoundItem[]>(await this.#store.search({ namespace_prefix, ...options }));
  }

  async list_namespaces(options: ListNamespaces = {}): Promise<string[][]> {
    return this.#one<string[][]>({ op: "list_namespaces", ...options });
  }

  async #one<T>(operation: StoreOperation): Promise<T> {
    return (await this.#store.ask([operation]))[0] as T;
  }
}

/** As JSON.stringify sees it. Throws where it is no object. */
function toJson(value: Record<string, unknown>): JsonObject {
  const json: unknown = JSON.parse(JSON.stringify(value));
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw new Error("The value of a store item is an object.");
  return json as JsonObject;
}

/** The function or LangChain Embeddings object that `[store] index` names, and the vectors it makes. */
import type { JsonObject } from "../../src/core/json.ts";
import type { StoreIndex } from "../../src/core/store_settings.ts";
import { CodedError } from "./errors.ts";
import { loadEntrypoint } from "./load.ts";
import { textsAt } from "./texts.ts";

type Vectors = ArrayLike<number>[];
type Embeddings = {
  embedDocuments(texts: string[]): Vectors | Promise<Vectors>;
  embedQuery(text: string): ArrayLike<number> | Promise<ArrayLike<number>>;
};
type Embed = (texts: string[]) => Vectors | Promise<Vectors>;

export async function openEmbedder(directory: string, index: StoreIndex): Promise<Embedder> {
  const { value } = await loadEntrypoint(directory, index.embed);
  if (typeof value === "function") {
    const embed = value as Embed;
    const embedQuery = async (text: string) => (await embed([text]))[0]!;
    return new Embedder({ embedDocuments: embed, embedQuery }, index);
  }
  const { embedDocuments, embedQuery } = (value ?? {}) as Partial<Embeddings>;
  if (typeof embedDocuments !== "function" || typeof embedQuery !== "function")
    throw new CodedError(
      "load_failed",
      `[store] index: embed = "${index.embed}" is neither a function from texts to vectors nor LangChain's Embeddings.`,
    );
  return new Embedder(value as Embeddings, index);
}

export class Embedder {
  readonly #embeddings: Embeddings;
  readonly #index: StoreIndex;

  constructor(embeddings: Embeddings, index: StoreIndex) {
    this.#embeddings = embeddings;
    this.#index = index;
  }

  /** The vectors of a value's texts, with their paths. `fields` null: those of the settings. */
  async value(value: JsonObject, fields: string[] | null): Promise<[path: string, vector: string][]> {
    const found = (fields ?? this.#index.fields).flatMap((path) => textsAt(value, path));
    const texts = [...new Map(found)];
    if (texts.length === 0) return [];
    const vectors = await this.#embeddings.embedDocuments(texts.map(([, text]) => text));
    return texts.map(([path], i) => [path, this.#encoded(vectors[i])]);
  }

  async query(text: string): Promise<string> {
    return this.#encoded(await this.#embeddings.embedQuery(text));
  }

  #encoded(vector: ArrayLike<number> | undefined): string {
    const { embed, dims } = this.#index;
    if (vector?.length !== dims)
      throw new Error(
        `${embed} gave a vector of ${vector?.length ?? 0} numbers, and [store] index says dims = ${dims}.`,
      );
    const numbers = Float32Array.from(vector);
    if (!numbers.every(Number.isFinite))
      throw new Error(`${embed} gave a vector with something that is no number.`);
    return Buffer.from(numbers.buffer).toString("base64");
  }
}

/** Store items: what agents and clients keep beside threads, under a namespace and a key. Their shape and their limits. */
import { type Static, Type } from "typebox";
import { type JsonObject, MAX_DEPTH, nestsDeeperThan } from "./json.ts";
import { Problem } from "./problem.ts";
import { JsonObjectSchema, Nullable } from "./schema.ts";

export type StoreItem = {
  namespace: string[];
  key: string;
  value: JsonObject;
  created_at: string;
  updated_at: string;
  /** null: never. */
  expires_at: string | null;
};
export type FoundItem = StoreItem & { score: number | null };

const Labels = Type.Array(Type.String());
const Count = Type.Integer({ minimum: 0, maximum: 1_000_000_000 });
const Base64 = Type.String();

/** What an agent asks of the store, in one request several. Vectors are float32, little endian, in base64. */
export const StoreOperation = Type.Union([
  Type.Object({
    op: Type.Literal("get"),
    namespace: Labels,
    key: Type.String(),
    /** Absent: as the version's settings say. */
    refresh_ttl: Type.Optional(Type.Boolean()),
  }),
  Type.Object({
    op: Type.Literal("put"),
    namespace: Labels,
    key: Type.String(),
    /** null deletes the item. */
    value: Nullable(JsonObjectSchema),
    /** Minutes; null: for ever; absent: as the version's settings say. */
    ttl: Type.Optional(Nullable(Type.Number({ exclusiveMinimum: 0 }))),
    vectors: Type.Optional(Type.Array(Type.Tuple([Type.String(), Base64]))),
  }),
  Type.Object({
    op: Type.Literal("search"),
    namespace_prefix: Labels,
    filter: Type.Optional(JsonObjectSchema),
    limit: Type.Optional(Count),
    offset: Type.Optional(Count),
    vector: Type.Optional(Base64),
    refresh_ttl: Type.Optional(Type.Boolean()),
  }),
  Type.Object({
    op: Type.Literal("list_namespaces"),
    prefix: Type.Optional(Labels),
    suffix: Type.Optional(Labels),
    max_depth: Type.Optional(Type.Integer({ minimum: 1 })),
    limit: Type.Optional(Count),
    offset: Type.Optional(Count),
  }),
]);
export type StoreOperation = Static<typeof StoreOperation>;

/** Of a search that does not say, and of a list of namespaces. */
export const DEFAULT_SEARCH_LIMIT = 10;
export const DEFAULT_NAMESPACES_LIMIT = 100;

/** Namespace and key lead an index, whose entries PostgreSQL bounds. */
const MAX_NAMESPACE_BYTES = 1_000;
const MAX_KEY_BYTES = 1_000;
const MAX_VALUE_BYTES = 4 * 1024 * 1024;
const UNSTORABLE = /[\0\p{Cs}]/u;

/** Throws a Problem for what is no namespace. `part`: a prefix or suffix, which may be empty. */
export function checkNamespace(namespace: readonly string[], part = false): void {
  if (namespace.length === 0 && !part) throw refused("A namespace needs at least one label.");
  for (const label of namespace) {
    if (label === "" || label.includes(".") || UNSTORABLE.test(label))
      throw refused(
        `The label ${JSON.stringify(label)} of the namespace may not be empty or hold "." or NUL.`,
      );
  }
  if (Buffer.byteLength(namespace.join(".")) > MAX_NAMESPACE_BYTES)
    throw refused(`A namespace may be ${MAX_NAMESPACE_BYTES} bytes long. Choose shorter labels.`);
}

export function checkKey(key: string): void {
  if (key === "" || UNSTORABLE.test(key) || Buffer.byteLength(key) > MAX_KEY_BYTES)
    throw refused(`A key has 1 to ${MAX_KEY_BYTES} bytes, and no NUL.`);
}

/** A value as it is stored. Throws a Problem when it is too large. */
export function valueText(value: JsonObject): string {
  if (nestsDeeperThan(value, MAX_DEPTH)) throw new Problem("too_deep", { limit: MAX_DEPTH });
  const text = JSON.stringify(value);
  if (Buffer.byteLength(text) > MAX_VALUE_BYTES)
    throw refused(
      `The value of a store item may be ${MAX_VALUE_BYTES / 1024 / 1024} MB. Keep a reference to what is larger.`,
    );
  return text;
}

/** As a database keeps it. */
export function vectorBytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64"));
}

function refused(message: string): Problem {
  return new Problem("bad_request", { message });
}

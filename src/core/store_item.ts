/** Store items: what agents and clients keep beside threads, under a namespace and a key. Their shape and their limits. */
import { type JsonObject, MAX_DEPTH, nestsDeeperThan } from "./json.ts";
import { Problem } from "./problem.ts";

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

/** float32, little endian, as a database keeps it. Throws a Problem for what is no vector of so many numbers. */
export function vectorBytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64"));
}

function refused(message: string): Problem {
  return new Problem("bad_request", { message });
}

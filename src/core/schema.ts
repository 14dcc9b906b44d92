/** The pieces every schema here is made of. */
import { type Static, type TSchema, Type } from "typebox";
import type { Json, JsonObject } from "./json.ts";

export const Iso = Type.String({
  description: "ISO 8601, UTC, milliseconds",
  examples: ["2026-01-31T10:30:05.123Z"],
});
export const JsonValue = Type.Unsafe<Json>({ description: "Any JSON" });
export const JsonObjectSchema = Type.Unsafe<JsonObject>({ type: "object", additionalProperties: true });

export function Nullable<T extends TSchema>(schema: T, options: { description?: string } = {}) {
  return Type.Unsafe<Static<T> | null>({ anyOf: [schema, { type: "null" }], ...options });
}

/** No control characters, which PostgreSQL cannot all keep, and no halves of characters, which no database keeps. */
export const NAME_PATTERN = "^[^\\p{Cc}\\p{Cs}]*$";
/** What a person calls something. */
export const Name = Type.String({ minLength: 1, maxLength: 200, pattern: NAME_PATTERN });

/** Pages of lists: limits, cursors and the choice of fields. */
import { Type } from "typebox";
import { Problem } from "../core/problem.ts";

export const Limit = Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 20 }));
export const DEFAULT_LIMIT = 20;
export const Cursor = Type.Optional(Type.String({ description: "next_cursor of the page before." }));
export const SortBy = Type.Optional(
  Type.Enum(["created_at"], { default: "created_at", description: "Newest first." }),
);
export const SelectQuery = Type.Optional(
  Type.String({ description: "Names of fields to answer, with commas between." }),
);

export function encodeCursor(place: object): string {
  return Buffer.from(JSON.stringify(place)).toString("base64url");
}

/** Throws a 400 for a cursor that no page of ours gave out. */
export function decodeCursor<T>(
  cursor: string | undefined,
  check: (value: unknown) => value is T,
): T | undefined {
  if (cursor === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString());
    if (check(value)) return value;
  } catch {
    // Answered below, like any other wrong cursor.
  }
  throw new Problem("bad_request", { message: "query.cursor is not one that a page of this list gave out." });
}

/** Objects with only the chosen fields. Throws a 400 for a field that does not exist. */
export function selected<T extends object>(
  objects: T[],
  select: readonly string[] | undefined,
  fields: readonly string[],
): Partial<T>[] {
  if (!select) return objects;
  const unknown = select.find((name) => !fields.includes(name));
  if (unknown !== undefined) {
    throw new Problem("bad_request", {
      message: `select: there is no field ${unknown}. Fields: ${fields.join(", ")}.`,
    });
  }
  return objects.map(
    (object) =>
      Object.fromEntries(Object.entries(object).filter(([name]) => select.includes(name))) as Partial<T>,
  );
}

export function selectList(select: string | undefined): string[] | undefined {
  return select === undefined || select.trim() === ""
    ? undefined
    : select
        .split(",")
        .map((name) => name.trim())
        .filter(Boolean);
}

/** A JSON object given in a query. */
export function jsonQuery(name: string, text: string | undefined): Record<string, never> | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return value as Record<string, never>;
  } catch {
    // Answered below.
  }
  throw new Problem("bad_request", {
    message: `query.${name} must be a JSON object, such as {"user":"ada"}.`,
  });
}

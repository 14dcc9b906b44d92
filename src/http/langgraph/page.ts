/** Lists as LangGraph's protocol pages them: limit and offset in the body, totals in headers. */
import { Type } from "typebox";
import { Nullable } from "../../core/schema.ts";
import type { Answer } from "../endpoint.ts";

const DEFAULT_LIMIT = 10;
const MAX_LIMIT = 1000;
const MAX_OFFSET = 1_000_000;

/** What a search takes besides its filter. */
export const Sort = <const F extends string[]>(fields: F) => ({
  limit: Type.Optional(Nullable(Type.Integer({ minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT }))),
  offset: Type.Optional(Nullable(Type.Integer({ minimum: 0, maximum: MAX_OFFSET, default: 0 }))),
  sort_by: Type.Optional(Nullable(Type.Enum(fields))),
  sort_order: Type.Optional(Nullable(Type.Enum(["asc", "desc"]))),
  select: Type.Optional(Nullable(Type.Array(Type.String(), { maxItems: 100 }))),
});

export type Page = {
  limit?: number | null | undefined;
  offset?: number | null | undefined;
  select?: string[] | null | undefined;
};

export function pageOf({ limit, offset }: Page): { limit: number; offset: number } {
  return { limit: limit ?? DEFAULT_LIMIT, offset: offset ?? 0 };
}

/** One page of a whole list, with the headers that tell of the rest. */
export function paginated<T extends object>(all: T[], page: Page, total: number): Answer {
  const { limit, offset } = pageOf(page);
  return pageAnswer(all.slice(offset, offset + limit), page, total);
}

export function pageAnswer<T extends object>(shown: T[], page: Page, total: number): Answer {
  const { offset } = pageOf(page);
  const next = offset + shown.length;
  return {
    status: 200,
    body: shown.map((object) => selectedFields(object, page.select)),
    headers: {
      "x-pagination-total": String(total),
      ...(next < total && { "x-pagination-next": String(next) }),
    },
  };
}

export function selectedFields<T extends object>(object: T, select: string[] | null | undefined): Partial<T> {
  if (!select) return object;
  const chosen = Object.entries(object).filter(([name]) => select.includes(name));
  return Object.fromEntries(chosen) as Partial<T>;
}

/** By a field whose values are text or numbers; newest first unless asked otherwise. */
export function sorted<T extends object>(
  all: T[],
  by: string,
  order: "asc" | "desc" | null | undefined,
): T[] {
  const value = (object: T) => String((object as Record<string, unknown>)[by] ?? "");
  const direction = order === "asc" ? 1 : -1;
  return all.toSorted((a, b) => direction * (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0));
}

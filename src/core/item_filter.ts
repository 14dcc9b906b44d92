/** The filters of a search for store items: values that are equal, or operators such as `$gte`; those of LangGraph's stores. */
import { isObject, type Json, type JsonObject } from "./json.ts";
import { Problem } from "./problem.ts";

type Operator = (value: Json | undefined, wanted: Json) => boolean;

const equal: Operator = (value, wanted) => same(value ?? null, wanted);
const ordered =
  (holds: (order: number) => boolean): Operator =>
  (value, wanted) => {
    const order = compare(value ?? null, wanted);
    return order !== undefined && holds(order);
  };

const operators: Record<string, Operator> = {
  $eq: equal,
  $ne: (value, wanted) => !equal(value, wanted),
  $gt: ordered((order) => order > 0),
  $gte: ordered((order) => order >= 0),
  $lt: ordered((order) => order < 0),
  $lte: ordered((order) => order <= 0),
};

/** Throws a Problem that names an operator nobody knows. */
export function checkFilter(filter: JsonObject): void {
  for (const wanted of Object.values(filter)) {
    if (!isObject(wanted)) continue;
    const unknown = Object.keys(wanted).find((key) => key.startsWith("$") && !Object.hasOwn(operators, key));
    if (unknown !== undefined)
      throw new Problem("bad_request", {
        message: `The filter has no operator ${unknown}. It knows ${Object.keys(operators).join(", ")}.`,
      });
    checkFilter(wanted);
  }
}

export function matchesFilter(value: JsonObject, filter: JsonObject): boolean {
  return Object.entries(filter).every(([key, wanted]) => matches(own(value, key), wanted));
}

function matches(value: Json | undefined, wanted: Json): boolean {
  if (!isObject(wanted)) return equal(value, wanted);
  const keys = Object.keys(wanted);
  if (keys.some((key) => key.startsWith("$")))
    return keys.every((key) => operators[key]?.(value, wanted[key]!) ?? false);
  return isObject(value) && matchesFilter(value, wanted);
}

function same(a: Json, b: Json): boolean {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [x, y] = [a as JsonObject, b as JsonObject];
  const keys = Object.keys(x);
  return (
    keys.length === Object.keys(y).length &&
    keys.every((key) => Object.hasOwn(y, key) && same(x[key]!, y[key]!))
  );
}

function own(value: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(value, key) ? value[key] : undefined;
}

/** Numbers, and texts that are numbers, by size; other texts by their characters; undefined: they have no order. */
function compare(a: Json, b: Json): number | undefined {
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== undefined && y !== undefined) return x - y;
  if (typeof a !== "string" || typeof b !== "string") return undefined;
  return a < b ? -1 : a > b ? 1 : 0;
}

function numberOf(value: Json): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value !== "string" || value.trim() === "") return undefined;
  const number = Number(value);
  return Number.isNaN(number) ? undefined : number;
}

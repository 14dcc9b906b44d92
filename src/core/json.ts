/** JSON as a type, and the limits of what we take from outside. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export const MAX_DEPTH = 200;

/** True when a parsed JSON value nests deeper than `limit` levels. Iterative, so it cannot overflow the stack. */
export function nestsDeeperThan(value: unknown, limit: number): boolean {
  const open: [unknown, number][] = [[value, 0]];
  while (open.length > 0) {
    const [current, depth] = open.pop()!;
    if (typeof current !== "object" || current === null) continue;
    if (depth >= limit) return true;
    for (const child of Object.values(current)) {
      if (typeof child === "object" && child !== null) open.push([child, depth + 1]);
    }
  }
  return false;
}

/** Sets an own property whatever its name, also `__proto__`, which plain assignment would lose. */
export function setOwn(target: object, key: string, value: unknown): void {
  if (key === "__proto__") {
    Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
  } else {
    (target as Record<string, unknown>)[key] = value;
  }
}

/** Containment: every key of the filter is there with an equal value; objects inside are contained in turn. */
export function contains(value: Json, filter: Json): boolean {
  if (!isObject(filter)) return JSON.stringify(value) === JSON.stringify(filter);
  return (
    isObject(value) &&
    Object.entries(filter).every(
      ([key, want]) => Object.hasOwn(value, key) && contains(value[key] ?? null, want),
    )
  );
}

/** A run's output: what changed between the state it started from and the state it left. */
import { rangeOf } from "../../src/core/encoding.ts";
import { ListBuilder } from "../../src/core/items.ts";
import type { Json } from "../../src/core/json.ts";

/** The keys of `after` that changed; a list shows only the elements that `before` does not have. */
export function changes(before: Record<string, Json>, after: Record<string, Json>): Record<string, Json> {
  const changed: Record<string, Json> = {};
  for (const [key, value] of Object.entries(after)) {
    const old = before[key];
    if (old !== undefined && JSON.stringify(old) === JSON.stringify(value)) continue;
    changed[key] = Array.isArray(value) && Array.isArray(old) ? added(old, value) : value;
  }
  return changed;
}

function added(before: Json[], after: Json[]): Json[] {
  const known = new Map<string, number>();
  eachElement(before, (key) => known.set(key, (known.get(key) ?? 0) + 1));
  const list = new ListBuilder();
  eachElement(after, (key, add) => {
    const count = known.get(key) ?? 0;
    if (count > 0) known.set(key, count - 1);
    else add(list);
  });
  return list.finish();
}

function eachElement(list: Json[], visit: (key: string, add: (list: ListBuilder) => void) => void): void {
  for (const element of list) {
    const range = rangeOf(element);
    if (!range) visit(JSON.stringify(element), (builder) => builder.addInline(element));
    for (let i = 0; i < (range?.count ?? 0); i++) {
      const place = { log: range!.log, number: range!.first + i };
      visit(`${place.log} ${place.number}`, (builder) => builder.addItem(place));
    }
  }
}

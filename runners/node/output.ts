/** A run's output: what it wrote, compared with the state it started from. */
import { rangeOf } from "../../src/core/encoding.ts";
import { ListBuilder } from "../../src/core/items.ts";
import type { Json } from "../../src/core/json.ts";

/** The keys the run has written, also where it wrote the same again; a list shows only the elements it added. */
export function changes(
  before: Record<string, Json>,
  after: Record<string, Json>,
  written: (key: string) => boolean,
): Record<string, Json> {
  const changed: Record<string, Json> = {};
  for (const [key, value] of Object.entries(after)) {
    if (!written(key)) continue;
    const old = before[key];
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

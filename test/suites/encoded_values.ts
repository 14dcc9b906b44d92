/** Encoded values taken apart and put together without a runner: the plain reading that tests compare with. */
import { type ItemLookup, rangeOf, tagged, tagOf } from "../../src/core/encoding.ts";
import { type ItemLedger, ListBuilder } from "../../src/core/items.ts";
import { isObject, type Json, type JsonObject, setOwn } from "../../src/core/json.ts";

/** An encoded value whose lists, at any depth, refer to items of the ledger's log wherever that saves space. */
export function itemize(value: Json, ledger: ItemLedger): Json {
  if (Array.isArray(value)) {
    const list = new ListBuilder();
    for (const element of value) {
      const place = rangeOf(element) ? undefined : ledger.place(element);
      if (place) list.addItem(place);
      else list.addInline(element);
    }
    return list.finish();
  }
  // The pairs of a map and the elements of a set stay where they are: only lists are shown item by item.
  if (!isObject(value) || tagOf(value)?.[0] === "map" || tagOf(value)?.[0] === "set") return value;
  return mapChildren(value, (child) => itemize(child, ledger));
}

/** An encoded value with every range replaced by the items it stands for. */
export function expand(value: Json, lookup: ItemLookup): Json {
  if (Array.isArray(value)) {
    const list: Json[] = [];
    for (const element of value) {
      const range = rangeOf(element);
      if (!range) list.push(expand(element, lookup));
      else for (let i = 0; i < range.count; i++) list.push(lookup(range.log, range.first + i));
    }
    return list;
  }
  return isObject(value) ? mapChildren(value, (child) => expand(child, lookup)) : value;
}

/** The object with every encoded value inside it changed; what childrenOf lists. */
function mapChildren(object: JsonObject, change: (value: Json) => Json): JsonObject {
  const tag = tagOf(object);
  if (!tag) return mapFields(object, change);
  const [name, ...payload] = tag;
  if (name === "object" && isObject(payload[0])) return tagged(name, mapFields(payload[0], change));
  return tagged(name, ...payload.map(change));
}

function mapFields(object: JsonObject, change: (value: Json) => Json): JsonObject {
  const mapped: JsonObject = {};
  for (const [key, value] of Object.entries(object)) setOwn(mapped, key, change(value));
  return mapped;
}

/**
 * State as JSON at rest. What JSON lacks is written as an object with one reserved key, `$crewship`, whose value is
 * an array: a tag's name, then its payload. Pure; the runners write and revive tags, the server only shows them.
 *
 * Tags: items(log, first, count) in lists only · object(fields) an object that has the reserved key itself ·
 * message(class, fields, path?, kept?) · date(iso, kind?, fold?, zone?) · bytes(base64, kind?) · set([…], kind?) ·
 * map([[key, value], …]) · number("NaN" | "Infinity" | "-Infinity" | "-0") · bigint(digits) · undefined() · uuid(text) ·
 * enum(name, value, path?, member?) · model(name, fields, path?, kept?) · error(name, message, path?, kept?) ·
 * send(node, args, timeout?) · command(fields) · constructor(path, kwargs) what LangChain's own serializer can rebuild ·
 * opaque(name, format, base64).
 *
 * Written by Python only: tuple([…]) · float(number) one without a fraction, which JSON would make an integer of ·
 * constructor(["python", module, name], shown) such as a Decimal. There `path` is the class as "module:Name" when a later
 * process can find it, and `kept` what its revival needs besides: {private?, set?, attributes?, init?, args?}. The kind
 * of a date is "date", "time" or the key of its time zone, of a set "frozenset", of bytes "bytearray"; without one it is
 * a datetime, a set, bytes. Node's kinds of bytes are the classes of its buffers.
 */
import { isObject, type Json, type JsonObject, setOwn } from "./json.ts";

export const TAG = "$crewship";

/** Stored items `first … first + count - 1` of a log, standing in a list in their place. */
export type ItemRange = { log: number; first: number; count: number };

/** Reads one stored item's body, in encoded form. */
export type ItemLookup = (log: number, number: number) => Json;

export function tagged(name: string, ...payload: Json[]): JsonObject {
  return { [TAG]: [name, ...payload] };
}

/** The tag of an encoded value as [name, ...payload], or undefined when it is plain JSON. */
export function tagOf(value: unknown): [string, ...Json[]] | undefined {
  if (!isObject(value)) return undefined;
  const tag = value[TAG];
  return Array.isArray(tag) && typeof tag[0] === "string" ? (tag as [string, ...Json[]]) : undefined;
}

/** Client JSON → encoded JSON: an object that has the reserved key becomes data, whatever it pretends to be. */
export function escapeTags(value: Json): Json {
  if (Array.isArray(value)) return value.map(escapeTags);
  if (!isObject(value)) return value;
  const fields = mapFields(value, escapeTags);
  return TAG in value ? tagged("object", fields) : fields;
}

/** The fields of an object that escapeTags has written, each still encoded. */
export function escapedFields(escaped: JsonObject): JsonObject {
  const tag = tagOf(escaped);
  return tag?.[0] === "object" && isObject(tag[1]) ? tag[1] : escaped;
}

/** The item ranges an encoded value refers to, in the order they stand. */
export function itemRanges(value: Json): ItemRange[] {
  const ranges: ItemRange[] = [];
  walk(value);
  return ranges;

  function walk(current: Json): void {
    if (Array.isArray(current)) {
      for (const element of current) {
        const range = rangeOf(element);
        if (range) ranges.push(range);
        else walk(element);
      }
    } else if (isObject(current)) {
      for (const child of childrenOf(current)) walk(child);
    }
  }
}

/** The encoded values inside an object. A tag's payload is no list, and an escaped object's fields are no tag. */
function childrenOf(object: JsonObject): Json[] {
  const tag = tagOf(object);
  if (!tag) return Object.values(object);
  const [name, ...payload] = tag;
  return name === "object" && isObject(payload[0]) ? Object.values(payload[0]) : payload;
}

export function rangeOf(element: Json): ItemRange | undefined {
  const tag = tagOf(element);
  if (tag?.[0] !== "items") return undefined;
  const [, log, first, count] = tag;
  return { log: Number(log), first: Number(first), count: Number(count) };
}

const messageTypes: Record<string, [type: string, role: string]> = {
  HumanMessage: ["human", "user"],
  AIMessage: ["ai", "assistant"],
  SystemMessage: ["system", "system"],
  ToolMessage: ["tool", "tool"],
  FunctionMessage: ["function", "function"],
  ChatMessage: ["generic", "user"],
  RemoveMessage: ["remove", "remove"],
};

/** An encoded value as the API shows it: items in place, messages as {type, role, content, …}, dates as text. */
export function show(value: Json, lookup: ItemLookup): Json {
  if (Array.isArray(value)) {
    const list: Json[] = [];
    for (const element of value) {
      const range = rangeOf(element);
      if (!range) list.push(show(element, lookup));
      else for (let i = 0; i < range.count; i++) list.push(show(lookup(range.log, range.first + i), lookup));
    }
    return list;
  }
  if (!isObject(value)) return value;
  const tag = tagOf(value);
  return tag ? showTag(tag, lookup) : mapFields(value, (child) => show(child, lookup));
}

function showTag([name, ...payload]: [string, ...Json[]], lookup: ItemLookup): Json {
  const [first = null, second = null] = payload;
  switch (name) {
    case "object":
      return isObject(first) ? mapFields(first, (child) => show(child, lookup)) : null;
    case "message": {
      const fields = isObject(second) ? second : {};
      const [type, role] = messageTypes[String(first).replace(/Chunk$/, "")] ?? ["generic", "user"];
      return { type, role, ...(mapFields(fields, (child) => show(child, lookup)) as JsonObject) };
    }
    case "set":
    case "tuple":
      return show(first, lookup);
    case "map":
      return Array.isArray(first) ? showMap(first, lookup) : {};
    case "model":
    case "constructor":
      return show(second, lookup);
    case "enum":
      return show(second, lookup);
    case "send":
      return { node: first, args: show(second, lookup) };
    case "command":
      return show(first, lookup);
    case "error":
      return { name: first, message: second };
    case "date":
    case "bytes":
    case "uuid":
    case "number":
    case "float":
    case "bigint":
      return first;
    case "undefined":
      return null;
    default:
      return { $opaque: name === "opaque" ? first : name };
  }
}

/** A map whose keys are all text is shown as an object, any other as a list of pairs. */
function showMap(entries: Json[], lookup: ItemLookup): Json {
  const pairs = entries.map((entry) => {
    const [key = null, value = null] = Array.isArray(entry) ? entry : [];
    return [show(key, lookup), show(value, lookup)] as [Json, Json];
  });
  if (!pairs.every(([key]) => typeof key === "string")) return pairs;
  const object: JsonObject = {};
  for (const [key, value] of pairs) setOwn(object, key as string, value);
  return object;
}

function mapFields(object: JsonObject, change: (value: Json) => Json): JsonObject {
  const mapped: JsonObject = {};
  for (const [key, value] of Object.entries(object)) setOwn(mapped, key, change(value));
  return mapped;
}

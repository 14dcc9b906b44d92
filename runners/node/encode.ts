/**
 * JavaScript values → tagged JSON (core/encoding). Elements of lists become items of the thread's log; an element
 * whose place is known costs one lookup. What has no JSON form is refused with an error that says where it stands.
 */
import { TAG, tagged } from "../../src/core/encoding.ts";
import { ListBuilder } from "../../src/core/items.ts";
import { type Json, type JsonObject, MAX_DEPTH, setOwn } from "../../src/core/json.ts";
import type { Serializable } from "./framework.ts";
import type { ThreadMemory } from "./memory.ts";
import { isForReducer, isMessage, messageFields, messageName } from "./messages.ts";

/**
 * store: a value of a checkpoint; a known object is its item. input: the same for what a graph was given and has not
 * taken in yet. write: what a node returned; it may have been changed in place, so it is encoded anew and no longer
 * known. inline: no items at all.
 */
export type Mode = "store" | "input" | "write" | "inline";

export class EncodingError extends Error {}

/** `where` names the value in errors, such as `channel "messages"`. */
export function encode(value: unknown, where: string, memory?: ThreadMemory, mode: Mode = "inline"): Json {
  return new Encoder(where, memory, mode).value(value, mode !== "inline");
}

class Encoder {
  readonly #where: string;
  readonly #memory: ThreadMemory | undefined;
  readonly #mode: Mode;
  readonly #path: (string | number)[] = [];
  readonly #open = new Set<object>();

  constructor(where: string, memory: ThreadMemory | undefined, mode: Mode) {
    this.#where = where;
    this.#memory = memory;
    this.#mode = mode;
  }

  /** `itemize`: lists in here may refer to items. Not inside an item: items are expanded once. */
  value(value: unknown, itemize: boolean): Json {
    switch (typeof value) {
      case "string":
      case "boolean":
        return value;
      case "number":
        if (Object.is(value, -0)) return tagged("number", "-0");
        return Number.isFinite(value) ? value : tagged("number", String(value));
      case "bigint":
        return tagged("bigint", String(value));
      case "undefined":
        return tagged("undefined");
      case "object":
        return value === null ? null : this.#object(value, itemize);
      default:
        throw this.#error(`is a ${typeof value}`);
    }
  }

  #object(value: object, itemize: boolean): Json {
    if (this.#open.has(value)) throw this.#error("contains itself");
    if (this.#open.size >= MAX_DEPTH) throw this.#error(`is nested more than ${MAX_DEPTH} levels deep`);
    if (this.#mode === "write") this.#memory?.places.delete(value);
    this.#open.add(value);
    const encoded = Array.isArray(value)
      ? itemize && this.#memory
        ? this.#itemizedList(value, this.#memory)
        : Array.from(value, (element, i) => this.#child(i, element, false))
      : this.#nonList(value, itemize);
    this.#open.delete(value);
    return encoded;
  }

  #itemizedList(list: unknown[], { ledger, places }: ThreadMemory): Json[] {
    const builder = new ListBuilder();
    const trusts = this.#mode !== "write";
    for (let i = 0; i < list.length; i++) {
      const element = list[i];
      const isObject = typeof element === "object" && element !== null;
      const known = isObject && trusts ? places.get(element) : undefined;
      if (known) {
        builder.addItem(known);
        continue;
      }
      // A pushed task may carry the whole conversation: it stays in the list, and its own lists refer to items.
      if (isObject && isSend(element)) {
        builder.addInline(this.#child(i, element, true));
        continue;
      }
      const body = this.#child(i, element, false);
      // As an item it would be stored twice, and the gap in the numbers would part the ranges of the list it joins.
      const passes = this.#mode !== "store" && isObject && isForReducer(element);
      const place = passes ? undefined : ledger.place(body);
      if (!place) builder.addInline(body);
      else {
        builder.addItem(place);
        if (isObject && trusts) places.set(element, place);
      }
    }
    return builder.finish();
  }

  #nonList(value: object, itemize: boolean): Json {
    const prototype = Object.getPrototypeOf(value) as object | null;
    if (prototype === Object.prototype || prototype === null) {
      const fields = this.#fields(value as Record<string, unknown>, itemize);
      return Object.hasOwn(value, TAG) ? tagged("object", fields) : fields;
    }
    if (isMessage(value)) return tagged("message", messageName(value), this.#present(messageFields(value)));
    return this.#builtIn(value) ?? this.#langGraph(value, itemize) ?? this.#instance(value);
  }

  #builtIn(value: object): Json | undefined {
    if (value instanceof Date)
      return tagged("date", Number.isNaN(+value) ? "Invalid Date" : value.toISOString());
    if (value instanceof Map) {
      const entries = [...value].map(([key, child], i) => [
        this.#child(i, key, false),
        this.#child(i, child, false),
      ]);
      return tagged("map", entries);
    }
    if (value instanceof Set)
      return tagged(
        "set",
        Array.from(value, (child, i) => this.#child(i, child, false)),
      );
    if (value instanceof Error) return tagged("error", value.name, value.message);
    if (value instanceof RegExp)
      return tagged("constructor", ["RegExp"], { source: value.source, flags: value.flags });
    if (value instanceof URL) return tagged("constructor", ["URL"], { href: value.href });
    if (value instanceof ArrayBuffer) return bytes(new Uint8Array(value), "ArrayBuffer");
    if (ArrayBuffer.isView(value)) {
      const view = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
      const kind = value.constructor.name;
      return kind === "Uint8Array" ? bytes(view) : bytes(view, kind);
    }
    if (value instanceof String || value instanceof Number || value instanceof Boolean) {
      return this.value(value.valueOf(), false);
    }
    if (
      value instanceof Promise ||
      value instanceof WeakMap ||
      value instanceof WeakSet ||
      value instanceof WeakRef
    ) {
      throw this.#error(`is a ${value.constructor.name}`);
    }
    return undefined;
  }

  #langGraph(value: object, itemize: boolean): Json | undefined {
    const fields = value as Record<string, unknown>;
    switch (fields.lg_name) {
      case "Send": {
        const send = tagged("send", String(fields.node), this.#child("args", fields.args, itemize));
        if (fields.timeout !== undefined)
          (send[TAG] as Json[]).push(this.#child("timeout", fields.timeout, false));
        return send;
      }
      case "Command": {
        const { graph, update, resume, goto } = fields;
        return tagged("command", this.#present({ graph, update, resume, goto }, itemize));
      }
      case "Overwrite":
        return tagged("constructor", ["langgraph", "Overwrite"], {
          value: this.#child("value", fields.value ?? fields.__overwrite__, itemize),
        });
      case "DeltaSnapshot":
        return tagged("constructor", ["langgraph_checkpoint", "DeltaSnapshot"], {
          value: this.#child("value", fields.value, itemize),
        });
      default:
        return undefined;
    }
  }

  /**
   * An instance of any other class. LangChain rebuilds its own; the others come back as plain objects of their data,
   * as they do with LangGraph's own serializer, which drops their functions as well.
   */
  #instance(value: object): Json {
    const name = value.constructor?.name || "Object";
    const { toJSON } = value as { toJSON?: unknown };
    if (typeof toJSON === "function") {
      const json: unknown = toJSON.call(value);
      if (isConstructor(json)) {
        const kwargs = JSON.parse(JSON.stringify(json.kwargs ?? {})) as unknown;
        return tagged("constructor", json.id, this.#child("kwargs", kwargs, false));
      }
      if (!isNotImplemented(json) && json !== value)
        return tagged("model", name, this.#child("toJSON()", json, false));
    }
    const data = Object.entries(value).filter(([, child]) => typeof child !== "function");
    return tagged("model", name, this.#fields(Object.fromEntries(data), false));
  }

  #fields(object: Record<string, unknown>, itemize: boolean): JsonObject {
    const fields: JsonObject = {};
    for (const key of Object.keys(object)) setOwn(fields, key, this.#child(key, object[key], itemize));
    return fields;
  }

  #present(object: Record<string, unknown>, itemize = false): JsonObject {
    const fields: JsonObject = {};
    for (const key of Object.keys(object)) {
      if (object[key] !== undefined) fields[key] = this.#child(key, object[key], itemize);
    }
    return fields;
  }

  #child(key: string | number, value: unknown, itemize: boolean): Json {
    if (typeof value === "string") return value;
    this.#path.push(key);
    const encoded = this.value(value, itemize);
    this.#path.pop();
    return encoded;
  }

  #error(problem: string): EncodingError {
    const path = this.#path.map((key) => (typeof key === "number" ? `[${key}]` : `.${key}`)).join("");
    return new EncodingError(
      `The value of ${this.#where} cannot be stored: ${path ? `its ${path} ` : "it "}${problem}, which has no JSON form. ` +
        "Keep only data in the state.",
    );
  }
}

function bytes(view: Uint8Array, kind?: string): JsonObject {
  const base64 = Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString("base64");
  return kind ? tagged("bytes", base64, kind) : tagged("bytes", base64);
}

/** A pushed task, which older versions keep in a checkpoint as the bare object. */
function isSend(value: object): boolean {
  const { lg_name, node, args } = value as Record<string, unknown>;
  return (
    lg_name === "Send" || (typeof node === "string" && args !== undefined && Object.keys(value).length === 2)
  );
}

type Serialized = ReturnType<Serializable["toJSON"]>;

function isConstructor(json: unknown): json is Serialized {
  const { lc, type, id } = (json ?? {}) as Partial<Serialized>;
  return lc === 1 && type === "constructor" && Array.isArray(id);
}

function isNotImplemented(json: unknown): boolean {
  const { lc, type } = (json ?? {}) as Partial<Serialized>;
  return lc === 1 && type === "not_implemented";
}

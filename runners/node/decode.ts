/**
 * Tagged JSON → JavaScript values, with the project's own classes. Only what a runner stored is revived; what a
 * client sent is unescapeTags and otherwise taken as the data it is.
 */
import { rangeOf, tagOf } from "../../src/core/encoding.ts";
import { isObject, type Json, setOwn } from "../../src/core/json.ts";
import type { Classes } from "./framework.ts";
import type { ThreadMemory } from "./memory.ts";
import { reviveMessage } from "./messages.ts";
import type { Page } from "./store.ts";

export class Decoder {
  readonly #classes: Classes;
  readonly #memory: ThreadMemory;
  readonly #bodies = new Map<string, Json>();
  /** What LangChain's asynchronous loader has rebuilt, by the tag it was rebuilt from. */
  readonly #loaded = new Map<Json, unknown>();
  #unloaded = new Map<Json, string>();

  constructor(classes: Classes, memory: ThreadMemory, items: Page["items"]) {
    this.#classes = classes;
    this.#memory = memory;
    for (const [log, number, body] of items) {
      this.#bodies.set(`${log} ${number}`, body);
      memory.ledger.remember({ log, number }, body);
    }
  }

  /** Decodes at once, and again with what LangChain had to load, which is rare. */
  async decode(json: Json): Promise<unknown> {
    const value = this.#value(json);
    if (this.#unloaded.size === 0) return value;
    const { load } = this.#classes;
    for (const [tag, text] of this.#unloaded) this.#loaded.set(tag, await load?.(text));
    this.#unloaded = new Map();
    return this.#value(json);
  }

  #value(json: Json): unknown {
    if (Array.isArray(json)) return this.#list(json);
    if (!isObject(json)) return json;
    const tag = tagOf(json);
    if (!tag) return this.#fields(json);
    return tag[0] === "constructor" ? this.#rebuilt(json, tag) : this.#tag(tag);
  }

  #list(elements: Json[]): unknown[] {
    const list: unknown[] = [];
    for (const element of elements) {
      const range = rangeOf(element);
      if (!range) list.push(this.#value(element));
      else for (let i = 0; i < range.count; i++) list.push(this.#item(range.log, range.first + i));
    }
    return list;
  }

  #item(log: number, number: number): unknown {
    const body = this.#bodies.get(`${log} ${number}`);
    if (body === undefined)
      throw new Error(`The stored state refers to item ${number} of log ${log}, which is missing.`);
    const value = this.#value(body);
    if (typeof value === "object" && value !== null) this.#memory.places.set(value, { log, number });
    return value;
  }

  #fields(object: Record<string, Json>): Record<string, unknown> {
    const fields: Record<string, unknown> = {};
    for (const key of Object.keys(object)) setOwn(fields, key, this.#value(object[key]!));
    return fields;
  }

  #tag([name, ...payload]: [string, ...Json[]]): unknown {
    const [first = null, second = null, third] = payload;
    switch (name) {
      case "object":
        return this.#fields(first as Record<string, Json>);
      case "message":
        return reviveMessage(
          String(first),
          this.#fields(second as Record<string, Json>),
          this.#classes.messages,
        );
      case "date":
        // A Python time of day is no moment.
        return second === "time" ? first : new Date(String(first));
      case "bytes":
        return reviveBytes(String(first), second === null ? "Uint8Array" : String(second));
      case "set":
        return new Set(this.#list(first as Json[]));
      case "tuple":
        return this.#list(first as Json[]);
      case "map":
        return new Map(this.#list(first as Json[]) as [unknown, unknown][]);
      case "number":
      case "float":
        return Number(first);
      case "bigint":
        return BigInt(String(first));
      case "undefined":
        return undefined;
      case "uuid":
        return first;
      case "enum":
      case "model":
        return this.#value(second);
      case "error":
        return Object.assign(new Error(String(second)), first === "Error" ? {} : { name: String(first) });
      case "send": {
        const { Send } = this.#classes;
        const args = this.#value(second);
        if (!Send) return { node: first, args };
        return third === undefined
          ? new Send(String(first), args)
          : new Send(String(first), args, { timeout: this.#value(third) });
      }
      case "command": {
        const { Command } = this.#classes;
        const fields = this.#fields(first as Record<string, Json>);
        return Command ? new Command(fields) : fields;
      }
      default:
        throw new Error(
          `The stored state has a value of kind ${JSON.stringify(name)}, which this version cannot read.`,
        );
    }
  }

  #rebuilt(json: Json, [, path, kwargs]: [string, ...Json[]]): unknown {
    const fields = this.#value(kwargs ?? {}) as Record<string, unknown>;
    const { load, Overwrite, DeltaSnapshot } = this.#classes;
    switch ((path as string[]).join(".")) {
      case "RegExp":
        return new RegExp(String(fields.source), String(fields.flags));
      case "URL":
        return new URL(String(fields.href));
      case "langgraph.Overwrite":
        return Overwrite ? new Overwrite(fields.value) : { __overwrite__: fields.value };
      case "langgraph_checkpoint.DeltaSnapshot":
        return DeltaSnapshot ? new DeltaSnapshot(fields.value) : fields.value;
      default:
        // Of Python's own kinds there is nothing to rebuild here.
        if ((path as string[])[0] === "python") return fields;
        if (this.#loaded.has(json)) return this.#loaded.get(json);
        if (load)
          this.#unloaded.set(json, JSON.stringify({ lc: 1, type: "constructor", id: path, kwargs: fields }));
        return fields;
    }
  }
}

/** Client JSON as it was before the door escaped it. Every other tag stays the plain data it is. */
export function unescapeTags(json: Json): Json {
  if (Array.isArray(json)) return json.map(unescapeTags);
  if (!isObject(json)) return json;
  const tag = tagOf(json);
  const fields: Record<string, Json> = {};
  const source = tag?.[0] === "object" && isObject(tag[1]) ? tag[1] : json;
  for (const [key, value] of Object.entries(source)) setOwn(fields, key, unescapeTags(value));
  return fields;
}

function reviveBytes(base64: string, kind: string): unknown {
  const buffer = Buffer.from(base64, "base64");
  if (kind === "Buffer") return buffer;
  const copy = new Uint8Array(buffer);
  if (kind === "ArrayBuffer") return copy.buffer;
  const View = (globalThis as Record<string, unknown>)[kind];
  if (kind === "Uint8Array" || typeof View !== "function") return copy;
  return new (View as new (buffer: ArrayBuffer) => unknown)(copy.buffer);
}

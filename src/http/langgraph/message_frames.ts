/** Messages as LangGraph streams them: each piece with its metadata (`messages-tuple`), or as it has grown (`messages`). */
import { isObject, type Json, type JsonObject } from "../../core/json.ts";
import type { Frame, FrameOptions } from "./frames.ts";
import { withoutRoles } from "./json.ts";

export type TaskPlace = {
  id: string;
  name: string;
  /** Of the graph whose task it is; "" of the root. */
  namespace: string;
  step: number | null;
  triggers: Json;
};

type Begun = { namespace: string; metadata: JsonObject; grown: JsonObject | undefined };

const EMPTY = {
  additional_kwargs: {},
  response_metadata: {},
  tool_calls: [],
  invalid_tool_calls: [],
  tool_call_chunks: [],
  usage_metadata: null,
};

export class MessageFrames {
  readonly #options: FrameOptions;
  readonly #begun = new Map<string, Begun>();

  constructor(options: FrameOptions) {
    this.#options = options;
  }

  of(fields: JsonObject, told: JsonObject, tasks: readonly TaskPlace[]): Frame[] {
    const { modes, subgraphs } = this.#options;
    if (!modes.has("messages") && !modes.has("messages-tuple")) return [];
    const id = typeof fields.message_id === "string" ? fields.message_id : "";
    const isFirst = !this.#begun.has(id);
    const begun = this.#begun.get(id) ?? this.#begin(id, fields, told, tasks);
    const whole = Array.isArray(told.whole) ? told.whole[0] : undefined;
    const message = isObject(whole) ? (withoutRoles(whole) as JsonObject) : chunkOf(fields, told);
    const frames: Frame[] = [];
    if (begun.namespace !== "" && !subgraphs) return frames;
    const suffix = begun.namespace === "" ? "" : `|${begun.namespace}`;
    if (modes.has("messages-tuple"))
      frames.push({ event: `messages${suffix}`, data: [message, begun.metadata] });
    if (modes.has("messages")) {
      if (isFirst)
        frames.push({ event: `messages/metadata${suffix}`, data: { [id]: { metadata: begun.metadata } } });
      begun.grown = whole === undefined ? grow(begun.grown, message) : message;
      const state = whole === undefined ? "partial" : "complete";
      frames.push({ event: `messages/${state}${suffix}`, data: [begun.grown] });
    }
    return frames;
  }

  #begin(id: string, fields: JsonObject, told: JsonObject, tasks: readonly TaskPlace[]): Begun {
    const task = typeof told.task === "number" ? tasks[told.task - 1] : undefined;
    const own = task ? placeOf(task) : typeof told.namespace === "string" ? told.namespace : "";
    const begun: Begun = {
      namespace: task ? task.namespace : own.split("|").slice(0, -1).join("|"),
      metadata: {
        tags: [],
        ...this.#options.about,
        ...(isObject(told.metadata) && told.metadata),
        langgraph_node: task?.name ?? fields.node ?? null,
        ...(task && {
          langgraph_step: task.step,
          langgraph_triggers: task.triggers,
          langgraph_path: ["__pregel_pull", task.name],
        }),
        langgraph_checkpoint_ns: own,
        checkpoint_ns: own,
      },
      grown: undefined,
    };
    this.#begun.set(id, begun);
    return begun;
  }
}

function placeOf({ namespace, name, id }: TaskPlace): string {
  return `${namespace === "" ? "" : `${namespace}|`}${name}:${id}`;
}

/** One piece of an AI message. */
function chunkOf({ message_id, content }: JsonObject, { chunk }: JsonObject): JsonObject {
  const told = isObject(chunk) ? (withoutRoles(chunk) as JsonObject) : {};
  return {
    content: content ?? "",
    ...EMPTY,
    ...told,
    name: told.name ?? null,
    id: message_id ?? null,
    type: "AIMessageChunk",
  };
}

/** The message so far, with one more piece. */
function grow(grown: JsonObject | undefined, piece: JsonObject): JsonObject {
  if (!grown) return { ...piece, type: "ai", tool_calls: callsOf(piece.tool_call_chunks ?? []) };
  const chunks = mergeChunks([...list(grown.tool_call_chunks), ...list(piece.tool_call_chunks)]);
  return {
    ...grown,
    content: joined(grown.content ?? "", piece.content ?? ""),
    additional_kwargs: {
      ...(grown.additional_kwargs as JsonObject),
      ...(piece.additional_kwargs as JsonObject),
    },
    response_metadata: {
      ...(grown.response_metadata as JsonObject),
      ...(piece.response_metadata as JsonObject),
    },
    usage_metadata: piece.usage_metadata ?? grown.usage_metadata ?? null,
    tool_call_chunks: chunks,
    tool_calls: callsOf(chunks),
  };
}

const list = (value: Json | undefined): Json[] => (Array.isArray(value) ? value : []);

function joined(a: Json, b: Json): Json {
  if (typeof a === "string" && typeof b === "string") return a + b;
  const blocks = (content: Json): Json[] =>
    typeof content === "string" ? (content === "" ? [] : [{ type: "text", text: content }]) : list(content);
  return [...blocks(a), ...blocks(b)];
}

/** Pieces of one tool call share its index. */
function mergeChunks(chunks: Json[]): Json[] {
  const merged = new Map<Json, JsonObject>();
  for (const chunk of chunks) {
    if (!isObject(chunk)) continue;
    const key = chunk.index ?? chunk.id ?? merged.size;
    const known = merged.get(key);
    if (!known) merged.set(key, chunk);
    else
      merged.set(key, {
        ...known,
        name: known.name ?? chunk.name ?? null,
        id: known.id ?? chunk.id ?? null,
        args: `${known.args ?? ""}${chunk.args ?? ""}`,
      });
  }
  return [...merged.values()];
}

/** Calls whose arguments have come far enough to be read. */
function callsOf(chunks: Json): Json[] {
  return list(chunks).flatMap((chunk) => {
    if (!isObject(chunk)) return [];
    const { name, args, id } = chunk;
    try {
      const parsed = typeof args === "string" && args !== "" ? (JSON.parse(args) as Json) : {};
      return [{ name: name ?? "", args: parsed, id: id ?? null, type: "tool_call" }];
    } catch {
      return [{ name: name ?? "", args: {}, id: id ?? null, type: "tool_call" }];
    }
  });
}

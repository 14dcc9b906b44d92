/** Messages of LangGraph's newest protocol: each is begun, grows block by block, and is finished. */
import { isObject, type Json, type JsonObject } from "../../core/json.ts";
import type { ProtocolEvent } from "./protocol_events.ts";

type Growing = {
  namespace: string[];
  node: string | undefined;
  text: string;
  usage: Json;
  calls: Map<number, JsonObject>;
};

export class ProtocolMessages {
  readonly #growing = new Map<string, Growing>();

  /** One piece, or a whole message. */
  of(piece: Json, about: Json, namespace: string[]): ProtocolEvent[] {
    if (!isObject(piece)) return [];
    const id = String(piece.id ?? "");
    const { langgraph_node } = isObject(about) ? about : {};
    const node = typeof langgraph_node === "string" ? langgraph_node : undefined;
    const isChunk = piece.type === "AIMessageChunk";
    const events: Json[] = [];
    let grown = this.#growing.get(id);
    if (!grown) {
      grown = { namespace, node, text: "", usage: null, calls: new Map() };
      this.#growing.set(id, grown);
      const role = isChunk ? "ai" : (piece.type ?? "ai");
      const tool = piece.tool_call_id === undefined ? {} : { tool_call_id: piece.tool_call_id };
      events.push({ event: "message-start", id, role, ...tool });
    }
    const text = textOf(piece.content ?? "");
    if (text !== "") {
      if (grown.text === "")
        events.push({ event: "content-block-start", index: 0, content: { type: "text", text: "" } });
      grown.text += text;
      events.push({ event: "content-block-delta", index: 0, delta: { type: "text-delta", text } });
    }
    if (isObject(piece.usage_metadata)) grown.usage = piece.usage_metadata;
    const calls = isChunk ? piece.tool_call_chunks : piece.tool_calls;
    for (const [i, call] of (Array.isArray(calls) ? calls : []).entries()) {
      if (isObject(call))
        events.push(...callEvents(grown, call, typeof call.index === "number" ? call.index : i));
    }
    const told = events.map((data) => placed(grown, data));
    return isChunk ? told : [...told, ...this.#end(id, grown)];
  }

  /** All that have begun are over. */
  finish(): ProtocolEvent[] {
    return [...this.#growing].flatMap(([id, grown]) => this.#end(id, grown));
  }

  #end(id: string, grown: Growing): ProtocolEvent[] {
    this.#growing.delete(id);
    const blocks: Json[] = [];
    if (grown.text !== "")
      blocks.push({ event: "content-block-finish", index: 0, content: { type: "text", text: grown.text } });
    for (const [index, { id: call_id, name, args }] of grown.calls) {
      const content = { type: "tool_call", id: call_id ?? null, name: name ?? "", args: parsed(args ?? "") };
      blocks.push({ event: "content-block-finish", index: index + 1, content });
    }
    const reason = grown.calls.size > 0 ? "tool_use" : "stop";
    blocks.push({ event: "message-finish", reason, ...(grown.usage !== null && { usage: grown.usage }) });
    return blocks.map((data) => placed(grown, data));
  }
}

function placed({ namespace, node }: Growing, data: Json): ProtocolEvent {
  return { method: "messages", channel: "messages", namespace, ...(node !== undefined && { node }), data };
}

/** Blocks of calls stand behind the text's. */
function callEvents(grown: Growing, call: JsonObject, index: number): Json[] {
  const args = typeof call.args === "string" ? call.args : JSON.stringify(call.args ?? {});
  const known = grown.calls.get(index);
  const whole: JsonObject = {
    type: "tool_call_chunk",
    id: known?.id ?? call.id ?? null,
    name: known?.name ?? call.name ?? null,
    args: `${known?.args ?? ""}${args}`,
  };
  grown.calls.set(index, whole);
  if (!known) return [{ event: "content-block-start", index: index + 1, content: whole }];
  return [{ event: "content-block-delta", index: index + 1, delta: { type: "block-delta", fields: whole } }];
}

function parsed(args: Json): Json {
  if (typeof args !== "string") return args;
  try {
    return JSON.parse(args === "" ? "{}" : args) as Json;
  } catch {
    return {};
  }
}

function textOf(content: Json): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content
    .map((block) =>
      isObject(block) && typeof block.text === "string" ? block.text : typeof block === "string" ? block : "",
    )
    .join("");
}

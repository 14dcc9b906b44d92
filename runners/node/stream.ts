/** LangGraph's stream as the run's events: tasks, tokens, custom data. Tools are seen through callbacks. */
import { isObject, type Json, type JsonObject } from "../../src/core/json.ts";
import { textOf } from "../../src/core/whole_message.ts";
import { encode } from "./encode.ts";
import { messageOf } from "./errors.ts";
import type { CompiledGraph, Framework, Message, StreamEvent, TaskState } from "./framework.ts";
import type { ThreadMemory } from "./memory.ts";
import { isEmpty, isMessage, messageName } from "./messages.ts";
import type { RunPipe } from "./pipe.ts";
import { type CheckpointReport, isInternal, safely } from "./shown.ts";

export type DebugEntry = { step?: number } & (
  | { type: "checkpoint"; payload: CheckpointReport & { config: { configurable?: Record<string, unknown> } } }
  | { type: "task"; payload: TaskState }
  | { type: "task_result"; payload: TaskState }
);

/** One chunk of `stream` with `subgraphs` and several modes. */
export type Chunk = [namespace: string[], mode: string, payload: unknown];

type Metadata = Record<string, unknown>;

/** What of a message's metadata its task does not say: what names the model, and tags. */
const TOLD_OF_MESSAGES = /^ls_|^tags$/;

/**
 * One run's stream as its events. Beside what /v1 tells, an event says in `langgraph` what LangGraph's own protocol needs
 * and nothing else that is stored says: a task is named by its number, in the order in which they began; what tasks have
 * written and whole messages are references to items.
 */
export class StreamEvents {
  readonly #pipe: RunPipe;
  readonly #memory: ThreadMemory;
  /** Numbers of tasks by their ids. */
  readonly #tasks = new Map<string, number>();
  /** Messages that have begun. */
  readonly #begun = new Set<string>();

  constructor(pipe: RunPipe, memory: ThreadMemory) {
    this.#pipe = pipe;
    this.#memory = memory;
  }

  task(namespace: string[], entry: DebugEntry): void {
    if (entry.type === "checkpoint") return;
    const { id, name, interrupts, error, triggers, result } = entry.payload;
    if (isInternal(String(name))) return;
    const where = namespace.filter((part) => part !== "").join("|");
    const data = { task: String(name), ...(where && { namespace: where }) };
    if (entry.type === "task") {
      this.#tasks.set(id, this.#tasks.size + 1);
      const told = {
        id,
        ...(entry.step !== undefined && { step: entry.step }),
        triggers: safely(triggers ?? []),
      };
      this.#pipe.emit("task.started", data, told);
      return;
    }
    const task = this.#tasks.get(id) ?? id;
    // A task that stopped to ask or failed has not completed; the run's own last event says which.
    if ((interrupts?.length ?? 0) > 0) {
      this.#pipe.emit("langgraph.task", data, { task, interrupts: safely(interrupts) });
    } else if (error != null) this.#pipe.emit("langgraph.task", data, { task, error: messageOf(error) });
    else this.#pipe.emit("task.completed", data, { task, result: this.#stored(result) }, this.#items());
  }

  message(namespace: string[], payload: unknown): void {
    const [message, metadata] = payload as [unknown, Metadata | undefined];
    if (typeof message !== "object" || message === null || !isMessage(message)) return;
    const content = textOf(message.content);
    const node = metadata?.langgraph_node;
    const told = this.#toldOfMessage(message, metadata, namespace);
    const data = {
      message_id: message.id ?? null,
      content,
      ...(typeof node === "string" && { node }),
    };
    if (message._getType() === "ai" && content !== "")
      this.#pipe.emit("message.delta", data, told, this.#items());
    else this.#pipe.emit("langgraph.message", { message_id: data.message_id }, told ?? {}, this.#items());
  }

  custom(namespace: string[], payload: unknown): void {
    const data = safely(payload);
    const where = namespace.filter((part) => part !== "").join("|");
    const plain = isObject(data);
    const told = plain ? (where ? { namespace: where } : undefined) : { namespace: where, value: true };
    this.#pipe.emit("custom", plain ? data : { value: data }, told);
  }

  event(event: StreamEvent): void {
    this.#pipe.emit("langgraph.event", safely(event));
  }

  /** Undefined for what most are: one more piece of text of a message that has begun. */
  #toldOfMessage(message: Message, metadata: Metadata | undefined, namespace: string[]): Json | undefined {
    const isFirst = !this.#begun.has(message.id ?? "");
    const isPlain = isPlainChunk(message);
    const isChunk = messageName(message).endsWith("Chunk");
    if (isPlain && !isFirst) return undefined;
    this.#begun.add(message.id ?? "");
    const told: JsonObject = {};
    if (isFirst) {
      const place = String(metadata?.langgraph_checkpoint_ns ?? metadata?.checkpoint_ns ?? "");
      const task = this.#tasks.get(place.split(":").at(-1) ?? "");
      if (task === undefined) told.namespace = place || namespace.join("|");
      else told.task = task;
      // Of a whole message, which a node made, they say nothing that its task does not.
      const names = isChunk ? Object.entries(metadata ?? {}).filter(isTold) : [];
      if (names.length > 0) told.metadata = safely(Object.fromEntries(names));
    }
    if (isChunk) {
      if (!isPlain) told.chunk = safely(message);
    } else told.whole = this.#stored([message]);
    return told;
  }

  /** Encoded anew, since what a node returned may still be changed in place: what was stored of it is found by its content. */
  #stored(value: unknown): Json {
    try {
      return encode(value ?? null, "what a task has written", this.#memory, "write");
    } catch {
      return safely(value);
    }
  }

  #items() {
    return this.#memory.ledger.takeNew();
  }
}

function isTold([key, value]: [string, unknown]): boolean {
  return TOLD_OF_MESSAGES.test(key) && value !== null && value !== undefined;
}

/** Only text: nothing of tools, usage or the model's own. */
function isPlainChunk(message: Message): boolean {
  const { tool_call_chunks, usage_metadata, additional_kwargs, response_metadata } = message as Message &
    Record<string, unknown>;
  return (
    typeof message.content === "string" &&
    messageName(message) === "AIMessageChunk" &&
    isEmpty(tool_call_chunks) &&
    isEmpty(usage_metadata) &&
    isEmpty(additional_kwargs) &&
    isEmpty(response_metadata)
  );
}

/** The graph's own callbacks and ours: passing `callbacks` would otherwise replace those bound with withConfig. */
export function callbacksWith(graph: CompiledGraph, handler: object): unknown {
  const bound = graph.config?.callbacks;
  if (Array.isArray(bound)) return [...(bound as unknown[]), handler];
  const manager = bound as { copy?(): { addHandler(handler: object, inherit: boolean): void } } | undefined;
  if (typeof manager?.copy !== "function") return [handler];
  const copy = manager.copy();
  copy.addHandler(handler, true);
  return copy;
}

export function toolEvents(pipe: RunPipe, framework: Framework): object {
  const names = new Map<string, string>();
  return framework.callbackHandler({
    // One handler that is not awaited sends all of them through a queue in the background, which is dropped with what
    // is left in it when the run ends: of 10,000 tokens 6,258 arrived.
    awaitHandlers: true,
    handleToolStart(
      tool: { name?: string; id?: string[] } | undefined,
      input: string,
      callId: string,
      _parent?: string,
      _tags?: string[],
      _metadata?: object,
      runName?: string,
    ) {
      const name = runName ?? tool?.name ?? tool?.id?.at(-1) ?? "tool";
      names.set(callId, name);
      pipe.emit("tool.called", { tool: name, input: parsed(input) });
    },
    handleToolEnd(output: unknown, callId: string) {
      pipe.emit("tool.result", { tool: ended(callId), output: toolOutput(output) });
    },
    handleToolError(error: unknown, callId: string) {
      pipe.emit("tool.error", { tool: ended(callId), error: messageOf(error) });
    },
  });

  function ended(callId: string): string {
    const name = names.get(callId) ?? "tool";
    names.delete(callId);
    return name;
  }
}

function toolOutput(output: unknown): Json {
  const { content } = (output ?? {}) as { content?: unknown };
  return safely(content === undefined ? output : content);
}

function parsed(input: unknown): Json {
  if (typeof input !== "string") return safely(input);
  try {
    return safely(JSON.parse(input));
  } catch {
    return input;
  }
}

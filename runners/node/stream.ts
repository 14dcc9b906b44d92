/** LangGraph's stream as the run's events: tasks, tokens, custom data. Tools are seen through callbacks. */
import { isObject, type Json } from "../../src/core/json.ts";
import { messageOf } from "./errors.ts";
import type { CompiledGraph, Framework, TaskState } from "./framework.ts";
import { isAIMessage } from "./messages.ts";
import type { RunPipe } from "./pipe.ts";
import { type CheckpointReport, isInternal, safely } from "./shown.ts";

export type DebugEntry =
  | { type: "checkpoint"; payload: CheckpointReport & { config: { configurable?: Record<string, unknown> } } }
  | { type: "task"; payload: TaskState }
  | { type: "task_result"; payload: TaskState };

/** One chunk of `stream` with `subgraphs` and several modes. */
export type Chunk = [namespace: string[], mode: string, payload: unknown];

export function emitTask(pipe: RunPipe, namespace: string[], entry: DebugEntry): void {
  if (entry.type === "checkpoint") return;
  const { name, interrupts, error } = entry.payload;
  if (isInternal(String(name))) return;
  // A task that stopped to ask or failed has not completed; the run's own last event says which.
  if (entry.type === "task_result" && ((interrupts?.length ?? 0) > 0 || error != null)) return;
  const type = entry.type === "task" ? "task.started" : "task.completed";
  const where = namespace.filter((part) => part !== "").join("|");
  pipe.emit(type, { task: String(name), ...(where && { namespace: where }) });
}

export function emitMessage(pipe: RunPipe, payload: unknown): void {
  const [message, metadata] = payload as [unknown, { langgraph_node?: unknown } | undefined];
  if (!isAIMessage(message)) return;
  const content = textOf(message.content);
  if (content === "") return;
  const node = metadata?.langgraph_node;
  pipe.emit("message.delta", {
    message_id: message.id ?? null,
    content,
    ...(typeof node === "string" && { node }),
  });
}

export function emitCustom(pipe: RunPipe, payload: unknown): void {
  const data = safely(payload);
  pipe.emit("custom", isObject(data) ? data : { value: data });
}

function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content
    .map((block: { type?: unknown; text?: unknown } | string) => {
      if (typeof block === "string") return block;
      return typeof block?.text === "string" && String(block.type).startsWith("text") ? block.text : "";
    })
    .join("");
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

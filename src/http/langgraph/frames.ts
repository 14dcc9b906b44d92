/**
 * A run's events as the frames of LangGraph's stream modes. States are read where they are stored: `values`, `checkpoints`
 * and `debug` come of checkpoints. The same event gives the same frames at any time, so a reader can go on after each.
 */
import type { NumberedEvent } from "../../core/event.ts";
import { CHECKPOINT_EVENT } from "../../core/event.ts";
import { isObject, type Json, type JsonObject } from "../../core/json.ts";
import { isLastEvent } from "../../core/moves.ts";
import {
  type CheckpointRow,
  checkpointAt,
  findCheckpoint,
  rootPositionsOfRun,
} from "../../store/checkpoints.ts";
import { openView, type View } from "../../store/logs.ts";
import type { RunRow } from "../../store/runs.ts";
import { showCheckpoints } from "../../store/states.ts";
import type { App } from "../app.ts";
import { withoutRoles } from "./json.ts";
import { MessageFrames, type TaskPlace } from "./message_frames.ts";
import { errorOf, runStatus, runUuid } from "./words.ts";

export const streamModes = [
  "values",
  "messages",
  "messages-tuple",
  "updates",
  "events",
  "debug",
  "tasks",
  "checkpoints",
  "custom",
  "tools",
  "lifecycle",
] as const;
export type StreamMode = (typeof streamModes)[number];

export type Frame = { event: string; data: Json };

export type FrameOptions = {
  modes: ReadonlySet<string>;
  subgraphs: boolean;
  /** Of the run: what messages are told with. */
  about: JsonObject;
};

type Task = TaskPlace & { name: string };

export class Frames {
  readonly #app: App;
  readonly #run: RunRow;
  readonly #options: FrameOptions;
  readonly #messages: MessageFrames;
  #tasks: Task[] = [];
  #attempt = 1;
  /** Of the root checkpoint told last. */
  #position = 0;
  #interrupts: Json[] = [];

  constructor(app: App, run: RunRow, options: FrameOptions) {
    this.#app = app;
    this.#run = run;
    this.#options = options;
    this.#messages = new MessageFrames(options);
  }

  /** Takes in an event that the reader has seen. */
  async skip(event: NumberedEvent): Promise<void> {
    if (event.type === "state.updated") {
      const row = await this.#checkpoint(await this.#view(), "", event.data);
      if (row) this.#position = row.position;
    } else await this.of(event);
  }

  async of({ type, data, langgraph }: NumberedEvent): Promise<Frame[]> {
    const fields = isObject(data) ? data : {};
    const told = isObject(langgraph) ? langgraph : {};
    switch (type) {
      case "run.started":
        return [this.#metadata()];
      case "run.restarted":
        this.#attempt = Number(fields.attempt ?? 1);
        this.#tasks = [];
        return [this.#metadata()];
      case "task.started":
        return this.#started(fields, told);
      case "task.completed":
      case "langgraph.task":
        return langgraph === undefined ? [] : this.#ended(fields, told);
      case "message.delta":
      case "langgraph.message":
        return this.#messages.of(fields, told, this.#tasks);
      case "custom":
        return this.#named("custom", told.namespace, told.value === true ? (fields.value ?? null) : data);
      case "langgraph.event":
        return this.#named("events", "", data);
      case "tool.called":
        return this.#tool("on_tool_start", fields, { input: fields.input ?? null });
      case "tool.result":
        return this.#tool("on_tool_end", fields, { output: fields.output ?? null });
      case "tool.error":
        return this.#tool("on_tool_error", fields, { error: fields.error ?? null });
      case "state.updated":
        return this.#updated(data);
      case CHECKPOINT_EVENT:
        return this.#subgraph(fields);
      default:
        return isLastEvent(type) ? this.#last(type, fields) : [];
    }
  }

  #metadata(): Frame {
    const { run_id, thread_id } = this.#run;
    return {
      event: "metadata",
      data: { run_id: runUuid(run_id), attempt: this.#attempt, ...(thread_id !== null && { thread_id }) },
    };
  }

  /** A frame of one mode, if the reader wants it. */
  #named(mode: StreamMode, namespace: Json | undefined, data: Json): Frame[] {
    if (!this.#options.modes.has(mode)) return [];
    const where = typeof namespace === "string" ? namespace : "";
    if (where === "") return [{ event: mode, data: withoutRoles(data) }];
    return this.#options.subgraphs ? [{ event: `${mode}|${where}`, data: withoutRoles(data) }] : [];
  }

  #debug(type: string, namespace: Json | undefined, step: Json, payload: Json): Frame[] {
    return this.#named("debug", namespace, { type, step, payload });
  }

  #started({ task, namespace }: JsonObject, { id, step, triggers }: JsonObject): Frame[] {
    if (typeof id !== "string") return [];
    const place: Task = {
      id,
      name: String(task),
      namespace: typeof namespace === "string" ? namespace : "",
      step: typeof step === "number" ? step : null,
      triggers: triggers ?? [],
    };
    this.#tasks.push(place);
    const payload = { id, name: place.name, triggers: place.triggers, interrupts: [] };
    return [
      ...this.#named("tasks", place.namespace, payload),
      ...this.#debug("task", place.namespace, place.step, payload),
    ];
  }

  #ended(fields: JsonObject, { task, result, interrupts, error }: JsonObject): Frame[] {
    const place = typeof task === "number" ? this.#tasks[task - 1] : undefined;
    const name = String(fields.task);
    const namespace = fields.namespace ?? "";
    const written = writtenBy(result ?? {});
    const asked = Array.isArray(interrupts) ? interrupts.flat().map(interruptOf) : [];
    const payload = {
      id: place?.id ?? (typeof task === "string" ? task : null),
      name,
      error: error ?? null,
      result: result ?? {},
      interrupts: asked,
    };
    if (namespace === "") this.#interrupts.push(...asked);
    const update: JsonObject | undefined =
      asked.length > 0 ? { __interrupt__: asked } : error == null ? { [name]: written } : undefined;
    return [
      ...(update ? this.#named("updates", namespace, update) : []),
      ...this.#named("tasks", namespace, payload),
      ...this.#debug("task_result", namespace, place?.step ?? null, payload),
    ];
  }

  #tool(event: string, { tool }: JsonObject, more: JsonObject): Frame[] {
    return this.#named("tools", "", { event, name: tool ?? null, ...more });
  }

  /** A root checkpoint that changed what people see; those before it that did not are told with it. */
  async #updated(data: Json): Promise<Frame[]> {
    const { modes } = this.#options;
    const all = modes.has("checkpoints") || modes.has("debug");
    if (!all && !modes.has("values")) return [];
    const view = await this.#view();
    const row = await this.#checkpoint(view, "", data);
    // It was dropped, by a rollback or with old history.
    if (!row) return [];
    const frames = all ? await this.#checkpointsUpTo(view, row.position) : [];
    this.#position = row.position;
    if (modes.has("values")) frames.push(...this.#named("values", "", await this.#valuesAt(view, row)));
    return frames;
  }

  async #checkpointsUpTo(view: View, position: number): Promise<Frame[]> {
    const frames: Frame[] = [];
    for (const between of await rootPositionsOfRun(this.#app.node.database, view, this.#run, {
      after: this.#position,
      upTo: position,
    })) {
      const row = await checkpointAt(this.#app.node.database, view, between);
      if (row) frames.push(...(await this.#checkpointFrames(view, row)));
    }
    return frames;
  }

  async #subgraph(data: JsonObject): Promise<Frame[]> {
    const { modes, subgraphs } = this.#options;
    if (!subgraphs || !["values", "checkpoints", "debug"].some((mode) => modes.has(mode))) return [];
    const view = await this.#view();
    const row = await this.#checkpoint(view, String(data.namespace), data);
    if (!row) return [];
    const frames = await this.#checkpointFrames(view, row);
    if (row.source !== "input")
      frames.push(...this.#named("values", row.namespace, await this.#valuesAt(view, row)));
    return frames;
  }

  async #checkpointFrames(view: View, row: CheckpointRow): Promise<Frame[]> {
    const [shown] = await showCheckpoints(this.#app.node.database, view, this.#run.thread_id ?? "", [row]);
    const configOf = (checkpoint_id: string) => ({
      configurable: { thread_id: this.#run.thread_id, checkpoint_ns: row.namespace, checkpoint_id },
    });
    const payload: JsonObject = {
      config: configOf(row.checkpoint_id),
      parent_config: row.parent_checkpoint_id === null ? null : configOf(row.parent_checkpoint_id),
      values: shown!.values,
      metadata: { ...shown!.metadata, source: row.source, step: row.step },
      next: shown!.next,
      tasks: shown!.tasks,
    };
    return [
      ...this.#named("checkpoints", row.namespace, payload),
      ...this.#debug("checkpoint", row.namespace, row.step, payload),
    ];
  }

  async #last(type: string, fields: JsonObject): Promise<Frame[]> {
    const frames: Frame[] = [];
    const { modes } = this.#options;
    const view = await this.#view();
    if (modes.has("checkpoints") || modes.has("debug")) {
      frames.push(...(await this.#checkpointsUpTo(view, Number.MAX_SAFE_INTEGER)));
    }
    if (type === "run.interrupted") {
      // A breakpoint stops a run without a question.
      if (this.#interrupts.length === 0) frames.push(...this.#named("updates", "", { __interrupt__: [] }));
      const asked = Array.isArray(fields.interrupts) ? fields.interrupts.map(interruptOf) : [];
      if (modes.has("values")) {
        const row = await this.#lastCheckpoint(view);
        const values = row ? await this.#valuesAt(view, row) : {};
        frames.push(...this.#named("values", "", { ...values, __interrupt__: asked }));
      }
    }
    if (type === "run.failed") {
      const { code, error, traceback } = fields;
      frames.push({
        event: "error",
        data: errorOf({
          code: String(code ?? "agent_error"),
          message: String(error),
          ...(typeof traceback === "string" && { traceback }),
        }),
      });
    }
    const ended = {
      "run.completed": "succeeded",
      "run.failed": "failed",
      "run.canceled": "canceled",
    } as const;
    const status = ended[type as keyof typeof ended] ?? "interrupted";
    const error = fields.code === "run_timeout" ? { code: "run_timeout", message: "" } : null;
    frames.push({
      event: "end",
      data: { run_id: runUuid(this.#run.run_id), status: runStatus(status, error) },
    });
    return frames;
  }

  #lastCheckpoint(view: View): Promise<CheckpointRow | undefined> {
    return findCheckpoint(this.#app.node.database, view, "");
  }

  async #valuesAt(view: View, row: CheckpointRow): Promise<JsonObject> {
    const [shown] = await showCheckpoints(this.#app.node.database, view, this.#run.thread_id ?? "", [row]);
    return withoutRoles(shown!.values) as JsonObject;
  }

  async #checkpoint(view: View, namespace: string, data: Json): Promise<CheckpointRow | undefined> {
    const { checkpoint_id } = isObject(data) ? data : {};
    return findCheckpoint(this.#app.node.database, view, namespace, String(checkpoint_id));
  }

  #view(): Promise<View> {
    return openView(this.#app.node.database, this.#run.log_id);
  }
}

function interruptOf(asked: Json): Json {
  if (!isObject(asked)) return { value: asked };
  return { id: asked.id ?? asked.interrupt_id ?? null, value: asked.value ?? null };
}

/** What a task wrote as its node returned it: one object, a list of them when a channel was written more than once, or null. */
function writtenBy(result: Json): Json {
  // LangGraph before 1.0 tells pairs of channel and value.
  const pairs: [string, Json][] = Array.isArray(result)
    ? result.flatMap((pair) =>
        Array.isArray(pair) ? [[String(pair[0]), pair[1] ?? null] as [string, Json]] : [],
      )
    : Object.entries(isObject(result) ? result : {}).flatMap(([channel, value]) =>
        isObject(value) && Array.isArray(value.$writes)
          ? value.$writes.map((one) => [channel, one] as [string, Json])
          : [[channel, value] as [string, Json]],
      );
  if (pairs.length === 0) return null;
  const channels = new Set(pairs.map(([channel]) => channel));
  if (channels.size === pairs.length) {
    const [only] = pairs;
    return pairs.length === 1 && only![0] === "__root__" ? only![1] : Object.fromEntries(pairs);
  }
  return pairs.map(([channel, value]) => ({ [channel]: value }));
}

/** A run as LangGraph's clients order it, as one of ours: its assistant's settings under its own, its thread made when it may be. */
import { Type } from "typebox";
import { isObject, type Json, type JsonObject } from "../../core/json.ts";
import { Problem } from "../../core/problem.ts";
import { type LangGraphRequest, multitaskStrategies, RunRequest } from "../../core/run.ts";
import { JsonObjectSchema, Nullable } from "../../core/schema.ts";
import { accept } from "../../engine/accept.ts";
import { createThread } from "../../engine/create_thread.ts";
import { deleteThread } from "../../engine/delete_thread.ts";
import type { AssistantRow } from "../../store/assistants.ts";
import type { Attempt } from "../../store/idempotency.ts";
import { changeLog } from "../../store/logs.ts";
import { findRun, type RunRow } from "../../store/runs.ts";
import { patchThread, type ThreadRow } from "../../store/threads.ts";
import type { App } from "../app.ts";
import type { Principal } from "../auth.ts";
import { assistantOf } from "./assistants.ts";
import { streamModes } from "./frames.ts";
import { threadOf } from "./threads.ts";
import { newUuid } from "./words.ts";

/** How long the thread of a stateless run is kept after it: its stream may be joined, its result read. */
const STATELESS_MINUTES = 5;

const Mode = Type.Enum([...streamModes]);
const Nodes = Type.Optional(
  Nullable(Type.Union([Type.String(), Type.Array(Type.String(), { maxItems: 1000 })])),
);
const Flag = Type.Optional(Nullable(Type.Boolean()));

/** Unknown keys are ignored, as the reference does. */
export const RunCreate = Type.Object({
  assistant_id: Type.String(),
  input: Type.Optional(Type.Unknown()),
  command: Type.Optional(Nullable(JsonObjectSchema)),
  checkpoint: Type.Optional(Nullable(JsonObjectSchema)),
  checkpoint_id: Type.Optional(Nullable(Type.String())),
  config: Type.Optional(Nullable(JsonObjectSchema)),
  context: Type.Optional(Nullable(JsonObjectSchema)),
  metadata: Type.Optional(Nullable(JsonObjectSchema)),
  webhook: Type.Optional(Nullable(Type.String({ maxLength: 2048 }))),
  interrupt_before: Nodes,
  interrupt_after: Nodes,
  stream_mode: Type.Optional(Nullable(Type.Union([Mode, Type.Array(Mode, { maxItems: 20 })]))),
  stream_subgraphs: Flag,
  stream_resumable: Flag,
  feedback_keys: Type.Optional(Nullable(Type.Array(Type.String()))),
  multitask_strategy: Type.Optional(Nullable(Type.Enum([...multitaskStrategies]))),
  on_disconnect: Type.Optional(Nullable(Type.Enum(["cancel", "continue"]))),
  on_completion: Type.Optional(Nullable(Type.Enum(["delete", "keep"]))),
  if_not_exists: Type.Optional(Nullable(Type.Enum(["create", "reject"]))),
  after_seconds: Type.Optional(Nullable(RunRequest.properties.after_seconds)),
  durability: Type.Optional(Nullable(Type.Enum(["sync", "async", "exit"]))),
  checkpoint_during: Flag,
});
export type RunCreate = Type.Static<typeof RunCreate>;

export type Ordered = { run: RunRow; order: LangGraphRequest };

/** Accepts a run. Without a thread it gets one of its own, which is deleted some time after it unless the order keeps it. */
export async function orderRun(
  app: App,
  principal: Principal,
  thread_id: string | null,
  body: RunCreate,
  attempt: Attempt | undefined,
): Promise<Ordered> {
  const assistant = await assistantOf(app, principal, body.assistant_id);
  const { thread, made } = await threadFor(app, principal, thread_id, body, assistant);
  const langgraph = requestOf(body, assistant);
  try {
    const accepted = await accept(app.node, app.worker, {
      thread,
      deployment_id: assistant.deployment_id,
      request: translate(body, assistant),
      attempt,
      langgraph,
    });
    if (thread_id !== null || body.on_completion === "keep") await nameGraph(app, thread, assistant);
    const run = await findRun(app.node.database, accepted.run_id);
    if (!run) throw new Problem("not_found", { what: "run", id: accepted.run_id });
    return { run, order: langgraph };
  } catch (error) {
    if (made) await deleteThread(app.node, thread);
    throw error;
  }
}

async function threadFor(
  app: App,
  principal: Principal,
  thread_id: string | null,
  body: RunCreate,
  { deployment_id }: AssistantRow,
): Promise<{ thread: ThreadRow; made: boolean }> {
  if (thread_id !== null && body.if_not_exists !== "create")
    return { thread: await threadOf(app, principal, thread_id), made: false };
  const stays = thread_id !== null || body.on_completion === "keep";
  const { thread, created } = await createThread(
    app.node,
    {
      deployment_id: thread_id === null ? deployment_id : null,
      thread_id: thread_id ?? newUuid(),
      if_exists: "do_nothing",
      ...(!stays && { ttl: { minutes: STATELESS_MINUTES, strategy: "delete" as const } }),
    },
    undefined,
  );
  return { thread: await existing(app, principal, thread.thread_id, created), made: created };
}

/** A new thread has no deployment yet, which only its maker may see. */
function existing(app: App, principal: Principal, thread_id: string, created: boolean): Promise<ThreadRow> {
  return threadOf(app, created ? { ...principal, deployment_ids: null } : principal, thread_id);
}

/** A thread's metadata says which graph and assistant ran in it last. */
async function nameGraph(
  app: App,
  thread: ThreadRow,
  { graph_id, assistant_id }: AssistantRow,
): Promise<void> {
  const metadata = JSON.parse(thread.metadata) as JsonObject;
  if (metadata.graph_id === graph_id && metadata.assistant_id === assistant_id) return;
  await changeLog(app.node.database, thread.log_id, (tx) =>
    patchThread(tx, thread.thread_id, { metadata: { graph_id, assistant_id } }),
  );
}

export function requestOf(body: RunCreate, { assistant_id }: AssistantRow): LangGraphRequest {
  const { input: _, command: __, ...kwargs } = body;
  return {
    assistant_id,
    stream_mode: body.stream_mode == null ? ["values"] : [body.stream_mode].flat(),
    stream_subgraphs: body.stream_subgraphs ?? false,
    multitask_strategy: body.multitask_strategy ?? "enqueue",
    kwargs: present(kwargs) as JsonObject,
  };
}

function present(fields: object): object {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined && value !== null),
  );
}

export function translate(body: RunCreate, assistant: AssistantRow): RunRequest {
  const command = present(body.command ?? {}) as RunRequest["command"] & object;
  const hasCommand = Object.keys(command).length > 0;
  const checkpoint_id = body.checkpoint?.checkpoint_id ?? body.checkpoint_id;
  return {
    ...(hasCommand ? { command } : { input: (body.input ?? null) as Json }),
    ...(typeof checkpoint_id === "string" && { checkpoint_id }),
    multitask_strategy: body.multitask_strategy ?? "enqueue",
    ...(body.after_seconds != null && { after_seconds: body.after_seconds }),
    config: configOf(body, assistant),
    metadata: { ...metadataOf(assistant), ...body.metadata },
    ...(body.interrupt_before != null && { interrupt_before: nodesOf(body.interrupt_before) }),
    ...(body.interrupt_after != null && { interrupt_after: nodesOf(body.interrupt_after) }),
    ...(body.webhook != null && { webhook: body.webhook }),
  };
}

const nodesOf = (nodes: string | string[]): string[] | "*" => (nodes === "*" ? "*" : [nodes].flat());

/** The server's own mark is the assistant's, not its runs'. */
function metadataOf({ metadata }: AssistantRow): JsonObject {
  const { created_by: _, ...own } = JSON.parse(metadata) as JsonObject;
  return own;
}

/** The run's config over its assistant's; context and durability stand in it. */
function configOf(body: RunCreate, assistant: AssistantRow): JsonObject {
  const base = JSON.parse(assistant.config) as JsonObject;
  const config = { ...base, ...body.config };
  const { assistant_id, graph_id } = assistant;
  const context = { ...(JSON.parse(assistant.context) as JsonObject), ...body.context };
  const durability = body.durability ?? (body.checkpoint_during === false ? "exit" : undefined);
  return {
    ...config,
    configurable: {
      ...fields(base.configurable),
      ...fields(body.config?.configurable),
      assistant_id,
      graph_id,
    },
    ...(Object.keys(context).length > 0 && { context }),
    ...(durability !== undefined && { durability }),
  };
}

const fields = (value: Json | undefined): JsonObject => (isObject(value) ? value : {});

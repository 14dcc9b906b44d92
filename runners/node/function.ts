/** Executes runs of a plain function `(input, context) => output`; the thread's values are `context.state`. */
import { v6 } from "uuid";
import { isReserved } from "../../src/core/event.ts";
import { isObject, type Json, setOwn } from "../../src/core/json.ts";
import type { RunStart } from "../../src/runner/protocol.ts";
import { artifactFolder } from "./artifacts.ts";
import { Decoder, unescapeTags } from "./decode.ts";
import type { Embedder } from "./embedder.ts";
import { EncodingError, encode } from "./encode.ts";
import { CodedError, describeError, messageOf } from "./errors.ts";
import type { Classes } from "./framework.ts";
import type { Host } from "./host.ts";
import { ThreadMemory } from "./memory.ts";
import type { Done, RunPipe } from "./pipe.ts";
import { type Asked, answerIn, askedAt, Questions } from "./questions.ts";
import { FunctionStore, RunStore } from "./run_store.ts";
import { safely } from "./shown.ts";

export type FunctionContext = {
  /** The thread's values. Assign to its keys, or change what they hold: the run leaves them as they are at its end. */
  state: Record<string, unknown>;
  /** Sends an event: `emit("progress", { percent: 40 })`, or `emit({ … })` for a `custom` one. */
  emit(type: string | object, data?: unknown): void;
  /**
   * Asks a person. The run ends; the thread's next run, with `command.resume`, calls the function again, and this returns
   * the answer.
   */
  interrupt(question: unknown): unknown;
  /** The deployment's store items, which all of its threads share. */
  readonly store: FunctionStore;
  signal: AbortSignal;
  /** The folder whose files the run leaves as its artifacts; that CREWSHIP_ARTIFACTS names. */
  readonly artifacts: string;
  thread_id: string | null;
  run_id: string;
};

export type AgentFunction = (input: unknown, context: FunctionContext) => unknown;

type Start = {
  memory: ThreadMemory;
  state: Record<string, unknown>;
  stored: Record<string, Json>;
  /** The values the function is first called with, and its input; encoded. */
  begin: Record<string, Json>;
  input: Json;
  answers: Json[];
  parent: string | null;
  step: number;
  /** An earlier attempt of this run has committed its question. */
  hasAsked: boolean;
};

/** LangGraph's own number and name for what a task asks: the newest counts. */
const INTERRUPT_IDX = -3;
const INTERRUPT_CHANNEL = "__interrupt__";

export class FunctionHost implements Host {
  readonly #agent: AgentFunction;
  readonly #classes: Classes;
  readonly #embedder: Embedder | undefined;

  constructor(agent: AgentFunction, classes: Classes, embedder: Embedder | undefined) {
    this.#agent = agent;
    this.#embedder = embedder;
    this.#classes = classes;
  }

  async run(start: RunStart, pipe: RunPipe, signal: AbortSignal): Promise<Done> {
    try {
      const thread = await this.#open(start, pipe);
      if (thread.hasAsked) return { outcome: "interrupted" };
      const questions = new Questions(thread.answers);
      const context: FunctionContext = {
        state: thread.state,
        emit: (type, data) => emit(pipe, type, data),
        interrupt: (question) => questions.ask(question),
        store: new FunctionStore(new RunStore(pipe, this.#embedder)),
        signal,
        get artifacts() {
          return artifactFolder() ?? "";
        },
        thread_id: start.thread_id,
        run_id: start.run_id,
      };
      const result = await this.#call(thread.input, context, questions, pipe);
      if (signal.aborted) return { outcome: "canceled" };
      if (questions.open) {
        ask(thread, context.state, questions.open.value, this.#agent.name || "function", pipe);
        return { outcome: "interrupted" };
      }
      const output = encodeOutput(result);
      commit(thread, context.state, pipe);
      return { outcome: "succeeded", output };
    } catch (error) {
      if (signal.aborted) return { outcome: "canceled" };
      return { outcome: "failed", error: describeError(error) };
    }
  }

  /** Once it has asked, what it returns or throws on its way out no longer matters. */
  async #call(input: Json, context: FunctionContext, questions: Questions, pipe: RunPipe): Promise<unknown> {
    try {
      return await drain(await this.#agent(unescapeTags(input), context), pipe, context.signal);
    } catch (error) {
      if (questions.open) return undefined;
      throw error;
    }
  }

  async describe(): Promise<null> {
    return null;
  }

  async update(): Promise<Done> {
    const message =
      "The state of a thread of a plain function is changed by the server itself, not by the agent.";
    return { outcome: "failed", error: { message } };
  }

  async #open(start: RunStart, pipe: RunPipe): Promise<Start> {
    const memory = new ThreadMemory(start.log_id, start.next_item);
    const state: Record<string, unknown> = {};
    const chosen = start.checkpoint_id ?? start.head?.checkpoint_id;
    if (chosen === undefined) {
      const initial = start.initial_values === null ? {} : unescapeTags(start.initial_values);
      for (const [key, value] of Object.entries(initial ?? {})) setOwn(state, key, value);
      const begin = encodeState(state, memory);
      const fresh = { answers: [], parent: null, step: -1, hasAsked: false };
      return { memory, state, stored: {}, begin, input: start.input, ...fresh };
    }
    const page = await pipe.read({ kind: "tuple", namespace: "", checkpoint_id: chosen });
    const checkpoint = page.checkpoints[0];
    if (!checkpoint) throw new Error(`The checkpoint ${chosen} does not exist in this thread.`);
    const decoder = new Decoder(this.#classes, memory, page.items);
    const decoded = await decodeState(checkpoint.channels, decoder);
    // Encoded again from the decoded values: the same value has the same form, however it was stored.
    const stored = encodeState(decoded, memory);
    const { step } = (checkpoint.metadata ?? {}) as { step?: unknown };
    const at = { memory, stored, parent: chosen, step: typeof step === "number" ? step : -1 };
    const asked = askedAt(checkpoint);
    const hasAsked = asked !== undefined && checkpoint.run_id === start.run_id;
    const { resume } = (isObject(start.command) ? start.command : {}) as { resume?: Json };
    if (!asked || resume === undefined) {
      return { ...at, state: decoded, begin: stored, input: start.input, answers: [], hasAsked };
    }
    const { begin, input, question, answers } = asked;
    const given = [...answers, answerIn(resume, question)];
    return { ...at, state: await decodeState(begin, decoder), begin, input, answers: given, hasAsked };
  }
}

async function decodeState(
  channels: Record<string, Json>,
  decoder: Decoder,
): Promise<Record<string, unknown>> {
  const state: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(channels)) setOwn(state, key, await decoder.decode(value));
  return state;
}

/** Everything is encoded again: code that changes its state in place leaves no trace by identity. */
function encodeState(state: Record<string, unknown>, memory: ThreadMemory): Record<string, Json> {
  const encoded: Record<string, Json> = {};
  for (const [key, value] of Object.entries(state)) {
    if (value !== undefined) setOwn(encoded, key, encode(value, `the state's key "${key}"`, memory, "write"));
  }
  return encoded;
}

/** Leaves the state as it stands with the question on it. */
function ask(thread: Start, state: unknown, value: unknown, task: string, pipe: RunPipe): void {
  const id = v6();
  const asked = encode([{ id, value: value ?? null, task }], "the question", thread.memory, "write");
  const { input, begin, answers } = thread;
  const kept: Asked = { question: id, input, begin, answers };
  const checkpoint_id = commit(thread, state, pipe, kept, [{ id, name: task }]);
  const items = thread.memory.ledger.takeNew();
  pipe.writes({
    namespace: "",
    checkpoint_id,
    task_id: id,
    task_path: "",
    writes: [[INTERRUPT_IDX, INTERRUPT_CHANNEL, asked]],
    ...(items && { items }),
  });
}

/** Returns the id of the checkpoint. `tasks` wait there for an answer, with what is `kept` for the run that brings it. */
function commit(
  { memory, stored, parent, step }: Start,
  state: unknown,
  pipe: RunPipe,
  kept?: Asked,
  tasks: { id: string; name: string }[] = [],
): string {
  if (typeof state !== "object" || state === null || Array.isArray(state)) {
    throw new EncodingError("context.state must be an object: assign to its keys.");
  }
  const after = encodeState(state as Record<string, unknown>, memory);
  const channels: Record<string, Json> = {};
  for (const [key, value] of Object.entries(after)) {
    if (!Object.hasOwn(stored, key) || JSON.stringify(stored[key]) !== JSON.stringify(value))
      setOwn(channels, key, value);
  }
  const items = memory.ledger.takeNew();
  const checkpoint_id = v6();
  pipe.checkpoint({
    namespace: "",
    checkpoint_id,
    parent_checkpoint_id: parent,
    step: step + 1,
    source: "run",
    channels,
    removed: Object.keys(stored).filter((key) => !Object.hasOwn(after, key)),
    state: kept ?? {},
    metadata: { step: step + 1, source: "run" },
    shown: { keys: Object.keys(after), next: tasks.map(({ name }) => name), tasks },
    ...(items && { items }),
  });
  return checkpoint_id;
}

function encodeOutput(result: unknown): Json {
  try {
    return result === undefined ? null : encode(result, "the output");
  } catch (error) {
    throw new CodedError("output_not_json", messageOf(error));
  }
}

/** A generator's yields are events, its return value is the output. */
async function drain(result: unknown, pipe: RunPipe, signal: AbortSignal): Promise<unknown> {
  if (!isGenerator(result)) return result;
  while (true) {
    const { value, done } = await result.next();
    if (done) return value;
    const event = value as { type?: unknown; data?: unknown };
    if (isObject(value) && typeof event.type === "string" && "data" in event)
      emit(pipe, event.type, event.data);
    else emit(pipe, "custom", value);
    await pipe.caughtUp();
    if (signal.aborted) await result.return(undefined);
  }
}

function isGenerator(value: unknown): value is Generator | AsyncGenerator {
  const { next, return: end } = (value ?? {}) as Partial<Generator>;
  return typeof next === "function" && typeof end === "function";
}

function emit(pipe: RunPipe, type: string | object, data?: unknown): void {
  const [name, content] = typeof type === "string" ? [type, data ?? {}] : ["custom", type];
  if (isReserved(name))
    throw new Error(`Events of type "${name}" are the server's own; choose another type.`);
  const encoded = safely(content);
  pipe.emit(name, isObject(encoded) ? encoded : { value: encoded });
}

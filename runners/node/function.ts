/** Executes runs of a plain function `(input, context) => output`; the thread's values are `context.state`. */
import { v6 } from "uuid";
import { isObject, type Json, setOwn } from "../../src/core/json.ts";
import type { RunStart } from "../../src/runner/protocol.ts";
import { Decoder, unescapeTags } from "./decode.ts";
import { EncodingError, encode } from "./encode.ts";
import { CodedError, describeError, messageOf } from "./errors.ts";
import type { Classes } from "./framework.ts";
import type { Host } from "./host.ts";
import { ThreadMemory } from "./memory.ts";
import type { Done, RunPipe } from "./pipe.ts";
import { safely } from "./shown.ts";

export type FunctionContext = {
  /** The thread's values. Assign to its keys, or change what they hold: the run leaves them as they are at its end. */
  state: Record<string, unknown>;
  /** Sends an event: `emit("progress", { percent: 40 })`, or `emit({ … })` for a `custom` one. */
  emit(type: string | object, data?: unknown): void;
  signal: AbortSignal;
  thread_id: string | null;
  run_id: string;
};

export type AgentFunction = (input: unknown, context: FunctionContext) => unknown;

type Start = {
  memory: ThreadMemory;
  state: Record<string, unknown>;
  stored: Record<string, Json>;
  parent: string | null;
  step: number;
};

export class FunctionHost implements Host {
  readonly #agent: AgentFunction;
  readonly #classes: Classes;

  constructor(agent: AgentFunction, classes: Classes) {
    this.#agent = agent;
    this.#classes = classes;
  }

  async run(start: RunStart, pipe: RunPipe, signal: AbortSignal): Promise<Done> {
    try {
      const thread = await this.#open(start, pipe);
      const context: FunctionContext = {
        state: thread.state,
        emit: (type, data) => emit(pipe, type, data),
        signal,
        thread_id: start.thread_id,
        run_id: start.run_id,
      };
      const result = await drain(await this.#agent(unescapeTags(start.input), context), pipe, signal);
      if (signal.aborted) return { outcome: "canceled" };
      const output = encodeOutput(result);
      commit(thread, context.state, pipe);
      return { outcome: "succeeded", output };
    } catch (error) {
      if (signal.aborted) return { outcome: "canceled" };
      return { outcome: "failed", error: describeError(error) };
    }
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
      return { memory, state, stored: {}, parent: null, step: -1 };
    }
    const page = await pipe.read({ kind: "tuple", namespace: "", checkpoint_id: chosen });
    const checkpoint = page.checkpoints[0];
    if (!checkpoint) throw new Error(`The checkpoint ${chosen} does not exist in this thread.`);
    const decoder = new Decoder(this.#classes, memory, page.items);
    for (const [key, value] of Object.entries(checkpoint.channels))
      setOwn(state, key, await decoder.decode(value));
    const { step } = (checkpoint.metadata ?? {}) as { step?: unknown };
    return {
      memory,
      state,
      // Encoded again from the decoded values: the same value has the same form, however it was stored.
      stored: encodeState(state, memory),
      parent: chosen,
      step: typeof step === "number" ? step : -1,
    };
  }
}

/** Everything is encoded again: code that changes its state in place leaves no trace by identity. */
function encodeState(state: Record<string, unknown>, memory: ThreadMemory): Record<string, Json> {
  const encoded: Record<string, Json> = {};
  for (const [key, value] of Object.entries(state)) {
    if (value !== undefined) setOwn(encoded, key, encode(value, `the state's key "${key}"`, memory, "write"));
  }
  return encoded;
}

function commit({ memory, stored, parent, step }: Start, state: unknown, pipe: RunPipe): void {
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
  pipe.checkpoint({
    namespace: "",
    checkpoint_id: v6(),
    parent_checkpoint_id: parent,
    step: step + 1,
    source: "run",
    channels,
    removed: Object.keys(stored).filter((key) => !Object.hasOwn(after, key)),
    state: {},
    metadata: { step: step + 1, source: "run" },
    shown: { keys: Object.keys(after), next: [], tasks: [] },
    ...(items && { items }),
  });
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
  if (name.startsWith("run."))
    throw new Error(`Events of type "${name}" are the server's own; choose another type.`);
  const encoded = safely(content);
  pipe.emit(name, isObject(encoded) ? encoded : { value: encoded });
}

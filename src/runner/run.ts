/**
 * One run (or update) inside an agent process, as the engine sees it: a bounded sequence of messages to iterate once,
 * and the three things to say back. Knows nothing of the database.
 */
import type { Json } from "../core/json.ts";
import type { AgentLost } from "./errors.ts";
import type { AgentError, RunnerMessageOf, ServerMessage, StoredCheckpoint } from "./protocol.ts";

/** Reading from the pipe pauses while one run has more than this unread. One message may overshoot it. */
export const RUN_BUFFER_BYTES = 4 * 1024 * 1024;
export const RUN_BUFFER_MESSAGES = 1024;

export type RunMessage = RunnerMessageOf<"event" | "checkpoint" | "writes" | "read" | "store" | "done">;

/** What a run needs of its process. */
export type RunHost = {
  send(message: ServerMessage): void;
  /** The run's buffer went over its limit, or came back under half of it. */
  full(run: AgentRun): void;
  drained(run: AgentRun): void;
  kill(reason: string): void;
  cancelGraceMs: number;
};

type Waiting = {
  resolve(result: IteratorResult<RunMessage, undefined>): void;
  reject(error: Error): void;
};

export class AgentRun implements AsyncIterable<RunMessage> {
  readonly runId: string;
  /** Settles when the framework's call is over: `done` has arrived, or the process has ended. Never rejects. */
  readonly ended: Promise<void>;
  readonly #host: RunHost;
  readonly #settle: () => void;
  #buffer: { message: RunMessage; bytes: number }[] = [];
  #bytes = 0;
  #full = false;
  #waiting: Waiting | undefined;
  #iterated = false;
  #abandoned = false;
  #lastN = 0;
  #isEnded = false;
  #finished = false;
  #lost: AgentLost | undefined;
  #cancelTimer: NodeJS.Timeout | undefined;

  constructor(runId: string, host: RunHost) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.runId = runId;
    this.ended = promise;
    this.#settle = resolve;
    this.#host = host;
  }

  /** True when its `done` has arrived, whether it was read yet or not. */
  get finished(): boolean {
    return this.#finished;
  }

  /**
   * The messages in the order the runner sent them; `done` is the last. Throws AgentLost, after what had arrived,
   * when the process ended first. Leaving the loop early cancels the run and discards the rest.
   */
  [Symbol.asyncIterator](): AsyncIterator<RunMessage, undefined> {
    if (this.#iterated) throw new Error(`The messages of ${this.runId} can be read once only.`);
    this.#iterated = true;
    return {
      next: () => this.#next(),
      return: () => {
        this.abandon();
        return Promise.resolve({ value: undefined, done: true });
      },
    };
  }

  /** At most `limit` messages that have arrived already, without waiting: what one commit may take together. */
  takeReady(limit: number): RunMessage[] {
    const ready = this.#buffer.splice(0, limit);
    for (const { bytes } of ready) this.#bytes -= bytes;
    this.#relieve();
    return ready.map(({ message }) => message);
  }

  /** Everything up to and including `n` is committed. */
  ack(n: number): void {
    if (!this.#isEnded) this.#host.send({ type: "ack", run_id: this.runId, n });
  }

  /** Answers a `read`. `items` are [log, number, body] of every item the checkpoints refer to. */
  reply(requestId: number, checkpoints: StoredCheckpoint[], items: [number, number, Json][]): void {
    if (this.#isEnded) return;
    this.#host.send({ type: "reply", run_id: this.runId, request_id: requestId, checkpoints, items });
  }

  /** Answers a `store`. */
  stored(requestId: number, answer: { results: Json[] } | { error: AgentError }): void {
    if (!this.#isEnded)
      this.#host.send({ type: "stored", run_id: this.runId, request_id: requestId, ...answer });
  }

  /** Asks the run to end. One that has not within the grace takes its process with it: nothing else stops code. */
  cancel(): void {
    if (this.#isEnded || this.#cancelTimer !== undefined) return;
    const grace = this.#host.cancelGraceMs;
    this.#cancelTimer = setTimeout(
      () => this.#host.kill(`was killed: ${this.runId} had not ended ${grace} ms after its cancel`),
      grace,
    );
    this.#host.send({ type: "cancel", run_id: this.runId });
  }

  /** Nobody reads this run any more: cancels it and discards what it sends, so that it holds up no other run. */
  abandon(): void {
    this.#abandoned = true;
    this.#buffer = [];
    this.#bytes = 0;
    if (this.#full) this.#becomeDrained();
    this.#waiting?.resolve({ value: undefined, done: true });
    this.#waiting = undefined;
    this.cancel();
  }

  /** For the process: a message of this run has arrived. Throws an Error when it does not fit what came before. */
  deliver(message: RunMessage, bytes: number): void {
    if (message.type === "checkpoint" || message.type === "writes") {
      if (message.n !== this.#lastN + 1) {
        throw new Error(`a ${message.type} with n ${message.n} where ${this.#lastN + 1} was due`);
      }
      this.#lastN = message.n;
    }
    if (message.type === "done") {
      this.#finished = true;
      this.#end();
    }
    if (this.#abandoned) return;
    if (this.#waiting) {
      this.#waiting.resolve({ value: message, done: false });
      this.#waiting = undefined;
      return;
    }
    this.#buffer.push({ message, bytes });
    this.#bytes += bytes;
    if (this.#bytes > RUN_BUFFER_BYTES || this.#buffer.length > RUN_BUFFER_MESSAGES) this.#becomeFull();
  }

  /** For the process: it has ended, and no `done` will come. */
  lose(error: AgentLost): void {
    if (this.#isEnded) return;
    this.#lost = error;
    this.#end();
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }

  #relieve(): void {
    const low = this.#bytes <= RUN_BUFFER_BYTES / 2 && this.#buffer.length <= RUN_BUFFER_MESSAGES / 2;
    if (this.#full && low) this.#becomeDrained();
  }

  #next(): Promise<IteratorResult<RunMessage, undefined>> {
    const entry = this.#buffer.shift();
    if (entry) {
      this.#bytes -= entry.bytes;
      this.#relieve();
      return Promise.resolve({ value: entry.message, done: false });
    }
    if (this.#lost) return Promise.reject(this.#lost);
    if (this.#isEnded || this.#abandoned) return Promise.resolve({ value: undefined, done: true });
    if (this.#waiting) return Promise.reject(new Error(`Two reads of ${this.runId} at once.`));
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  #becomeFull(): void {
    if (this.#full) return;
    this.#full = true;
    this.#host.full(this);
  }

  #becomeDrained(): void {
    this.#full = false;
    this.#host.drained(this);
  }

  #end(): void {
    this.#isEnded = true;
    clearTimeout(this.#cancelTimer);
    this.#settle();
  }
}

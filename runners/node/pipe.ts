/**
 * One run's side of the wire: batches its events, numbers what it stores, counts what is not acknowledged yet, and
 * pairs reads with their replies. After `done` nothing of the run leaves any more.
 */
import type { Json } from "../../src/core/json.ts";
import type { StoreOperation } from "../../src/core/store_item.ts";
import type { RunnerMessageOf, ServerMessage } from "../../src/runner/protocol.ts";
import type { CheckpointBody, CheckpointStore, Page, ReadRequest, WritesBody } from "./store.ts";
import type { Wire } from "./wire.ts";

export type RunEvent = { type: string; data: Json; langgraph?: Json };
type Items = RunnerMessageOf<"event">["items"];
export type Done = Omit<RunnerMessageOf<"done">, "type" | "run_id">;

/** A batch of events leaves when it reaches this size, even if the event loop has not turned. */
const BATCH_CHARACTERS = 64 * 1024;
/** Above this backlog, log lines are counted and dropped: the user's code prints faster than we can store. */
const LOG_BACKLOG_BYTES = 4 * 1024 * 1024;

const STORE_CLOSED = "The run is over; the store can no longer be asked by it.";

export class RunPipe implements CheckpointStore {
  readonly runId: string;
  readonly #wire: Wire;
  readonly #maxUnacknowledged: number;
  #events: RunEvent[] = [];
  #batchLength = 0;
  #batching = false;
  #droppedLines = 0;
  #over = false;
  #n = 0;
  /** Sizes of the messages not acknowledged yet, oldest first, and the `n` of the first of them. */
  #unacknowledged: number[] = [];
  #acknowledged = 0;
  #unacknowledgedSize = 0;
  #waiting: { ready: () => boolean; proceed: () => void }[] = [];
  #requests = 0;
  readonly #replies = new Map<number, (page: Page) => void>();
  readonly #storing = new Map<number, PromiseWithResolvers<Json[]>>();

  constructor(wire: Wire, runId: string, maxUnacknowledged: number) {
    this.#wire = wire;
    this.runId = runId;
    this.#maxUnacknowledged = maxUnacknowledged;
  }

  get over(): boolean {
    return this.#over;
  }

  /** The first event of a turn of the event loop leaves at once, those that follow in the same turn as one batch. */
  emit(type: string, data: Json, langgraph?: Json, items?: Items): void {
    if (this.#over) return;
    this.#events.push(langgraph === undefined ? { type, data } : { type, data, langgraph });
    if (items) {
      this.flush(items);
      return;
    }
    this.#batchLength += 64 + (typeof data === "object" ? JSON.stringify(data).length : 0);
    if (langgraph !== undefined) this.#batchLength += JSON.stringify(langgraph).length;
    if (!this.#batching) {
      this.#batching = true;
      this.flush();
      setImmediate(() => {
        this.#batching = false;
        this.flush();
      });
    } else if (this.#batchLength >= BATCH_CHARACTERS) this.flush();
  }

  log(level: string, message: string): void {
    if (this.#wire.backlog > LOG_BACKLOG_BYTES) {
      this.#droppedLines++;
      return;
    }
    this.#noteDropped();
    this.emit("log", { level, message });
  }

  /** `items`: what the events refer to and no message has taken along yet. */
  flush(items?: Items): void {
    if (this.#over || this.#events.length === 0) return;
    const events = this.#events;
    this.#events = [];
    this.#batchLength = 0;
    this.#wire.send({ type: "event", run_id: this.runId, events, ...(items && { items }) });
  }

  checkpoint(body: CheckpointBody): void {
    if (this.#over) return;
    this.flush();
    this.#count(this.#wire.send({ type: "checkpoint", run_id: this.runId, n: ++this.#n, ...body }));
  }

  writes(body: WritesBody): void {
    if (this.#over) return;
    this.flush();
    this.#count(this.#wire.send({ type: "writes", run_id: this.runId, n: ++this.#n, ...body }));
  }

  acknowledge(n: number): void {
    while (this.#acknowledged < n && this.#unacknowledged.length > 0) {
      this.#unacknowledgedSize -= this.#unacknowledged.shift()!;
      this.#acknowledged++;
    }
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const waiter of waiting) {
      if (waiter.ready()) waiter.proceed();
      else this.#waiting.push(waiter);
    }
  }

  async room(): Promise<void> {
    await this.#until(() => this.#unacknowledgedSize <= this.#maxUnacknowledged);
  }

  async settled(): Promise<void> {
    await this.#until(() => this.#acknowledged === this.#n);
  }

  /** Resolves when the server reads fast enough for more events. */
  async caughtUp(): Promise<void> {
    await this.#wire.room();
  }

  read(request: ReadRequest): Promise<Page> {
    if (this.#over) return Promise.reject(new Error("The run is over; its thread can no longer be read."));
    this.flush();
    const requestId = ++this.#requests;
    const page = new Promise<Page>((resolve) => this.#replies.set(requestId, resolve));
    this.#wire.send({ type: "read", run_id: this.runId, request_id: requestId, ...request });
    return page;
  }

  reply(message: Extract<ServerMessage, { type: "reply" }>): void {
    this.#replies.get(message.request_id)?.(message);
    this.#replies.delete(message.request_id);
  }

  /** Asks the deployment's store; resolves with a result for each operation once what they put is committed. */
  store(operations: StoreOperation[]): Promise<Json[]> {
    if (this.#over) return Promise.reject(new Error(STORE_CLOSED));
    const answer = Promise.withResolvers<Json[]>();
    const requestId = ++this.#requests;
    this.#storing.set(requestId, answer);
    this.#wire.send({ type: "store", run_id: this.runId, request_id: requestId, operations });
    return answer.promise;
  }

  stored(message: Extract<ServerMessage, { type: "stored" }>): void {
    const answer = this.#storing.get(message.request_id);
    this.#storing.delete(message.request_id);
    if ("results" in message) answer?.resolve(message.results);
    else answer?.reject(new Error(message.error.message));
  }

  done(done: Done): void {
    this.#noteDropped();
    this.flush();
    this.#over = true;
    this.#wire.send({ type: "done", run_id: this.runId, ...done });
    // Nothing is acknowledged any more: what the user's code left running need not wait for it.
    for (const { proceed } of this.#waiting.splice(0)) proceed();
    for (const { reject } of this.#storing.values()) reject(new Error(STORE_CLOSED));
    this.#storing.clear();
  }

  #noteDropped(): void {
    if (this.#droppedLines === 0) return;
    const message = `${this.#droppedLines} lines were dropped: the agent printed faster than they could be stored.`;
    this.#droppedLines = 0;
    this.emit("log", { level: "warning", message });
  }

  #count(size: number): void {
    this.#unacknowledged.push(size);
    this.#unacknowledgedSize += size;
  }

  async #until(ready: () => boolean): Promise<void> {
    if (!this.#over && !ready()) await new Promise<void>((proceed) => this.#waiting.push({ ready, proceed }));
  }
}

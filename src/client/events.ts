/**
 * Reads an event stream to its end, over as many connections as that takes. Knows nothing of what the events mean. Runs in
 * Node and in browsers.
 */
import { createParser } from "eventsource-parser";
import { isObject, type Json } from "../core/json.ts";
import { ApiError, ConnectionError, readApiError } from "./errors.ts";

/**
 * `id` is the frame's own: `<seq>` in a run's stream, `<n>-<seq>` in a thread's. Give it back to go on after it.
 * `events_gone`: so many events right before it are not kept any more. `at`: when it was committed, if that was asked for.
 */
export type StreamEvent = { id: string; type: string; data: Json; events_gone?: number; at?: string };

export type ReadOptions = {
  signal?: AbortSignal | undefined;
  /** Go on after the event with this id. */
  after?: string | undefined;
  /** Only events of these types, such as `["message.delta", "tool.*"]`, and each run's last. */
  types?: readonly string[] | undefined;
  /** How long a broken connection is tried again before the reader gives up. Default: a minute. */
  reconnectForMs?: number | undefined;
};

/** Opens one connection; `after` is the id of the last event that was read, if any. Rejects as fetch does. */
export type Connect = (after: string | undefined, signal: AbortSignal) => Promise<Response>;

const FIRST_DELAY_MS = 100;
const MOST_DELAY_MS = 5_000;
const RECONNECT_FOR_MS = 60_000;
/** The server writes a comment every 15 s, so three missed ones mean that nobody is there. */
const SILENCE_MS = 45_000;
const MAX_FRAME_CHARACTERS = 64 * 1024 * 1024;

/**
 * Yields every event once, in order. Ends after the event that is last, or at a 204. Throws an
 * ApiError when the server refuses, a ConnectionError when the first connection fails or a broken one stays broken,
 * and the signal's reason when it is aborted. Leaving the loop closes the connection and cancels nothing else.
 */
export async function* readEvents(
  url: string,
  connect: Connect,
  options: ReadOptions & { isLast: (type: string) => boolean },
): AsyncGenerator<StreamEvent, void, undefined> {
  const { signal, reconnectForMs = RECONNECT_FOR_MS } = options;
  let after = options.after;
  let connected = false;
  let brokenSince: number | undefined;
  let delay = FIRST_DELAY_MS;

  for (;;) {
    signal?.throwIfAborted();
    const leave = new AbortController();
    const stop = () => leave.abort(signal?.reason);
    signal?.addEventListener("abort", stop, { once: true });
    let why: unknown;
    try {
      const response = await connect(after, leave.signal);
      if (response.status === 204) return;
      if (!response.ok) throw await readApiError(response);
      connected = true;
      for await (const piece of frames(response, leave)) {
        // Only what the server says proves that it is back: an empty answer must not restart the clock.
        brokenSince = undefined;
        delay = FIRST_DELAY_MS;
        if (piece === null) continue;
        after = piece.id || after;
        yield piece;
        if (options.isLast(piece.type)) return;
      }
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (!connected || !mayPass(error)) throw error;
      why = error;
    } finally {
      signal?.removeEventListener("abort", stop);
      leave.abort();
    }
    brokenSince ??= performance.now();
    if (performance.now() - brokenSince + delay > reconnectForMs) {
      throw new ConnectionError(url, `The event stream ${url} broke and did not come back.`, { cause: why });
    }
    // Half of the delay is random: many readers of a restarted server must not return in one instant.
    await pause(delay * (0.5 + Math.random() / 2), signal);
    delay = Math.min(delay * 2, MOST_DELAY_MS);
  }
}

/** A failure that another attempt may not meet: the network, a restart, too many requests. */
function mayPass(error: unknown): boolean {
  if (error instanceof ApiError) return error.status === 429 || error.status >= 500;
  return !(error instanceof NotAnEvent);
}

class NotAnEvent extends Error {
  override name = "NotAnEvent";
}

/** The events of one connection, and null for bytes that complete none (a comment). Throws when it falls silent. */
async function* frames(response: Response, leave: AbortController): AsyncGenerator<StreamEvent | null> {
  if (!response.body) return;
  const waiting: StreamEvent[] = [];
  let tooLarge = false;
  const parser = createParser({
    maxBufferSize: MAX_FRAME_CHARACTERS,
    onEvent: (frame) => waiting.push(parseEvent(frame.id ?? "", frame.data)),
    onError: (error) => {
      tooLarge ||= error.type === "max-buffer-size-exceeded";
    },
  });
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  try {
    for (;;) {
      const silence = setTimeout(() => leave.abort(new Error("The stream fell silent.")), SILENCE_MS);
      const chunk = await reader.read().finally(() => clearTimeout(silence));
      if (chunk.done) return;
      parser.feed(decoder.decode(chunk.value, { stream: true }));
      if (tooLarge) throw new NotAnEvent("The server sent a frame of more than 64 MB.");
      yield null;
      while (waiting.length > 0) yield waiting.shift()!;
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

function parseEvent(id: string, text: string): StreamEvent {
  let event: unknown;
  try {
    event = JSON.parse(text);
  } catch {
    event = undefined;
  }
  if (!isObject(event) || typeof event.type !== "string") {
    throw new NotAnEvent(
      "The stream holds a frame that is no event. Is this the address of a Crewship server?",
    );
  }
  const gone = typeof event.events_gone === "number" ? { events_gone: event.events_gone } : {};
  const at = typeof event.at === "string" ? { at: event.at } : {};
  return { id, type: event.type, data: event.data ?? null, ...gone, ...at };
}

/** Resolves after `ms`; rejects with the signal's reason when it is aborted first. */
function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

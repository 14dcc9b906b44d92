/** Event streams over HTTP: frames, heartbeats, and a reader that sets the pace. Knows nothing of runs. */

import { setImmediate as nextTurn } from "node:timers/promises";
import type { FastifyReply, FastifyRequest } from "fastify";
import { Type } from "typebox";
import { isHidden, type NumberedEvent } from "../core/event.ts";
import { isLastEvent } from "../core/moves.ts";
import { Problem } from "../core/problem.ts";
import type { App } from "./app.ts";

const HEARTBEAT_MS = 15_000;

type Stream = {
  /** Only these are sent, and each run's last event. */
  wanted: (type: string) => boolean;
  pages: (signal: AbortSignal) => AsyncIterable<NumberedEvent[]>;
  id: (event: NumberedEvent) => string;
  /** Each frame says when its event was committed. */
  times?: boolean | undefined;
};

/** Aborts when the response is over, which it also is when the client is gone. */
export function closeSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  // A client that left while its request was worked on has had its "close" already.
  if (reply.raw.destroyed || reply.raw.closed) gone.abort();
  else reply.raw.once("close", () => gone.abort());
  return gone.signal;
}

/** The numbers in Last-Event-ID, undefined without one. Throws a 400 for an id no frame of this stream has. */
export function lastEventId(request: FastifyRequest, form: RegExp): number[] | undefined {
  const header = request.headers["last-event-id"];
  if (header === undefined || header === "") return undefined;
  const match = typeof header === "string" ? form.exec(header) : null;
  if (!match)
    throw new Problem("bad_request", { message: `header.last-event-id is not an id of this stream.` });
  return match.slice(1).map(Number);
}

/** Writes pages of events as frames of /v1. */
export function streamEvents(
  app: App,
  request: FastifyRequest,
  reply: FastifyReply,
  stream: Stream,
): Promise<void> {
  async function* texts(signal: AbortSignal): AsyncGenerator<string> {
    for await (const events of stream.pages(signal)) {
      const sent = events.filter(({ type }) => !isHidden(type) && (stream.wanted(type) || isLastEvent(type)));
      yield sent.map((event) => frame(stream.id(event), event, stream.times)).join("");
    }
  }
  return streamTexts(app, request, reply, { texts, heartbeatMs: HEARTBEAT_MS });
}

/**
 * Writes pages of frames until they end, the client leaves or the server closes. Memory per reader is one page: the
 * next is read from the log only when this one has left.
 */
export async function streamTexts(
  app: App,
  request: FastifyRequest,
  reply: FastifyReply,
  { texts, heartbeatMs }: { texts: (signal: AbortSignal) => AsyncIterable<string>; heartbeatMs: number },
): Promise<void> {
  const signal = AbortSignal.any([app.closing, closeSignal(reply)]);
  const headers = reply.getHeaders();
  reply.hijack();
  const { raw } = reply;
  raw.on("error", () => undefined);
  raw.writeHead(200, {
    ...(headers as Record<string, string>),
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
  });
  raw.flushHeaders();
  const closed = app.node.metrics.streamOpened();
  const heartbeat = setInterval(() => {
    // A full buffer needs no heartbeat, and must not grow by them.
    if (!raw.writableNeedDrain) raw.write(": heartbeat\n\n");
  }, heartbeatMs);
  try {
    for await (const text of texts(signal)) {
      if (signal.aborted) break;
      // Reading on and on without a write would leave nobody else a turn.
      if (text === "") await nextTurn();
      else if (!raw.write(text)) await drained(raw, signal);
    }
  } catch (error) {
    // The status is sent already: ending the stream makes the reader come back with its Last-Event-ID.
    if (!signal.aborted)
      app.logger.error({ path: request.url.split("?")[0], error: String(error) }, "a stream broke off");
  } finally {
    clearInterval(heartbeat);
    closed();
    raw.end();
  }
}

function frame(id: string, { type, data, gone, at }: NumberedEvent, times: boolean | undefined): string {
  const event = { type, data, ...(gone && { events_gone: gone }), ...(times && { at }) };
  return `id: ${id}\ndata: ${JSON.stringify(event)}\n\n`;
}

export const TimesQuery = Type.Optional(
  Type.Boolean({ default: false, description: "Each event says `at`, when it was committed." }),
);

/** `?types=`: names of event types with commas between; one that ends with `*` stands for all that begin so. */
export const TypesQuery = Type.Optional(
  Type.String({
    pattern: "^[\\w.-]+\\*?(,[\\w.-]+\\*?)*$",
    maxLength: 1000,
    description:
      "Only events of these types, with commas between, such as message.delta,tool.*; a run's last event always comes.",
  }),
);

export function typeFilter(types: string | undefined): (type: string) => boolean {
  if (types === undefined) return () => true;
  const patterns = types.split(",");
  const exact = new Set(patterns);
  const prefixes = patterns.filter((name) => name.endsWith("*")).map((name) => name.slice(0, -1));
  return (type) => exact.has(type) || prefixes.some((prefix) => type.startsWith(prefix));
}

function drained(raw: FastifyReply["raw"], signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const finish = () => {
      raw.off("drain", finish);
      signal.removeEventListener("abort", finish);
      resolve();
    };
    raw.once("drain", finish);
    signal.addEventListener("abort", finish, { once: true });
  });
}

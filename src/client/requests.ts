/** How the client asks: one request and its answer, or a stream over as many as it takes. Knows no route. */
import { isObject, type JsonObject } from "../core/json.ts";
import { ConnectionError, readApiError } from "./errors.ts";
import { type ReadOptions, readEvents, type StreamEvent } from "./events.ts";

export type ClientOptions = {
  url: string;
  /** None: the requests carry no key, for a browser that has a session. */
  apiKey?: string | null | undefined;
  fetch?: typeof fetch | undefined;
};

export type CallOptions = {
  signal?: AbortSignal | undefined;
  /** A repeat with the same key within 24 h gets the first answer; for requests that create. */
  idempotencyKey?: string | undefined;
};

type Query = Record<string, string | number | JsonObject | undefined>;
/** What a stream is asked for beside its types. */
export type StreamQuery = { times?: "true" | undefined; from?: "newest_run" | undefined };
type Method = "GET" | "POST" | "PATCH" | "DELETE";
type Call = CallOptions & {
  query?: Query;
  body?: unknown;
  /** A body that is sent as it comes. */
  upload?: { type: string; stream: ReadableStream<Uint8Array> };
  headers?: Record<string, string>;
};

export class Requests {
  readonly url: string;
  readonly #apiKey: string | null;
  readonly #fetch: typeof fetch;

  constructor({ url, apiKey, fetch: ownFetch }: ClientOptions) {
    this.url = url.replace(/\/+$/, "");
    this.#apiKey = apiKey ?? null;
    this.#fetch = ownFetch ?? globalThis.fetch.bind(globalThis);
  }

  /** A stream's events to its last, over as many connections as that takes. */
  events(
    path: string,
    options: ReadOptions,
    isLast: (type: string) => boolean,
    query?: StreamQuery,
  ): AsyncGenerator<StreamEvent, void, undefined> {
    const connect = (after: string | undefined, signal: AbortSignal) =>
      this.connect(path, options.types, after, signal, query);
    return readEvents(this.url + path, connect, { ...options, isLast });
  }

  /** One connection of a stream, after the event with this id. */
  connect(
    path: string,
    types: readonly string[] | undefined,
    after: string | undefined,
    signal: AbortSignal,
    query?: StreamQuery,
  ): Promise<Response> {
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (after !== undefined) headers["Last-Event-ID"] = after;
    return this.request("GET", path, { query: { types: types?.join(","), ...query }, headers, signal });
  }

  /** The answer's body. Throws an ApiError when the server refuses. */
  async json<T>(method: Method, path: string, call?: Call): Promise<T> {
    const response = await this.send(method, path, call);
    // The server's answers are checked against the schemas these types are inferred from, by its serializer.
    try {
      return (await response.json()) as T;
    } catch (error) {
      if (call?.signal?.aborted) throw call.signal.reason;
      throw new ConnectionError(this.url, `The answer of ${this.url} broke off.`, { cause: error });
    }
  }

  /** Throws an ApiError when the server refuses. */
  async send(method: Method, path: string, call?: Call): Promise<Response> {
    const response = await this.request(method, path, call);
    if (!response.ok) throw await readApiError(response);
    return response;
  }

  /** Rejects with a ConnectionError when nobody answers, or with the signal's reason. */
  async request(method: Method, path: string, call: Call = {}): Promise<Response> {
    const headers: Record<string, string> = { Accept: "application/json", ...call.headers };
    if (this.#apiKey !== null) headers.Authorization = `Bearer ${this.#apiKey}`;
    if (call.idempotencyKey !== undefined) headers["Idempotency-Key"] = call.idempotencyKey;
    const request: RequestInit & { duplex?: "half" } = { method, headers };
    if (call.body !== undefined) {
      headers["Content-Type"] = "application/json";
      request.body = JSON.stringify(call.body);
    }
    if (call.upload !== undefined) {
      headers["Content-Type"] = call.upload.type;
      request.body = call.upload.stream;
      request.duplex = "half";
    }
    if (call.signal) request.signal = call.signal;
    try {
      return await this.#fetch(this.url + path + queryText(call.query), request);
    } catch (error) {
      if (call.signal?.aborted) throw call.signal.reason;
      throw new ConnectionError(this.url, `Nobody answers at ${this.url}.`, { cause: error });
    }
  }
}

function queryText(query: Query = {}): string {
  const pairs = Object.entries(query).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, isObject(value) ? JSON.stringify(value) : String(value)]],
  );
  return pairs.length === 0 ? "" : `?${new URLSearchParams(pairs)}`;
}

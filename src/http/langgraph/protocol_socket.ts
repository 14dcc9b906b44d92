/** The newest protocol over one WebSocket: commands, and the events of the subscriptions they make. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { FastifyInstance } from "fastify";
import { Type } from "typebox";
import { Value } from "typebox/value";
import { type WebSocket, WebSocketServer } from "ws";
import type { JsonObject } from "../../core/json.ts";
import { Problem } from "../../core/problem.ts";
import type { ThreadRow } from "../../store/threads.ts";
import type { App } from "../app.ts";
import { hashKey, type Principal, principalOf, requireRole, sentKey } from "../auth.ts";
import {
  answerCommand,
  CommandBody,
  EventsBody,
  eventsOfThread,
  existingOrNew,
  subscriptionOf,
} from "./protocol.ts";
import type { Subscription } from "./protocol_events.ts";
import { statusOf } from "./words.ts";

const PATH = /^\/threads\/([^/?]+)\/stream\/events(?:\?|$)/;
const MAX_MESSAGE_BYTES = 10 * 1024 * 1024;
const MAX_SUBSCRIPTIONS = 100;
/** A close code of this protocol is this and an HTTP status. */
const HTTP_CLOSE = 4000;
const GOING_AWAY = 1001;

const Unsubscribe = Type.Object({ subscription_id: Type.String() });

export function serveSockets(http: FastifyInstance, app: App): void {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES });
  http.server.on("upgrade", (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    const thread_id = PATH.exec(request.url ?? "")?.[1];
    if (thread_id === undefined) {
      stream.end("HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n");
      return;
    }
    sockets.handleUpgrade(request, stream, head, (socket) => {
      new Connection(app, socket, decodeURIComponent(thread_id)).begin(request);
    });
  });
}

class Connection {
  readonly #app: App;
  readonly #socket: WebSocket;
  readonly #thread_id: string;
  readonly #over = new AbortController();
  readonly #subscriptions = new Map<string, { subscription: Subscription; since: number | null }>();
  #telling = new AbortController();
  #count = 0;

  constructor(app: App, socket: WebSocket, thread_id: string) {
    this.#app = app;
    this.#socket = socket;
    this.#thread_id = thread_id;
  }

  /** What comes before the key is known waits for it. */
  begin(request: IncomingMessage): void {
    const socket = this.#socket;
    const away = () => socket.close(GOING_AWAY);
    this.#app.closing.addEventListener("abort", away, { once: true });
    socket.on("error", () => socket.terminate());
    socket.on("close", () => {
      this.#app.closing.removeEventListener("abort", away);
      this.#over.abort();
    });
    const known = this.#authenticate(request);
    known.catch((error: unknown) => this.#refuse(error));
    socket.on("message", (text) => {
      known
        .then((principal) => this.#take(principal, String(text)))
        .catch((error: unknown) => this.#refuse(error));
    });
  }

  async #authenticate({ headers }: IncomingMessage): Promise<Principal> {
    const key = sentKey({ headers });
    const { database } = this.#app.node;
    const principal = key ? await principalOf(database, hashKey(key), this.#app.serverKey) : undefined;
    if (!principal) throw new Problem("unauthorized");
    return principal;
  }

  async #take(principal: Principal, text: string): Promise<void> {
    const command = parsed(text);
    if (!Value.Check(CommandBody, command)) throw new Problem("bad_request", { message: "Not a command." });
    const { id, method } = command;
    const params = command.params ?? {};
    if (method === "subscription.subscribe" || method === "subscription.reconnect") {
      requireRole(principal, "read");
      const { since, ...wanted } = params;
      const body = { ...wanted, ...(typeof since === "number" && { since }) };
      if (!Value.Check(EventsBody, body) || this.#subscriptions.size >= MAX_SUBSCRIPTIONS) {
        return this.#say({
          type: "error",
          id,
          error: "invalid_argument",
          message: "params.channels names what to tell.",
        });
      }
      const subscription = subscriptionOf(body);
      const subscription_id = `sub_${++this.#count}`;
      this.#subscriptions.set(subscription_id, { subscription, since: body.since ?? null });
      const thread = await existingOrNew(this.#app, principal, this.#thread_id);
      await this.#say({ type: "success", id, result: { subscription_id } });
      return this.#tell(thread);
    }
    if (method === "subscription.unsubscribe") {
      if (!Value.Check(Unsubscribe, params) || !this.#subscriptions.has(params.subscription_id)) {
        return this.#say({
          type: "error",
          id,
          error: "no_such_subscription",
          message: "There is no such subscription.",
        });
      }
      this.#subscriptions.delete(params.subscription_id);
      return this.#say({ type: "success", id, result: {} });
    }
    requireRole(principal, "run");
    return this.#say(await answerCommand(this.#app, principal, this.#thread_id, command));
  }

  /**
   * One stream for all subscriptions, so that a run's end comes after its messages, whoever asked for which. Another
   * subscription begins it anew: what the client has it knows by its id.
   */
  async #tell(thread: ThreadRow): Promise<void> {
    this.#telling.abort();
    this.#telling = new AbortController();
    const signal = AbortSignal.any([this.#telling.signal, this.#over.signal, this.#app.closing]);
    const all = [...this.#subscriptions.values()];
    const places = all.map(({ since }) => since ?? -1);
    const since = places.includes(-1) ? null : Math.min(...places);
    const wanted = all.map(({ subscription }) => subscription);
    // The next page is read when this one has left.
    for await (const page of eventsOfThread(this.#app, thread, wanted, since, signal)) {
      for (const event of page) if (!signal.aborted) await this.#say(event);
    }
  }

  /** Resolves when the message has left, or cannot any more. */
  #say(message: object): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket.readyState !== this.#socket.OPEN) resolve();
      else this.#socket.send(JSON.stringify(message), () => resolve());
    });
  }

  #refuse(error: unknown): void {
    const status = error instanceof Problem ? statusOf(error) : 500;
    if (status === 500) this.#app.logger.error({ error: String(error) }, "a socket broke off");
    this.#socket.close(
      HTTP_CLOSE + status,
      error instanceof Problem ? error.message.slice(0, 100) : "internal",
    );
  }
}

function parsed(text: string): JsonObject | undefined {
  try {
    return JSON.parse(text) as JsonObject;
  } catch {
    return undefined;
  }
}

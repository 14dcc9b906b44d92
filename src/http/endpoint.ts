/** An endpoint: its schema and its answer in one place. The route table gives it a method, a path and a role. */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Static, TSchema } from "typebox";
import type { Attempt } from "../store/idempotency.ts";
import type { App } from "./app.ts";
import type { Principal } from "./auth.ts";

export type Call<P, Q, B> = {
  app: App;
  params: P;
  query: Q;
  body: B;
  principal: Principal;
  /** Set when the request carries an Idempotency-Key. */
  attempt: Attempt | undefined;
  request: FastifyRequest;
  reply: FastifyReply;
};

/** What to answer; undefined when the endpoint has written the response itself (a stream, a file). */
export type Answer = { status: number; body?: unknown; headers?: Record<string, string> } | undefined;

export type Spec = {
  summary: string;
  tag: string;
  params?: TSchema;
  query?: TSchema;
  body?: TSchema;
  /** The body is a gzipped file: the endpoint reads it as a stream, and limits it. */
  upload?: boolean;
  /** Status → schema of its body; null: no body. */
  answers: Record<number, TSchema | null>;
  /** The answer is an event stream. */
  streams?: boolean;
  /** The answer is a file's bytes. */
  file?: boolean;
};

export type Endpoint = { spec: Spec; answer: (call: Call<never, never, never>) => Promise<Answer> };

type Of<S> = S extends TSchema ? Static<S> : undefined;

/** Ties a spec to its answer, so that the schema is also the handler's types. */
export function endpoint<const S extends Spec>(
  spec: S,
  answer: (call: Call<Of<S["params"]>, Of<S["query"]>, Of<S["body"]>>) => Promise<Answer>,
): Endpoint {
  return { spec, answer: answer as Endpoint["answer"] };
}

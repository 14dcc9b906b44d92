/** What an Idempotency-Key says about a request. It means the same only for one key of ours and one path. */
import { createHash } from "node:crypto";
import type { FastifyRequest } from "fastify";
import { Problem } from "../core/problem.ts";
import type { Attempt } from "../store/idempotency.ts";

const MAX_KEY_LENGTH = 255;

export function attemptOf(request: FastifyRequest, key_id: string, path: string): Attempt | undefined {
  const key = request.headers["idempotency-key"];
  if (key === undefined || request.method !== "POST") return undefined;
  if (typeof key !== "string" || key.length === 0 || key.length > MAX_KEY_LENGTH) {
    throw new Problem("bad_request", { message: `Idempotency-Key takes 1 to ${MAX_KEY_LENGTH} characters.` });
  }
  return {
    key_id,
    path,
    idempotency_key: key,
    body_hash: createHash("sha256")
      .update(JSON.stringify(request.body ?? null))
      .digest("base64"),
  };
}

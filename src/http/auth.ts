/** Who is asking: a key's role and the deployments it reaches. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyRequest } from "fastify";
import { Problem } from "../core/problem.ts";
import { type KeyRole, keyRoles } from "../core/session.ts";
import type { Queryable } from "../store/database.ts";
import { deploymentExists } from "../store/deployments.ts";
import { findKey } from "../store/keys.ts";
import { findSession } from "../store/sessions.ts";
import { isOwnPage, readCookie } from "./cookie.ts";

export type Principal = {
  key_id: string;
  role: KeyRole;
  /** null: all. */
  deployment_ids: string[] | null;
};

export function hashKey(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

/** `Authorization: Bearer <key>`, or `x-api-key`, as LangGraph's clients send it. */
export function sentKey({ headers }: Pick<FastifyRequest, "headers">): string | undefined {
  const [scheme, key] = (headers.authorization ?? "").split(/\s+/, 2);
  if (scheme?.toLowerCase() === "bearer" && key) return key;
  const named = headers["x-api-key"];
  return typeof named === "string" ? named : undefined;
}

/** The principal behind the request's key or, without one, the console's cookie. Throws unauthorized. */
export async function authenticate(
  q: Queryable,
  request: FastifyRequest,
  serverKey: string | null,
): Promise<Principal> {
  const key = sentKey(request);
  if (request.headers.authorization === undefined && !key && readCookie(request) !== undefined)
    return sessionOf(q, request, serverKey);
  if (!key) throw new Problem("unauthorized");
  const principal = await principalOf(q, hashKey(key), serverKey);
  if (!principal) throw new Problem("unauthorized");
  return principal;
}

/** The key that is always accepted, or one of the database's. */
export async function principalOf(
  q: Queryable,
  key_hash: string,
  serverKey: string | null,
): Promise<Principal | undefined> {
  if (serverKey !== null && timingSafeEqual(Buffer.from(key_hash), Buffer.from(hashKey(serverKey)))) {
    return { key_id: "server", role: "admin", deployment_ids: null };
  }
  return findKey(q, key_hash);
}

/** Who is signed in to the console: for as long as the key is there, with its rights. Throws unauthorized. */
export async function sessionOf(
  q: Queryable,
  request: FastifyRequest,
  serverKey: string | null,
): Promise<Principal & { expires_at: string }> {
  const cookie = readCookie(request);
  if (cookie === undefined) throw new Problem("unauthorized");
  if (!isOwnPage(request)) throw new Problem("cookie_refused");
  const session = await findSession(q, hashKey(cookie));
  const principal = session && (await principalOf(q, session.key_hash, serverKey));
  if (!principal) throw new Problem("unauthorized");
  return { ...principal, expires_at: session.expires_at };
}

/** Throws forbidden when the key's role is below the needed one. */
export function requireRole(principal: Principal, needed: KeyRole): void {
  if (keyRoles.indexOf(principal.role) >= keyRoles.indexOf(needed)) return;
  throw new Problem("forbidden", {
    message: `This needs a key with the role ${needed}; yours has ${principal.role}.`,
  });
}

/** Whether the key reaches a deployment. A thread that is bound to none is only for keys that reach all. */
export function reaches(principal: Principal): (deployment_id: string | null) => boolean {
  const { deployment_ids } = principal;
  return (deployment_id) =>
    deployment_ids === null || (deployment_id !== null && deployment_ids.includes(deployment_id));
}

/** Throws the 404 of a deployment that does not exist, for one the key does not reach. */
export function requireDeployment(principal: Principal, deployment_id: string): void {
  if (!reaches(principal)(deployment_id))
    throw new Problem("not_found", { what: "deployment", id: deployment_id });
}

/** Throws the same when there is none. */
export async function requireExisting(
  app: { node: { database: Queryable } },
  principal: Principal,
  deployment_id: string,
): Promise<void> {
  requireDeployment(principal, deployment_id);
  if (!(await deploymentExists(app.node.database, deployment_id)))
    throw new Problem("not_found", { what: "deployment", id: deployment_id });
}

/** Throws forbidden when the key is for some deployments only, and what is asked is of all. */
export function requireEverywhere({ deployment_ids }: Principal): void {
  if (deployment_ids === null) return;
  throw new Problem("forbidden", {
    message: "This key is for some deployments only, and this is about all of them.",
  });
}

/** The deployments a list is of: the one asked for, else those the key reaches. Undefined: all. Throws the 404 above. */
export function scopeOf(principal: Principal, deployment_id: string | undefined): string[] | undefined {
  if (deployment_id === undefined) return principal.deployment_ids ?? undefined;
  requireDeployment(principal, deployment_id);
  return [deployment_id];
}

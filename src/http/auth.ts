/** Who is asking: a key's role and the deployments it reaches. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyRequest } from "fastify";
import { Problem } from "../core/problem.ts";
import type { Queryable } from "../store/database.ts";
import { deploymentExists } from "../store/deployments.ts";
import { findKey, type KeyRole, keyRoles } from "../store/keys.ts";

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
function sentKey({ headers }: FastifyRequest): string | undefined {
  const [scheme, key] = (headers.authorization ?? "").split(/\s+/, 2);
  if (scheme?.toLowerCase() === "bearer" && key) return key;
  const named = headers["x-api-key"];
  return typeof named === "string" ? named : undefined;
}

/** The principal behind the request's key. Throws unauthorized. */
export async function authenticate(
  q: Queryable,
  request: FastifyRequest,
  serverKey: string | null,
): Promise<Principal> {
  const key = sentKey(request);
  if (!key) throw new Problem("unauthorized");
  const hash = hashKey(key);
  if (serverKey !== null && timingSafeEqual(Buffer.from(hash), Buffer.from(hashKey(serverKey)))) {
    return { key_id: "server", role: "admin", deployment_ids: null };
  }
  const found = await findKey(q, hash);
  if (!found) throw new Problem("unauthorized");
  return found;
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

/** The deployments a list is of: the one asked for, else those the key reaches. Undefined: all. Throws the 404 above. */
export function scopeOf(principal: Principal, deployment_id: string | undefined): string[] | undefined {
  if (deployment_id === undefined) return principal.deployment_ids ?? undefined;
  requireDeployment(principal, deployment_id);
  return [deployment_id];
}

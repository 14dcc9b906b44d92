/**
 * The console's cookie, and whether a request with it comes from the console's own pages. A browser sends the cookie by
 * itself, also for a page of another port of this host, so it counts for nothing else.
 */
import type { FastifyRequest } from "fastify";
import { SESSION_DAYS } from "../store/sessions.ts";

/** Pages of another origin cannot send this header unless a CORS answer lets them, and none does for the cookie. */
const CONSOLE_HEADER = "x-crewship-console";
const MAX_AGE_S = SESSION_DAYS * 24 * 3600;

/** Browsers keep cookies by host, not by port: two servers on one machine must not take each other's. */
function cookieName({ headers }: FastifyRequest): string {
  const port = /:(\d+)$/.exec(headers.host ?? "")?.[1];
  return port === undefined ? "crewship_session" : `crewship_session_${port}`;
}

export function readCookie(request: FastifyRequest): string | undefined {
  const name = cookieName(request);
  for (const pair of (request.headers.cookie ?? "").split(";")) {
    const [key, value] = pair.trim().split("=", 2);
    if (key === name && value) return value;
  }
  return undefined;
}

/** The header that sets the cookie; null: that removes it. */
export function setCookie(request: FastifyRequest, value: string | null): string {
  // A proxy may have ended TLS: the browser says in its Origin what it sees.
  const isSecure = request.headers.origin?.startsWith("https:") ?? false;
  const age = value === null ? 0 : MAX_AGE_S;
  return [
    `${cookieName(request)}=${value ?? ""}`,
    ...["Path=/", `Max-Age=${age}`, "HttpOnly", "SameSite=Strict"],
    ...(isSecure ? ["Secure"] : []),
  ].join("; ");
}

/**
 * Whether a page of this server's own sent the request. Browsers say so in Sec-Fetch-Site, except over plain HTTP to
 * other machines: there Origin has to be this host. What only reads may come from the address bar, too.
 */
export function isOwnPage({ method, headers }: FastifyRequest): boolean {
  const site = headers["sec-fetch-site"];
  const reads = method === "GET";
  if (!reads && headers[CONSOLE_HEADER] === undefined) return false;
  if (site !== undefined) return site === "same-origin" || (reads && site === "none");
  return headers.origin === undefined ? reads : hostOf(headers.origin) === headers.host;
}

function hostOf(origin: string): string | undefined {
  return URL.parse(origin)?.host;
}

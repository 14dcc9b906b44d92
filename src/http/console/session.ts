/** /console/session: a browser signs in with a key, and out. What it then has is a cookie that no script can read. */
import { randomBytes } from "node:crypto";
import { Type } from "typebox";
import { Problem } from "../../core/problem.ts";
import { Session } from "../../core/session.ts";
import { createSession, deleteSession, takeSignInCode } from "../../store/sessions.ts";
import { hashKey, principalOf, sessionOf } from "../auth.ts";
import { isOwnPage, readCookie, setCookie } from "../cookie.ts";
import { endpoint } from "../endpoint.ts";

const tag = "console";
const NOT_CACHED = { "cache-control": "no-store" };

export const signIn = endpoint(
  {
    summary:
      "Sign a browser in to the console, with a key or a code that signs in once: only for its own pages",
    tag,
    body: Type.Object(
      {
        api_key: Type.Optional(Type.String({ maxLength: 1000 })),
        code: Type.Optional(Type.String({ maxLength: 1000 })),
      },
      { additionalProperties: false, minProperties: 1, maxProperties: 1 },
    ),
    answers: { 200: Session },
  },
  async ({ app, body, request }) => {
    if (!isOwnPage(request))
      throw new Problem("forbidden", { message: "Browsers sign in on the console's own page only." });
    const { database } = app.node;
    const { api_key, code } = body;
    const cookie = randomBytes(32).toString("base64url");
    const { principal, expires_at } = await database.transaction(async (tx) => {
      const key_hash = api_key === undefined ? await takeSignInCode(tx, hashKey(code!)) : hashKey(api_key);
      const principal = key_hash === undefined ? undefined : await principalOf(tx, key_hash, app.serverKey);
      if (key_hash === undefined || !principal) throw new Problem("unauthorized");
      return { principal, expires_at: await createSession(tx, { session_hash: hashKey(cookie), key_hash }) };
    });
    const { role, deployment_ids } = principal;
    const headers = { ...NOT_CACHED, "set-cookie": setCookie(request, cookie) };
    return { status: 200, headers, body: { role, deployment_ids, expires_at } };
  },
);

export const get = endpoint(
  { summary: "Who is signed in to the console in this browser", tag, answers: { 200: Session } },
  async ({ app, request }) => {
    const { role, deployment_ids, expires_at } = await sessionOf(app.node.database, request, app.serverKey);
    return { status: 200, headers: NOT_CACHED, body: { role, deployment_ids, expires_at } };
  },
);

export const signOut = endpoint(
  { summary: "Sign this browser out of the console", tag, answers: { 204: null } },
  async ({ app, request }) => {
    const cookie = readCookie(request);
    if (cookie !== undefined) {
      if (!isOwnPage(request)) throw new Problem("cookie_refused");
      await app.node.database.transaction((tx) => deleteSession(tx, hashKey(cookie)));
    }
    return { status: 204, headers: { ...NOT_CACHED, "set-cookie": setCookie(request, null) } };
  },
);

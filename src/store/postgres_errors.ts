/** What PostgreSQL's errors mean to us, by SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html */
import { Problem } from "../core/problem.ts";

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "";
}

/** The database gave the transaction up for another's sake: serialization_failure, deadlock_detected. */
export function begunAgain(error: unknown): boolean {
  return ["40001", "40P01"].includes(codeOf(error));
}

/** A prepared statement is not there, there twice, or was planned for tables that have changed. */
export function isStaleStatement(error: unknown): boolean {
  const code = codeOf(error);
  return code === "26000" || code === "42P05" || (code === "0A000" && /cached plan/.test(String(error)));
}

const sentences: [RegExp, string][] = [
  [/^53100$/, "The database's disk is full. Free some space and try again."],
  [/^53300$/, "The database has no connection left. Lower --database-pool, or raise its max_connections."],
  [/^(57014|55P03|25P03)$/, "The database took too long. Try again."],
  [/^28/, "The database refuses this user or password. Check --database-url."],
  [/^3D000$/, "There is no such database. Create it, or check --database-url."],
  [/^42501$/, "The database user may not do that: it needs the right to create and use tables."],
  [/^25006$/, "The database is read-only, a standby perhaps. Connect to the primary."],
];
/** Connections that broke or cannot be made, and a server that starts, stops or has run out of something. */
const OUT_OF_REACH =
  /^(08|53|57P|58|ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ENOENT$)/;
const BROKEN =
  /Connection terminated|connection error|Query read timeout|timeout exceeded when trying to connect|not queryable/;

/** What cannot be done now is a 503 that says why; anything else is as it was. */
export function unavailable(error: unknown): unknown {
  if (error instanceof Problem) return error;
  const code = codeOf(error);
  const known = sentences.find(([pattern]) => pattern.test(code));
  if (known) return new Problem("unavailable", { message: known[1] }, { cause: error });
  if (!OUT_OF_REACH.test(code) && !BROKEN.test(String(error))) return error;
  return new Problem(
    "unavailable",
    { message: "The database cannot be reached. Try again shortly." },
    { cause: error },
  );
}

/** The same for whoever starts the server, and may have given a wrong address. */
export function atStart(error: unknown, url: string): unknown {
  const cause = error instanceof Problem ? error.cause : error;
  const isKnown = error instanceof Problem && sentences.some(([, sentence]) => sentence === error.message);
  if (isKnown || !(cause instanceof Error)) return error;
  const reason = cause.message || codeOf(cause);
  return new Problem(
    "unavailable",
    { message: `PostgreSQL at ${new URL(url).host} cannot be used: ${reason}. Check --database-url.` },
    { cause },
  );
}

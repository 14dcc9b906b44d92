/** Turns what went wrong into a sentence and an exit code: 1, the server said no; 2, wrong usage. */
import { CommanderError } from "commander";
import { ApiError, ConnectionError } from "../client/errors.ts";
import { ConfigError } from "../config.ts";

export const EXIT_REFUSED = 1;
export const EXIT_USAGE = 2;
/** 128 + SIGINT, as shells have it. */
export const EXIT_INTERRUPTED = 130;

/** The command line cannot be carried out as it is; the message says how it would be right. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** The person left with Ctrl-C. The message says what goes on without them. */
export class Interrupted extends Error {
  override name = "Interrupted";
}

export type Failure = {
  exit_code: number;
  code: string;
  /** Empty when it was said already. */
  message: string;
  details?: Record<string, unknown> | undefined;
};

export function failureOf(error: unknown): Failure {
  if (error instanceof CommanderError) {
    // Help and version come this way too; commander has printed its own sentence.
    return { exit_code: error.exitCode === 0 ? 0 : EXIT_USAGE, code: error.code, message: "" };
  }
  if (error instanceof UsageError || error instanceof ConfigError) {
    return { exit_code: EXIT_USAGE, code: "usage", message: error.message };
  }
  if (error instanceof Interrupted) {
    return { exit_code: EXIT_INTERRUPTED, code: "interrupted", message: error.message };
  }
  if (error instanceof ApiError) {
    const { code, message, details } = error;
    return { exit_code: EXIT_REFUSED, code, message, details };
  }
  if (error instanceof ConnectionError) {
    return { exit_code: EXIT_REFUSED, code: "no_connection", message: connectionSentence(error) };
  }
  const message =
    error instanceof Error ? (isSystemError(error) ? error.message : error.stack) : String(error);
  return { exit_code: EXIT_REFUSED, code: "internal", message: message ?? "Something went wrong." };
}

function connectionSentence(error: ConnectionError): string {
  const code = systemCode(error);
  if (code === "ECONNREFUSED") {
    return `There is no server at ${error.url}. Start one with \`crewship dev\` or \`crewship serve\`, or name another with --url.`;
  }
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") {
    return `There is no host ${error.url}. Check --url or CREWSHIP_URL.`;
  }
  return code === undefined ? error.message : `${error.message} (${code})`;
}

/** The code of the failed system call below an error: ECONNREFUSED, ECONNRESET, ENOTFOUND… */
function systemCode(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (isSystemError(at)) return at.code;
    if (at instanceof AggregateError && isSystemError(at.errors[0])) return at.errors[0].code;
  }
  return undefined;
}

export function isSystemError(error: unknown): error is Error & { code: string } {
  return error instanceof Error && "syscall" in error && "code" in error && typeof error.code === "string";
}

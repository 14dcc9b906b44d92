/** What the user's code threw, as the message and traceback a person reads: their files and lines, not ours. */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { AgentError } from "../../src/runner/protocol.ts";

const OUR_FOLDER = dirname(fileURLToPath(import.meta.url));
const MAX_TRACEBACK_CHARACTERS = 16 * 1024;
const MAX_CAUSES = 5;

/** An error whose code the server understands. */
export class CodedError extends Error {
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export function describeError(thrown: unknown): AgentError {
  const message = messageOf(thrown);
  const traceback = tracebackOf(thrown);
  return {
    ...(thrown instanceof CodedError && { code: thrown.code }),
    message,
    ...(traceback && { traceback }),
  };
}

export function messageOf(thrown: unknown): string {
  if (thrown instanceof Error || isErrorLike(thrown)) return thrown.message || thrown.name || "Error";
  try {
    return typeof thrown === "string" ? thrown : (JSON.stringify(thrown) ?? String(thrown));
  } catch {
    return "The agent threw a value that cannot be shown.";
  }
}

function tracebackOf(thrown: unknown): string {
  const parts: string[] = [];
  // Our own wording stands in the message; where it happened is in what we caught.
  const origin = thrown instanceof CodedError && thrown.cause !== undefined ? thrown.cause : thrown;
  for (let error = origin, i = 0; isErrorLike(error) && i < MAX_CAUSES; error = error.cause, i++) {
    const lines = String(error.stack ?? error.message).split("\n");
    const kept = lines.filter((line) => !isOurs(line) && !line.includes("node:internal/"));
    parts.push((i > 0 ? "Caused by: " : "") + kept.join("\n"));
  }
  return parts.join("\n").slice(0, MAX_TRACEBACK_CHARACTERS);
}

function isOurs(line: string): boolean {
  return /^\s+at /.test(line) && line.includes(OUR_FOLDER);
}

function isErrorLike(value: unknown): value is Error {
  return typeof value === "object" && value !== null && typeof (value as Error).message === "string";
}

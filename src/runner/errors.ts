/** How an agent process disappoints: it cannot load the agent, it is gone while runs are open, or none can be forked. */
import type { AgentError } from "./protocol.ts";

/** The agent could not be loaded. `error` is what the user sees: its message and, if known, the traceback. */
export class LoadError extends Error {
  readonly error: AgentError;

  constructor(error: AgentError) {
    super(error.message);
    this.name = "LoadError";
    this.error = error;
  }

  /** All that is known, for a person: most tracebacks end with the message. */
  get text(): string {
    const { message, traceback } = this.error;
    if (traceback === undefined) return message;
    return traceback.includes(message) ? traceback : `${message}\n${traceback}`;
  }
}

/** The agent process ended with runs open. `stderr` is the end of what it printed there, at most 4 KB. */
export class AgentLost extends Error {
  readonly reason: string;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stderr: string;

  constructor(reason: string, exitCode: number | null, signal: string | null, stderr: string) {
    super(`The agent process ${reason}.`);
    this.name = "AgentLost";
    this.reason = reason;
    this.exitCode = exitCode;
    this.signal = signal;
    this.stderr = stderr;
  }

  /** Somebody ended the process, or the system did: that says nothing about the agent. */
  get wasEndedFromOutside(): boolean {
    return (
      this.reason === `was ended by ${this.signal}` &&
      (this.signal === "SIGKILL" || this.signal === "SIGTERM")
    );
  }
}

/** No process of this version can be forked here, now or later. The message says why. */
export class CannotFork extends Error {}

/** The function that `[store] index` names could not embed; the message says why. */
export class EmbedError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "EmbedError";
  }
}

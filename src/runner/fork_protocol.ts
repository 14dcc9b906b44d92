/**
 * The messages between the server and a fork parent, the process that agent processes are forked from: one JSON object
 * per line over its file descriptor 3. A forked process itself speaks protocol.ts, over a connection of its own.
 */
import { type Static, Type } from "typebox";
import { Compile } from "typebox/compile";
import type { Framework } from "../core/deployment.ts";
import { Nullable } from "../core/schema.ts";

const Text = Type.String();

export const ForkParentMessage = Type.Union([
  /** The framework is imported. */
  Type.Object({ type: Type.Literal("ready") }),
  /** It forks no process, now or later. */
  Type.Object({ type: Type.Literal("cannot_fork"), reason: Text }),
  Type.Object({ type: Type.Literal("forked"), fork_id: Type.Integer(), pid: Type.Integer({ minimum: 2 }) }),
  Type.Object({ type: Type.Literal("fork_failed"), fork_id: Type.Integer(), reason: Text }),
  Type.Object({
    type: Type.Literal("exited"),
    pid: Type.Integer(),
    code: Nullable(Type.Integer()),
    signal: Nullable(Text),
  }),
  /** Sent every second and after each message. */
  Type.Object({ type: Type.Literal("alive"), memory_mb: Type.Number() }),
]);
export type ForkParentMessage = Static<typeof ForkParentMessage>;

export type ForkOrder =
  | { type: "import"; framework: Framework }
  /**
   * The child connects to `socket` three times, as the pipe and as its stdout and stderr, and begins each connection
   * with the token and the channel's digit.
   */
  | { type: "fork"; fork_id: number; socket: string; token: string };

const message = Compile(ForkParentMessage);

/** Parses one line from a fork parent. Throws an Error that says what is wrong with it. */
export function parseForkParentMessage(line: string): ForkParentMessage {
  const value: unknown = JSON.parse(line);
  if (!message.Check(value)) throw new Error(`a line that does not fit the protocol: ${line.slice(0, 120)}`);
  return value;
}

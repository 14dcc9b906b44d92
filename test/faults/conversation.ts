/** What a thread of the agent test/projects/echo-messages must hold, computed from the runs' inputs alone. */
import { createHash } from "node:crypto";

export type Message = { id: string; type: string; content: string };
/** A run's one message, and whether the run must have answered it, or may have stopped anywhere. */
export type Turn = { id: string; content: string; answered: boolean };

function answerTo(messages: readonly Message[]): Message {
  const digest = createHash("sha256");
  for (const message of messages) digest.update(`${message.id}\n${message.content}\n`);
  const content = `${messages.length} ${digest.digest("hex").slice(0, 16)}`;
  return { id: `answer to ${messages.at(-1)!.id}`, type: "ai", content };
}

/**
 * The messages the turns must have left. A run that was canceled or failed may have left none, its question, or both:
 * which, the state itself says.
 */
export function recompute(turns: readonly Turn[], actual: readonly Message[]): Message[] {
  const messages: Message[] = [];
  for (const { id, content, answered } of turns) {
    if (!answered && actual[messages.length]?.id !== id) continue;
    messages.push({ id, type: "human", content });
    const answer = answerTo(messages);
    if (answered || actual[messages.length]?.id === answer.id) messages.push(answer);
  }
  return messages;
}

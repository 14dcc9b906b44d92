/**
 * Answers with a digest of the whole conversation so far, so that a message lost, doubled or moved in any earlier turn
 * shows in every later answer. test/faults/conversation.ts computes the same without an agent.
 */
import { createHash } from "node:crypto";
import { AIMessage } from "@langchain/core/messages";
import { END, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";

export const graph = new StateGraph(MessagesAnnotation)
  .addNode("echo", ({ messages }) => {
    const digest = createHash("sha256");
    for (const message of messages) digest.update(`${message.id}\n${message.content}\n`);
    const content = `${messages.length} ${digest.digest("hex").slice(0, 16)}`;
    return { messages: [new AIMessage({ id: `answer to ${messages.at(-1)!.id}`, content })] };
  })
  .addEdge(START, "echo")
  .addEdge("echo", END)
  .compile();

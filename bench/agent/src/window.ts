/** Keeps the last 20 messages, by RemoveMessage: a state that stays the same size however long the thread is. */
import { AIMessage, RemoveMessage } from "@langchain/core/messages";
import { END, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";

const KEPT = 20;

export const graph = new StateGraph(MessagesAnnotation)
  .addNode("answer", ({ messages }) => ({
    messages: [new AIMessage(`${messages.length} `.padEnd(400, "answer "))],
  }))
  .addNode("forget", ({ messages }) => ({
    messages: messages.slice(0, -KEPT).map(({ id }) => new RemoveMessage({ id: id! })),
  }))
  .addEdge(START, "answer")
  .addEdge("answer", "forget")
  .addEdge("forget", END)
  .compile();

/** Answers in a subgraph that shares `messages` with its parent. */
import { AIMessage } from "@langchain/core/messages";
import { END, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";

const inner = new StateGraph(MessagesAnnotation)
  .addNode("echo", ({ messages }) => ({
    messages: [new AIMessage(`${messages.length} `.padEnd(400, "answer "))],
  }))
  .addEdge(START, "echo")
  .addEdge("echo", END)
  .compile();

export const graph = new StateGraph(MessagesAnnotation)
  .addNode("inner", inner)
  .addEdge(START, "inner")
  .addEdge("inner", END)
  .compile();

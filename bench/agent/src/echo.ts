/** One node that answers with 400 characters: what a turn costs is then what remembering costs. */
import { AIMessage } from "@langchain/core/messages";
import { END, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";

export const builder = new StateGraph(MessagesAnnotation)
  .addNode("echo", ({ messages }) => ({
    messages: [new AIMessage(`${messages.length} `.padEnd(400, "answer "))],
  }))
  .addEdge(START, "echo")
  .addEdge("echo", END);

export const graph = builder.compile();

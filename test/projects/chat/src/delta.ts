/** A conversation in a channel that stores only what was written. */
import { AIMessage } from "@langchain/core/messages";
import { Annotation, DeltaChannel, messagesDeltaReducer, START, StateGraph } from "@langchain/langgraph";

export const graph = new StateGraph(
  Annotation.Root({ messages: () => new DeltaChannel(messagesDeltaReducer, { snapshotFrequency: 5 }) }),
)
  .addNode("echo", (state) => ({ messages: [new AIMessage(`echo ${state.messages.length}`)] }))
  .addEdge(START, "echo")
  .compile();

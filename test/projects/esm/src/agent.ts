import { AIMessage } from "@langchain/core/messages";
import { END, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { Mood, Words } from "@lib/words";
import { sibling } from "./sibling.js";

const builder = new StateGraph(MessagesAnnotation)
  .addNode("say", (state) => {
    const revived = state.messages.every(
      (message) => message instanceof AIMessage || message.getType?.() !== "ai",
    );
    return { messages: [new AIMessage(`${new Words().say(Mood.Fine)} ${sibling} ${revived}`)] };
  })
  .addEdge(START, "say")
  .addEdge("say", END);

export const graph = builder.compile();
export const make = async () => builder.compile();
export { builder };
export const number = 42;

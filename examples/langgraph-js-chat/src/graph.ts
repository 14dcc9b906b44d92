/**
 * A chat agent: the model answers, or asks for a tool, sees what the tool said and answers then. There is no
 * checkpointer here: Crewship attaches its own, and each run finds the messages of the runs before it.
 */
import { MessagesAnnotation, StateGraph } from "@langchain/langgraph";
import { ToolNode, toolsCondition } from "@langchain/langgraph/prebuilt";
import { chatModel } from "./model.ts";
import { currentWeather } from "./weather.ts";

const tools = [currentWeather];
const model = (await chatModel()).bindTools(tools);

async function agent({ messages }: typeof MessagesAnnotation.State) {
  return { messages: [await model.invoke(messages)] };
}

export const graph = new StateGraph(MessagesAnnotation)
  .addNode("agent", agent)
  .addNode("tools", new ToolNode(tools))
  .addEdge("__start__", "agent")
  .addConditionalEdges("agent", toolsCondition)
  .addEdge("tools", "agent")
  .compile();

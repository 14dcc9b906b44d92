import { Annotation, END, START, StateGraph } from "@langchain/langgraph";
import { ChatOpenAI } from "@langchain/openai";

const State = Annotation.Root({
  topic: Annotation<string>,
  research: Annotation<string>,
  summary: Annotation<string>,
});

const model = new ChatOpenAI({ model: "gpt-4o-mini", apiKey: process.env.OPENAI_API_KEY ?? "none" });

async function research(state: typeof State.State) {
  const answer = await model.invoke(`Research: ${state.topic}`);
  return { research: String(answer.content) };
}
async function summarize(state: typeof State.State) {
  const answer = await model.invoke(`Summarize: ${state.research}`);
  return { summary: String(answer.content) };
}

export const graph = new StateGraph(State)
  .addNode("do_research", research)
  .addNode("summarize", summarize)
  .addEdge(START, "do_research")
  .addEdge("do_research", "summarize")
  .addEdge("summarize", END)
  .compile();

/** Graphs whose makeup is told: a state defined by zod, and a graph within a graph within a graph. */
import { Annotation, END, START, StateGraph } from "@langchain/langgraph";
import { z } from "zod";

const State = z.object({ topic: z.string().describe("What it is about"), depth: z.number().default(1) });

export const zod = new StateGraph(State, z.object({ tone: z.enum(["warm", "cold"]) }))
  .addNode("write", ({ topic }) => ({ topic }))
  .addEdge(START, "write")
  .addConditionalEdges("write", ({ depth }) => (depth > 1 ? "write" : END), ["write", END])
  .compile();

const Log = Annotation.Root({ log: Annotation<string[]>() });
const two = (inner: Parameters<StateGraph<typeof Log.spec>["addNode"]>[1] = () => ({})) =>
  new StateGraph(Log)
    .addNode("one", inner)
    .addNode("two", () => ({}))
    .addEdge(START, "one")
    .addEdge("one", "two")
    .addEdge("two", END)
    .compile();

export const nested = two(two(two()));

/** Its drawing fails. */
export const undrawn = Object.assign(two(), {
  getGraphAsync: () => Promise.reject(new Error("no drawing")),
});

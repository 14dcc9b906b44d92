/** Takes a step each 50 ms, each of which leaves a checkpoint, for as long as it is asked to. */
import { setTimeout as pause } from "node:timers/promises";
import { Annotation, END, START, StateGraph } from "@langchain/langgraph";

const STEP_MS = 50;
const State = Annotation.Root({ steps: Annotation<number>(), done: Annotation<number>() });

export const graph = new StateGraph(State)
  .addNode("step", async ({ done = 0 }) => {
    await pause(STEP_MS);
    return { done: done + 1 };
  })
  .addEdge(START, "step")
  .addConditionalEdges("step", ({ steps, done }) => (done < steps ? "step" : END))
  .compile();

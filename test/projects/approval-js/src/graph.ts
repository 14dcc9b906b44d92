/** Pays only what a person has approved. */
import { Annotation, END, interrupt, START, StateGraph } from "@langchain/langgraph";

const State = Annotation.Root({
  amount: Annotation<number>(),
  payments: Annotation<number[]>({ reducer: (all, more) => all.concat(more), default: () => [] }),
  outcome: Annotation<string>(),
});

export const graph = new StateGraph(State)
  .addNode("pay", ({ amount }) => {
    const answer = interrupt({ question: `Pay ${amount}?` });
    return answer === "yes" ? { payments: [amount], outcome: "paid" } : { outcome: "refused" };
  })
  .addEdge(START, "pay")
  .addEdge("pay", END)
  .compile();

/** Does with the store what its input says, one operation after another, in a node. */
import {
  Annotation,
  END,
  getStore,
  InMemoryStore,
  type LangGraphRunnableConfig,
  START,
  StateGraph,
} from "@langchain/langgraph";

type Operation = [
  name: "get" | "put" | "delete" | "search" | "listNamespaces" | "wait" | "through",
  ...args: never[],
];

const State = Annotation.Root({
  operations: Annotation<Operation[]>,
  results: Annotation<unknown[]>,
});

const subgraph = new StateGraph(State)
  .addNode("inner", async ({ operations }) => ({ results: await act(operations, getStore()) }))
  .addEdge(START, "inner")
  .addEdge("inner", END)
  .compile();

async function act(operations: Operation[], store: LangGraphRunnableConfig["store"]): Promise<unknown[]> {
  const results: unknown[] = [];
  for (const [name, ...args] of operations) {
    if (name === "wait") await new Promise((resolve) => setTimeout(resolve, ...args));
    else if (name === "through") results.push((await subgraph.invoke({ operations: args[0] })).results);
    else
      try {
        const method = store![name] as (...args: never[]) => Promise<unknown>;
        results.push((await method.apply(store, args)) ?? null);
      } catch (error) {
        results.push({ error: (error as Error).message });
      }
  }
  return JSON.parse(JSON.stringify(results));
}

export const graph = new StateGraph(State)
  .addNode("act", async ({ operations }, config) => ({
    results: await act(operations, config.store),
  }))
  .addEdge(START, "act")
  .addEdge("act", END)
  .compile({ store: new InMemoryStore() });

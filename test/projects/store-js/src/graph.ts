/** Does with the store what its input says, one operation after another, in a node. */
import { randomUUID } from "node:crypto";
import {
  Annotation,
  type BaseStore,
  END,
  getStore,
  InMemoryStore,
  type LangGraphRunnableConfig,
  START,
  StateGraph,
  writer,
} from "@langchain/langgraph";

type Operation = [
  name: "get" | "put" | "delete" | "search" | "listNamespaces" | "wait" | "many" | "through",
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

/** Says of each item that it was put, under keys that no other execution of this node uses. */
async function many(store: BaseStore, namespace: string[], count: number): Promise<void> {
  const execution = randomUUID();
  for (let i = 0; i < count; i++) {
    await store.put(namespace, `${execution} ${i}`, { i });
    writer({ acknowledged: `${execution} ${i}` });
  }
}

async function act(operations: Operation[], store: LangGraphRunnableConfig["store"]): Promise<unknown[]> {
  const results: unknown[] = [];
  for (const [name, ...args] of operations) {
    if (name === "wait") await new Promise((resolve) => setTimeout(resolve, ...args));
    else if (name === "many") await many(store!, ...(args as unknown as [string[], number]));
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

/** Graphs whose behaviour shows what a checkpointer gets right or wrong. */
import { AIMessage, HumanMessage, RemoveMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { FakeListChatModel } from "@langchain/core/utils/testing";
import {
  Annotation,
  Command,
  END,
  interrupt,
  MemorySaver,
  MessagesAnnotation,
  Send,
  START,
  StateGraph,
} from "@langchain/langgraph";
import { z } from "zod";

const number = { name: "double", description: "Doubles", schema: z.object({ n: z.number() }) };
const double = tool(({ n }: { n: number }) => String(2 * n), number);
const broken = tool(() => Promise.reject(new Error("broken tool")), { ...number, name: "broken" });
const model = new FakeListChatModel({ responses: ["hello you"] });

const Log = Annotation.Root({
  log: Annotation<string[]>({ reducer: (a, b) => a.concat(b), default: () => [] }),
  answer: Annotation<unknown>(),
  bad: Annotation<unknown>(),
});

const chat = () => new StateGraph(MessagesAnnotation);

const inner = chat()
  .addNode("think", (state) => ({
    messages: [
      new AIMessage({ content: `thought ${state.messages.length}`, id: `t${state.messages.length}` }),
    ],
  }))
  .addEdge(START, "think")
  .compile();

export const subgraph = chat()
  .addNode("inner", inner)
  .addNode("close", () => ({ messages: [new AIMessage("closed")] }))
  .addEdge(START, "inner")
  .addEdge("inner", "close")
  .addEdge("close", END)
  .compile();

/** Keeps the last four messages. */
export const trim = chat()
  .addNode("trim", (state) => ({
    messages: [
      ...state.messages.slice(0, -3).map((message) => new RemoveMessage({ id: message.id! })),
      new AIMessage(`kept ${Math.min(3, state.messages.length)}`),
    ],
  }))
  .addEdge(START, "trim")
  .compile();

/** Replaces the first message by another of the same id. */
export const replace = chat()
  .addNode("replace", (state) => ({
    messages: [new HumanMessage({ id: state.messages[0]!.id!, content: "replaced" })],
  }))
  .addEdge(START, "replace")
  .compile();

/** Changes the first message in place and returns it. */
export const mutate = chat()
  .addNode("mutate", (state) => {
    const first = state.messages[0]!;
    first.content = `${first.content}!`;
    return { messages: [first] };
  })
  .addEdge(START, "mutate")
  .compile();

export const ask = new StateGraph(Log)
  .addNode("before", () => ({ log: ["before"] }))
  .addNode("ask", () => ({ answer: interrupt({ question: "first?" }), log: ["asked"] }))
  .addNode("again", () => ({ answer: interrupt({ question: "second?" }), log: ["asked again"] }))
  .addEdge(START, "before")
  .addEdge("before", "ask")
  .addEdge("ask", "again")
  .addEdge("again", END)
  .compile();

export const steps = new StateGraph(Log)
  .addNode("a", () => ({ log: ["a, and a text that is long enough to be an item"] }))
  .addNode("b", () => ({ log: ["b"] }))
  .addNode("c", () => ({ log: ["c"] }))
  .addEdge(START, "a")
  .addEdge("a", "b")
  .addEdge("b", "c")
  .addEdge("c", END)
  .compile();

/** The same with a breakpoint and a checkpointer compiled in. */
export const guarded = new StateGraph(Log)
  .addNode("a", () => ({ log: ["a"] }))
  .addNode("b", () => ({ log: ["b"] }))
  .addEdge(START, "a")
  .addEdge("a", "b")
  .compile({ interruptBefore: ["b"], checkpointer: new MemorySaver() });

/** Pushes one task per entry. */
export const fanout = new StateGraph(Log)
  .addNode("split", () => ({ log: ["split"] }))
  .addNode("part", (state: { n: number }) => ({ log: [`part ${state.n}`] }))
  .addEdge(START, "split")
  .addConditionalEdges("split", () => [1, 2, 3].map((n) => new Send("part", { n })), ["part"])
  .compile();

export const forever = new StateGraph(Log)
  .addNode("wait", (_state, config) => {
    console.log("waiting");
    return new Promise((_resolve, reject) =>
      config.signal?.addEventListener("abort", () => reject(new Error("stopped"))),
    );
  })
  .addEdge(START, "wait")
  .compile();

export const flood = new StateGraph(Log)
  .addNode("print", () => {
    console.error("an error line");
    for (let i = 0; i < 200_000; i++) console.log(`line ${i} ${"x".repeat(80)}`);
    process.stdout.write("y".repeat(50_000));
    return { log: ["printed"] };
  })
  .addEdge(START, "print")
  .compile();

export const unstorable = new StateGraph(Log)
  .addNode("spoil", () => ({ bad: { handler: () => 1 } }))
  .addEdge(START, "spoil")
  .compile();

export const failing = new StateGraph(Log)
  .addNode("fine", () => ({ log: ["fine"] }))
  .addNode("fail", () => {
    throw new Error("the model is on fire");
  })
  .addEdge(START, "fine")
  .addEdge("fine", "fail")
  .compile();

export const loop = new StateGraph(Log)
  .addNode("again", () => ({ log: ["again"] }))
  .addEdge(START, "again")
  .addEdge("again", "again")
  .compile();

export const commanded = new StateGraph(Log)
  .addNode("go", () => new Command({ update: { log: ["go"] }, goto: "target" }), { ends: ["target"] })
  .addNode("target", () => ({ log: ["target"] }))
  .addEdge(START, "go")
  .compile();

/** Calls a tool, whose call and result are events. */
export const toolUser = new StateGraph(Log)
  .addNode("use", async () => ({ log: [await double.invoke({ n: 21 })] }))
  .addNode("misuse", async () => {
    await broken.invoke({ n: 1 }).catch(() => {});
    return { log: ["went on"] };
  })
  .addEdge(START, "use")
  .addEdge("use", "misuse")
  .compile();

/** Answers token by token. */
export const talker = chat()
  .addNode("talk", async (state) => ({ messages: [await model.invoke(state.messages)] }))
  .addEdge(START, "talk")
  .compile();

/** Writes its own events. */
export const custom = new StateGraph(Log)
  .addNode("write", (_state, config) => {
    config.writer?.({ percent: 50 });
    config.writer?.("half");
    return { log: ["written"] };
  })
  .addEdge(START, "write")
  .compile();

/** Holds what a serializer must know: dates, sets, documents. */
export const rich = new StateGraph(
  Annotation.Root({
    when: Annotation<Date>(),
    set: Annotation<Set<string>>(),
    kinds: Annotation<string[]>(),
  }),
)
  .addNode("first", () => ({ when: new Date(0), set: new Set(["a"]) }))
  .addNode("second", (state) => ({ kinds: [state.when, state.set].map((value) => value.constructor.name) }))
  .addEdge(START, "first")
  .addEdge("first", "second")
  .compile();

const asking = new StateGraph(Log)
  .addNode("inside", () => ({ log: [`told ${interrupt("inside?")}`] }))
  .addEdge(START, "inside");

/** A subgraph that asks. */
export const nested = new StateGraph(Log)
  .addNode("outer", asking.compile())
  .addNode("end", () => ({ log: ["end"] }))
  .addEdge(START, "outer")
  .addEdge("outer", "end")
  .compile();

/** Two questions at once. */
export const twice = new StateGraph(Log)
  .addNode("left", () => ({ log: [`left ${interrupt("left?")}`] }))
  .addNode("right", () => ({ log: [`right ${interrupt("right?")}`] }))
  .addNode("fine", () => ({ log: ["fine"] }))
  .addEdge(START, "left")
  .addEdge(START, "right")
  .addEdge(START, "fine")
  .compile();

/** Hands the whole conversation to pushed tasks. */
export const handover = chat()
  .addNode("hand", () => ({}))
  .addNode("take", (state) => ({
    messages: [new AIMessage({ content: `took ${state.messages.length}`, id: `k${state.messages.length}` })],
  }))
  .addEdge(START, "hand")
  .addConditionalEdges("hand", (state) => [new Send("take", state)], ["take"])
  .compile();

/** Looks at its own history while it runs. */
export const historian = new StateGraph(Log)
  .addNode("first", () => ({ log: ["first"] }))
  .addNode("look", async (_state, config) => {
    const { thread_id } = config.configurable!;
    const seen: string[] = [];
    const saver = config.configurable!.__pregel_checkpointer ?? config.configurable!.checkpointer;
    for await (const tuple of saver?.list({ configurable: { thread_id, checkpoint_ns: "" } }) ?? [])
      seen.push(tuple.metadata.source);
    return { log: [`saw ${seen.length}`] };
  })
  .addEdge(START, "first")
  .addEdge("first", "look")
  .compile();

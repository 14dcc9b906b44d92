/** A graph that does what its input says, so that a client of it sees everything a graph can do. */

import { SimpleChatModel } from "@langchain/core/language_models/chat_models";
import { AIMessage, AIMessageChunk, type BaseMessage, type ToolMessage } from "@langchain/core/messages";
import { ChatGenerationChunk } from "@langchain/core/outputs";
import { tool } from "@langchain/core/tools";
import {
  Annotation,
  END,
  interrupt,
  type LangGraphRunnableConfig,
  MessagesAnnotation,
  Send,
  START,
  StateGraph,
} from "@langchain/langgraph";
import { z } from "zod";

const State = Annotation.Root({
  ...MessagesAnnotation.spec,
  do: Annotation<string>(),
  count: Annotation<number>(),
  part: Annotation<number>(),
  log: Annotation<string[]>({ reducer: (a, b) => a.concat(b), default: () => [] }),
});
type State = typeof State.State;

/** Streams its answer word by word. */
class Words extends SimpleChatModel {
  _llmType() {
    return "words";
  }
  async _call(messages: BaseMessage[]) {
    return `you said ${String(messages.at(-1)?.content)}`;
  }
  override async *_streamResponseChunks(
    messages: BaseMessage[],
    _options: this["ParsedCallOptions"],
    manager?: { handleLLMNewToken(token: string, ...more: unknown[]): Promise<void> },
  ) {
    const text = await this._call(messages);
    for (const word of text.split(/(?<= )/)) {
      const chunk = new ChatGenerationChunk({ message: new AIMessageChunk({ content: word }), text: word });
      yield chunk;
      await manager?.handleLLMNewToken(word, undefined, undefined, undefined, undefined, { chunk });
    }
  }
}
const model = new Words({});

const double = tool(({ n }: { n: number }) => String(2 * n), {
  name: "double",
  description: "Doubles a number",
  schema: z.object({ n: z.number() }),
});

const inner = new StateGraph(State)
  .addNode("think", (_state: State, config: LangGraphRunnableConfig) => {
    config.writer?.({ thought: 1 });
    return { log: ["thought"] };
  })
  .addNode("doubt", (state: State) => (state.count === 7 ? { log: [`sure: ${interrupt("sure?")}`] } : {}))
  .addEdge(START, "think")
  .addEdge("think", "doubt")
  .compile();

export const graph = new StateGraph(State)
  .addNode("chat", async ({ messages }: State) => ({ messages: [await model.invoke(messages)] }))
  .addNode("call", () => ({
    messages: [
      new AIMessage({
        content: "",
        id: "calling",
        tool_calls: [{ id: "call_1", name: "double", args: { n: 21 }, type: "tool_call" }],
      }),
    ],
  }))
  .addNode("tools", async ({ messages }: State) => {
    const [call] = (messages.at(-1) as AIMessage).tool_calls!;
    const result: unknown = await double.invoke(call!);
    return { messages: [result as ToolMessage] };
  })
  .addNode("ask", () => ({ log: [`answer: ${interrupt("which one?")}`] }))
  .addNode("inner", inner)
  .addNode("fan", () => ({}))
  .addNode("work", ({ part }: State) => ({ log: [`part ${part}`] }))
  .addNode("fail", () => {
    throw new RangeError("too far");
  })
  .addNode("steps", async ({ count }: State, config: LangGraphRunnableConfig) => {
    for (let i = 1; i <= count; i++) {
      config.writer?.({ step: i });
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return { log: [`${count} steps`] };
  })
  .addNode("wait", async (_state: State, config: LangGraphRunnableConfig) => {
    await new Promise<void>((resolve) => config.signal!.addEventListener("abort", () => resolve()));
    return {};
  })
  .addNode("settings", (_state: State, config: LangGraphRunnableConfig) => ({
    log: [`${config.configurable?.tone} ${config.configurable?.assistant_id}`],
  }))
  .addConditionalEdges(
    START,
    (state: State) => (state.do === "tool" ? "call" : state.do === "send" ? "fan" : state.do),
    ["chat", "call", "ask", "inner", "fan", "fail", "steps", "wait", "settings"],
  )
  .addConditionalEdges("fan", () => [1, 2, 3].map((part) => new Send("work", { part })), ["work"])
  .addEdge("call", "tools")
  .addEdge("tools", END)
  .compile();

/** Says `events` things as fast as it can: custom events, or tokens of a model that has them all ready. Or a hundred a second, each with its time. */
import { setTimeout as pause } from "node:timers/promises";
import type { CallbackManagerForLLMRun } from "@langchain/core/callbacks/manager";
import { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { AIMessage, AIMessageChunk, type BaseMessage } from "@langchain/core/messages";
import { ChatGenerationChunk, type ChatResult } from "@langchain/core/outputs";
import { Annotation, END, START, StateGraph } from "@langchain/langgraph";

const State = Annotation.Root({
  way: Annotation<"custom" | "tokens" | "paced">(),
  events: Annotation<number>(),
  length: Annotation<number>(),
});

const PACE_MS = 10;
/** The event loop turns after so many custom events, as it would for an agent that waits for its model. */
const TURN_EVERY = 50;

/** LangChain's own fake models do not await their callbacks, and so lose tokens. */
class ReadyModel extends BaseChatModel {
  readonly tokens: number;

  constructor(tokens: number) {
    super({});
    this.tokens = tokens;
  }

  override _llmType(): string {
    return "ready";
  }

  override async _generate(): Promise<ChatResult> {
    const message = new AIMessage("word ".repeat(this.tokens));
    return { generations: [{ text: message.text, message }] };
  }

  override async *_streamResponseChunks(
    _messages: BaseMessage[],
    _options: this["ParsedCallOptions"],
    runManager?: CallbackManagerForLLMRun,
  ): AsyncGenerator<ChatGenerationChunk> {
    for (let i = 0; i < this.tokens; i++) {
      const text = "word ";
      const chunk = new ChatGenerationChunk({ text, message: new AIMessageChunk({ content: text }) });
      yield chunk;
      await runManager?.handleLLMNewToken(text, undefined, undefined, undefined, undefined, { chunk });
    }
  }
}

export const builder = new StateGraph(State)
  .addNode("speak", async ({ way, events }, config) => {
    if (way === "custom") {
      for (let i = 0; i < events; i++) {
        config.writer?.({ i });
        if (i % TURN_EVERY === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      return { length: events };
    }
    if (way === "paced") {
      for (let i = 0; i < events; i++) {
        config.writer?.({ i, at: Date.now() });
        await pause(PACE_MS);
      }
      return { length: events };
    }
    const answer = await new ReadyModel(events).invoke("speak", config);
    return { length: answer.text.length };
  })
  .addEdge(START, "speak")
  .addEdge("speak", END);

export const graph = builder.compile();

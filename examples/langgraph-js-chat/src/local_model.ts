/**
 * A chat model without a network: a few rules over the conversation, always the same answer to the same messages,
 * streamed word by word. It extends LangChain's BaseChatModel, so the graph cannot tell it from a real one.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { CallbackManagerForLLMRun } from "@langchain/core/callbacks/manager";
import type { BaseLanguageModelInput } from "@langchain/core/language_models/base";
import {
  BaseChatModel,
  type BaseChatModelCallOptions,
  type BindToolsInput,
} from "@langchain/core/language_models/chat_models";
import { AIMessage, AIMessageChunk, type BaseMessage } from "@langchain/core/messages";
import { ChatGenerationChunk, type ChatResult } from "@langchain/core/outputs";
import type { Runnable } from "@langchain/core/runnables";
import { cities } from "./weather.ts";

const WORD_DELAY_MS = 20;
/** For a message that says "slowly": time enough to watch, cancel, or kill the server in the middle of an answer. */
const SLOW_WORD_DELAY_MS = 500;

type LocalOptions = BaseChatModelCallOptions & { tools?: BindToolsInput[] };
type Reply = { text: string } | { tool: string; args: Record<string, string> };

export class LocalChatModel extends BaseChatModel<LocalOptions> {
  constructor() {
    super({});
  }

  override _llmType(): string {
    return "local-rules";
  }

  override bindTools(
    tools: BindToolsInput[],
    options?: Partial<LocalOptions>,
  ): Runnable<BaseLanguageModelInput, AIMessageChunk, LocalOptions> {
    return this.withConfig({ ...options, tools });
  }

  override async _generate(messages: BaseMessage[], options: this["ParsedCallOptions"]): Promise<ChatResult> {
    const reply = answer(messages, toolNames(options.tools));
    const message =
      "text" in reply
        ? new AIMessage({ content: reply.text })
        : new AIMessage({ content: "", tool_calls: [{ ...toolCall(reply, messages), type: "tool_call" }] });
    return { generations: [{ text: message.text, message }] };
  }

  override async *_streamResponseChunks(
    messages: BaseMessage[],
    options: this["ParsedCallOptions"],
    runManager?: CallbackManagerForLLMRun,
  ): AsyncGenerator<ChatGenerationChunk> {
    const reply = answer(messages, toolNames(options.tools));
    if (!("text" in reply)) {
      const { id, name, args } = toolCall(reply, messages);
      const tool_call_chunks = [
        { id, name, args: JSON.stringify(args), index: 0, type: "tool_call_chunk" as const },
      ];
      const message = new AIMessageChunk({ content: "", tool_call_chunks });
      yield new ChatGenerationChunk({ text: "", message });
      return;
    }
    const delay = /\bslowly\b/i.test(lastSaid(messages)) ? SLOW_WORD_DELAY_MS : WORD_DELAY_MS;
    for (const word of reply.text.match(/\S+\s*/g) ?? []) {
      await pause(delay, undefined, { signal: options.signal });
      const chunk = new ChatGenerationChunk({ text: word, message: new AIMessageChunk({ content: word }) });
      yield chunk;
      await runManager?.handleLLMNewToken(word, undefined, undefined, undefined, undefined, { chunk });
    }
  }
}

/** The rules, first match wins. Pure: everything it knows is in the conversation. */
export function answer(messages: BaseMessage[], tools: string[]): Reply {
  const said = saidByUser(messages);
  const last = said.at(-1) ?? "";
  const newest = messages.at(-1);
  if (newest?.getType() === "tool") return { text: `In ${lastCity(said)} it is ${newest.text}.` };

  const asksForWeather =
    /\bweather\b/i.test(last) || (/\b(and|what about)\b/i.test(last) && cityIn(last) !== undefined);
  const city = lastCity(said);
  if (asksForWeather && city !== undefined && tools.includes("current_weather")) {
    return { tool: "current_weather", args: { city } };
  }
  if (asksForWeather) return { text: `Which city? I know ${cities.map(capitals).join(", ")}.` };

  const name = nameIn(said);
  if (/\bmy name\b.*\?|\bwho am i\b/i.test(last)) {
    return name === undefined
      ? { text: "You have not told me your name yet." }
      : {
          text: `Your name is ${name.name}. You told me in your ${ordinal(name.turn)} message; this is your ${ordinal(said.length)}.`,
        };
  }
  if (nameIn([last]) !== undefined)
    return { text: `Nice to meet you, ${name?.name}! Ask me later and I will still know.` };
  const greeting = name === undefined ? "" : `${name.name}, `;
  if (said.length < 2) return { text: `You said: "${last}". This is the first message of our conversation.` };
  return {
    text: `${greeting}this is your ${ordinal(said.length)} message. Before it you said: "${said.at(-2)}". Now you say: "${last}".`,
  };
}

function saidByUser(messages: BaseMessage[]): string[] {
  return messages.filter((message) => message.getType() === "human").map((message) => message.text);
}

function lastSaid(messages: BaseMessage[]): string {
  return saidByUser(messages).at(-1) ?? "";
}

/** The name given last, and the number of the message that gave it. */
function nameIn(said: string[]): { name: string; turn: number } | undefined {
  return said
    .map((text, at) => ({
      name: /\b(?:my name is|i am called|call me) (\p{L}+)/iu.exec(text)?.[1] ?? "",
      turn: at + 1,
    }))
    .findLast(({ name }) => name !== "");
}

function cityIn(text: string): string | undefined {
  return cities.find((city) => new RegExp(`\\b${city}\\b`, "i").test(text));
}

/** The city named last in the conversation, as one writes it. */
function lastCity(said: string[]): string | undefined {
  const city = said.map(cityIn).findLast((found) => found !== undefined);
  return city && capitals(city);
}

function capitals(city: string): string {
  return city.replace(/\b\p{Ll}/gu, (letter) => letter.toUpperCase());
}

function ordinal(n: number): string {
  const ending = n % 100 >= 11 && n % 100 <= 13 ? "th" : (["th", "st", "nd", "rd"][n % 10] ?? "th");
  return `${n}${ending}`;
}

/** The id comes from the conversation's length, so the same messages ask with the same id. */
function toolCall(reply: { tool: string; args: Record<string, string> }, messages: BaseMessage[]) {
  return { id: `call_${messages.length}`, name: reply.tool, args: reply.args };
}

function toolNames(tools: BindToolsInput[] = []): string[] {
  return tools.flatMap((tool) => ("name" in tool && typeof tool.name === "string" ? [tool.name] : []));
}

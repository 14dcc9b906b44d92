/** Chooses the model: OpenAI's when there is a key for it, else the local one, which needs none. */
import { LocalChatModel } from "./local_model.ts";

const DEFAULT_MODEL = "gpt-4o-mini";

export async function chatModel() {
  if (!process.env.OPENAI_API_KEY) return new LocalChatModel();
  // Imported only here: it takes a moment to load, and most first tries go without it.
  const { ChatOpenAI } = await import("@langchain/openai");
  return new ChatOpenAI({ model: process.env.OPENAI_MODEL || DEFAULT_MODEL });
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { AIMessage, type BaseMessage, HumanMessage, ToolMessage } from "@langchain/core/messages";
import { answer, LocalChatModel } from "../examples/langgraph-js-chat/src/local_model.ts";

const tools = ["current_weather"];
const said = (...texts: string[]): BaseMessage[] =>
  texts.flatMap((text) => [new HumanMessage(text), new AIMessage("…")]).slice(0, -1);

test("the example's model knows in a later message what an earlier one said", () => {
  assert.deepEqual(answer(said("My name is Ada.", "Hello", "What is my name?"), tools), {
    text: "Your name is Ada. You told me in your 1st message; this is your 3rd.",
  });
  assert.deepEqual(answer(said("What is my name?"), tools), { text: "You have not told me your name yet." });
});

test("the example's model asks for its tool, also when only the city changes, and uses what it said", () => {
  const asked = said("What is the weather in Oslo?", "And in New York?");
  assert.deepEqual(answer(asked, tools), { tool: "current_weather", args: { city: "New York" } });
  const answered = [...asked, new ToolMessage({ content: "21 °C, sunny", tool_call_id: "call_3" })];
  assert.deepEqual(answer(answered, tools), { text: "In New York it is 21 °C, sunny." });
});

test("the example's model streams its answer word by word, the same words at every time", async () => {
  const read = async (): Promise<string[]> => {
    const words: string[] = [];
    for await (const chunk of await new LocalChatModel().stream([new HumanMessage("Hi")]))
      words.push(chunk.text);
    return words;
  };
  const words = await read();
  assert.equal(words.join(""), 'You said: "Hi". This is the first message of our conversation.');
  assert.ok(words.filter((word) => word !== "").length > 5);
  assert.deepEqual(await read(), words);
});

/** Does what `act` says; "all" is everything that becomes an event. */
import { writeFileSync } from "node:fs";
import { tool } from "@langchain/core/tools";
import { FakeListChatModel } from "@langchain/core/utils/testing";
import { Annotation, interrupt, type LangGraphRunnableConfig, START, StateGraph } from "@langchain/langgraph";
import { z } from "zod";

const State = Annotation.Root({
  act: Annotation<string>(),
  file: Annotation<string>(),
  said: Annotation<string>(),
});
type Values = typeof State.State;

const double = tool(({ n }) => String(2 * n), { name: "double", schema: z.object({ n: z.number() }) });
const broken = tool(
  () => {
    throw new Error("it broke");
  },
  { name: "broken", schema: z.object({ n: z.number() }) },
);
const model = new FakeListChatModel({ responses: ["so it is"] });

async function all(_state: Values, config: LangGraphRunnableConfig) {
  console.log("a line");
  writeFileSync(`${process.env.CREWSHIP_ARTIFACTS}/a.md`, "abc");
  config.writer?.({ percent: 50 });
  await double.invoke({ n: 21 }, config);
  await broken.invoke({ n: 1 }, config).catch(() => {});
  return { said: String((await model.invoke("how is it?", config)).content) };
}

async function heed({ file }: Values, { signal }: LangGraphRunnableConfig) {
  await new Promise((resolve) => signal!.addEventListener("abort", resolve));
  writeFileSync(file, "abort");
  return {};
}

function ignore({ file }: Values) {
  writeFileSync(file, String(process.pid));
  for (;;);
}

function fail(): Partial<Values> {
  throw new Error("no such luck");
}

export const graph = new StateGraph(State)
  .addNode("all", all)
  .addNode("heed", heed)
  .addNode("ignore", ignore)
  .addNode("fail", fail)
  .addNode("ask", () => ({ said: String(interrupt("how?")) }))
  .addConditionalEdges(START, ({ act }) => act, ["all", "heed", "ignore", "fail", "ask"])
  .compile();

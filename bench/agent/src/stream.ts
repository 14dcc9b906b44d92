/** Says `events` things as fast as it can: custom events, or tokens of a model that has them all ready. */
import { FakeListChatModel } from "@langchain/core/utils/testing";
import { Annotation, END, START, StateGraph } from "@langchain/langgraph";

const State = Annotation.Root({
  way: Annotation<"custom" | "tokens">(),
  events: Annotation<number>(),
  length: Annotation<number>(),
});

/** The event loop turns after so many custom events, as it would for an agent that waits for its model. */
const TURN_EVERY = 50;

export const builder = new StateGraph(State)
  .addNode("speak", async ({ way, events }, config) => {
    if (way === "custom") {
      for (let i = 0; i < events; i++) {
        config.writer?.({ i });
        if (i % TURN_EVERY === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      return { length: events };
    }
    // This model streams its answer character by character.
    const model = new FakeListChatModel({ responses: ["x".repeat(events)] });
    const answer = await model.invoke("speak", config);
    return { length: answer.content.length };
  })
  .addEdge(START, "speak")
  .addEdge("speak", END);

export const graph = builder.compile();

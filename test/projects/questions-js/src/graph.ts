/** Asks in every way a graph can. `way` says where it begins; each node says that it was called. */
import { existsSync, writeFileSync } from "node:fs";
import { Annotation, DeltaChannel, END, interrupt, START, StateGraph } from "@langchain/langgraph";

const shared = { way: Annotation<string>(), answer: Annotation<string>() };
const log = Annotation<string[]>({ reducer: (all, more) => all.concat(more), default: () => [] });
const State = Annotation.Root({ ...shared, log });
/** The same state, whose log is folded from what was written. */
const Folded = Annotation.Root({
  ...shared,
  log: () =>
    new DeltaChannel((all: string[] | undefined, writes: string[][]) => (all ?? []).concat(...writes), {
      snapshotFrequency: 50,
    }),
});

const says = (name: string) => () => {
  console.log(`${name} called`);
  return { log: [name] };
};
const asks = (name: string) => () => {
  console.log(`${name} called`);
  return { log: [`${name} ${interrupt(`${name}?`)}`] };
};

/** What an answer says. One with a file holds its run until the process is killed, unless the file is there. */
async function heard(answer: string | { say: string; hold_once: string }): Promise<string> {
  if (typeof answer === "string") return answer;
  if (!existsSync(answer.hold_once)) {
    writeFileSync(answer.hold_once, "");
    console.log("holding");
    await new Promise(() => {});
  }
  return answer.say;
}

const Inside = Annotation.Root({ answer: Annotation<string>() });
const inside = new StateGraph(Inside)
  .addNode("before", () => {
    console.log("before called");
    return {};
  })
  .addNode("inside", async () => {
    console.log("inside called");
    return { answer: await heard(interrupt("inside?")) };
  })
  .addEdge(START, "before")
  .addEdge("before", "inside")
  .compile();

const build = (state: typeof State) =>
  new StateGraph(state)
    .addNode("left", asks("left"))
    .addNode("right", asks("right"))
    .addNode("fine", says("fine"))
    .addNode("twice", async () => {
      console.log("twice called");
      const first = interrupt("first?");
      const second = await heard(interrupt("second?"));
      const third = second === "more" ? ` ${interrupt("third?")}` : "";
      return { log: [`twice ${first} ${second}${third}`] };
    })
    .addNode("outer", inside)
    .addNode("told", ({ answer }) => ({ log: [`told ${answer}`] }))
    .addNode("a", says("a"))
    .addNode("b", says("b"))
    .addNode("c", says("c"))
    .addConditionalEdges(START, ({ way }) => (way === "pair" ? ["left", "right", "fine"] : way), [
      "left",
      "right",
      "fine",
      "twice",
      "outer",
      "a",
    ])
    .addEdge("outer", "told")
    .addEdge("a", "b")
    .addEdge("b", "c")
    .addEdge("c", END)
    .compile();

export const graph = build(State);
export const folded = build(Folded as unknown as typeof State);

/** Does what its input asks for: speaks for a while, or misbehaves in one of the ways an agent can. */
import { setTimeout as pause } from "node:timers/promises";
import { Annotation, END, START, StateGraph } from "@langchain/langgraph";

const State = Annotation.Root({
  act: Annotation<string>(),
  /** Events to send in all, so many in a step, with a pause after every ten. */
  events: Annotation<number>(),
  step_size: Annotation<number>(),
  pause_ms: Annotation<number>(),
  /** Characters of each event. */
  size: Annotation<number>(),
  sent: Annotation<number>(),
  said: Annotation<string[]>({ reducer: (a, b) => a.concat(b), default: () => [] }),
});

const BEFORE_DEED_MS = 20;

const hoard: unknown[] = [];
const wrongdoings: Record<string, () => unknown> = {
  exit: () => process.exit(3),
  spin: () => {
    for (;;);
  },
  spin_after_cancel: async () => {
    await pause(1_000);
    for (;;);
  },
  stop: () => {
    process.kill(process.pid, "SIGSTOP");
    return pause(60_000);
  },
  flood: async () => {
    const line = `${"flood ".repeat(200)}\n`;
    for (let i = 0; i < 100_000; i++) {
      process.stdout.write(line);
      if (i % 1000 === 0) await pause(0);
    }
  },
  leak: () => {
    for (;;) hoard.push(Array.from({ length: 1000 }, (_, i) => ({ i })));
  },
  leak_buffers: async () => {
    for (;;) {
      hoard.push(Buffer.alloc(8 * 1024 * 1024, 1));
      await pause(10);
    }
  },
};

export const graph = new StateGraph(State)
  .addNode("behave", async ({ act }, config) => {
    // Said, and sent, before the deed: afterwards the process may never speak again.
    config.writer?.({ about_to: act, pid: process.pid });
    await pause(BEFORE_DEED_MS);
    await wrongdoings[act ?? ""]?.();
    return { said: [`did ${act}`] };
  })
  .addNode("speak", async ({ events = 0, step_size = 100, pause_ms = 0, size = 0, sent = 0 }, config) => {
    const end = Math.min(events, sent + step_size);
    for (let i = sent; i < end; i++) {
      config.writer?.({ i, text: "x".repeat(size) });
      if (i % 10 === 9) await pause(pause_ms);
    }
    return { sent: end };
  })
  .addEdge(START, "behave")
  .addConditionalEdges("behave", ({ events = 0, sent = 0 }) => (sent < events ? "speak" : END))
  .addConditionalEdges("speak", ({ events = 0, sent = 0 }) => (sent < events ? "speak" : END))
  .compile();

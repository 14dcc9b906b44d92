/** Does what `act` says; "all" is everything that becomes an event. */
import { writeFileSync } from "node:fs";

type Input = { act: "all" | "heed" | "ignore" | "fail" | "ask"; file: string };
type Context = {
  state: Record<string, unknown>;
  signal: AbortSignal;
  artifacts: string;
  emit(type: string | object, data?: object): void;
  interrupt(question: unknown): unknown;
};

export async function agent({ act, file }: Input, context: Context) {
  if (act === "heed") {
    await new Promise((resolve) => context.signal.addEventListener("abort", resolve));
    writeFileSync(file, "abort");
  }
  if (act === "ignore") {
    writeFileSync(file, String(process.pid));
    for (;;);
  }
  if (act === "fail") throw new Error("no such luck");
  if (act === "ask") return context.interrupt("how?");
  console.log("a line");
  context.emit("task.started", { task: "all" });
  context.emit("agent.started", { agent: "it" });
  context.emit("tool.called", { tool: "double", input: { n: 21 } });
  context.emit("tool.result", { tool: "double", output: "42" });
  context.emit("tool.called", { tool: "broken", input: { n: 1 } });
  context.emit("tool.error", { tool: "broken", error: "it broke" });
  context.emit("message.delta", { message_id: "m", content: "so it is" });
  writeFileSync(`${context.artifacts}/a.md`, "abc");
  context.emit("agent.error", { agent: "it", error: "it broke" });
  context.emit("agent.completed", { agent: "it" });
  context.emit("task.completed", { task: "all" });
  context.emit({ percent: 50 });
  context.state.said = "so it is";
  return { said: "so it is" };
}

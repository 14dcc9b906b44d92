/**
 * The limit we approach: the same graphs with LangGraph's own MemorySaver, in a process that does nothing else. Main
 * starts it as a child, and both take turns in one run of the program. Times are taken inside the child.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { lasting } from "./ends.ts";

export type Order =
  /** One run in a thread; answers with its ms. */
  | { do: "turn"; thread: string; content: string }
  /** `threads` new threads at once, `turns` runs in each; answers with the ms of all. */
  | { do: "crowd"; threads: number; turns: number; content: string }
  /** Reads the stream of one run; answers with the ms and how many chunks of that mode came. */
  | { do: "stream"; way: "custom" | "tokens"; events: number };
export type Answer = { ms: number; chunks: number };

export class Bare {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(): Promise<Bare> {
    return new Bare(await lasting(fork(fileURLToPath(import.meta.url), ["child"]), (child) => child.kill()));
  }

  async ask(order: Order): Promise<Answer> {
    this.#child.send(order);
    const [answer] = (await once(this.#child, "message")) as [Answer];
    return answer;
  }
}

async function serve(): Promise<void> {
  const { MemorySaver } = await import("@langchain/langgraph");
  const { HumanMessage } = await import("@langchain/core/messages");
  const echo = (await import("./agent/src/echo.ts")).builder.compile({ checkpointer: new MemorySaver() });
  const stream = (await import("./agent/src/stream.ts")).builder.compile({ checkpointer: new MemorySaver() });
  let made = 0;
  const turn = (thread_id: string, content: string) =>
    echo.invoke({ messages: [new HumanMessage(content)] }, { configurable: { thread_id } });

  async function carryOut(order: Order): Promise<number> {
    switch (order.do) {
      case "turn":
        await turn(order.thread, order.content);
        return 1;
      case "crowd": {
        const threads = Array.from({ length: order.threads }, () => `crowd ${++made}`);
        await Promise.all(
          threads.map(async (thread) => {
            for (let i = 0; i < order.turns; i++) await turn(thread, order.content);
          }),
        );
        return order.threads * order.turns;
      }
      case "stream": {
        const mode = order.way === "custom" ? "custom" : "messages";
        const config = {
          configurable: { thread_id: `stream ${++made}` },
          streamMode: [mode] as [typeof mode],
        };
        let chunks = 0;
        for await (const _ of await stream.stream({ way: order.way, events: order.events }, config)) chunks++;
        return chunks;
      }
    }
  }

  process.on("message", async (order: Order) => {
    const started = performance.now();
    const chunks = await carryOut(order);
    process.send?.({ ms: performance.now() - started, chunks } satisfies Answer);
  });
}

if (process.argv[2] === "child" && process.send) await serve();

/** Reads lines from a person or a pipe. On a terminal each prompt is an interface of its own, so that Ctrl-C reaches
 * the process as a signal while an answer is being written; a pipe is read through one, which keeps its lines. */
import { createInterface, type Interface } from "node:readline/promises";

export class Prompt implements Disposable {
  readonly #terminal = process.stdin.isTTY && process.stdout.isTTY;
  readonly #pipe: Interface | undefined;
  readonly #lines: AsyncIterator<string> | undefined;
  #past: string[] = [];

  constructor() {
    if (this.#terminal) return;
    this.#pipe = createInterface({ input: process.stdin });
    this.#lines = this.#pipe[Symbol.asyncIterator]();
  }

  /** The next line, or undefined when the person leaves (Ctrl-C, Ctrl-D) or the pipe ends. */
  async ask(prompt: string): Promise<string | undefined> {
    if (this.#lines) {
      const { value, done } = await this.#lines.next();
      return done ? undefined : value;
    }
    const lines = createInterface({ input: process.stdin, output: process.stdout, history: this.#past });
    lines.on("history", (past) => {
      this.#past = [...past];
    });
    const left = new AbortController();
    lines.once("close", () => left.abort());
    lines.once("SIGINT", () => left.abort());
    try {
      return await lines.question(prompt, { signal: left.signal });
    } catch (error) {
      if (!left.signal.aborted) throw error;
      process.stdout.write("\n");
      return undefined;
    } finally {
      lines.close();
    }
  }

  [Symbol.dispose](): void {
    this.#pipe?.close();
  }
}

/** Asks a person at a terminal; without one nobody can answer, and it is a yes. Ctrl-C and Ctrl-D are a no. */
export async function confirmed(question: string): Promise<boolean> {
  if (!(process.stdin.isTTY && process.stdout.isTTY)) return true;
  using prompt = new Prompt();
  return /^y(es)?$/i.test(((await prompt.ask(question)) ?? "").trim());
}

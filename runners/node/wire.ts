/**
 * The pipe to the server: one JSON message per line, both ways. It never reconnects: when the pipe breaks, the
 * process ends at once and the server's lease decides what becomes of its runs.
 */
import type { Socket } from "node:net";
import type { RunnerMessage, ServerMessage } from "../../src/runner/protocol.ts";

/** Above this many buffered bytes, whoever can wait does. */
const HIGH_WATER_BYTES = 1024 * 1024;

export class Wire {
  readonly #socket: Socket;
  readonly #waiting: (() => void)[] = [];

  constructor(socket: Socket, receive: (message: ServerMessage) => void, broken: () => void) {
    this.#socket = socket;
    socket.setEncoding("utf8");
    // A reply with a whole conversation comes in many pieces; joining them once keeps that linear.
    let pieces: string[] = [];
    socket.on("data", (text: string) => {
      let start = 0;
      for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
        pieces.push(text.slice(start, end));
        const line = pieces.join("");
        pieces = [];
        start = end + 1;
        if (line) receive(JSON.parse(line) as ServerMessage);
      }
      if (start < text.length) pieces.push(text.slice(start));
    });
    socket.on("drain", () => {
      for (const proceed of this.#waiting.splice(0)) proceed();
    });
    for (const event of ["end", "close", "error"]) socket.on(event, broken);
  }

  /** Sends one message and returns its length in characters. */
  send(message: RunnerMessage): number {
    const line = JSON.stringify(message);
    // What is said in one turn of the loop goes out in one write.
    if (this.#socket.writableCorked === 0) {
      this.#socket.cork();
      process.nextTick(() => this.#socket.uncork());
    }
    this.#socket.write(`${line}\n`);
    return line.length;
  }

  /** Bytes handed over that the server has not read yet. */
  get backlog(): number {
    return this.#socket.writableLength;
  }

  /** Resolves at once, or when the server has caught up. */
  async room(): Promise<void> {
    if (this.backlog <= HIGH_WATER_BYTES || !this.#socket.writableNeedDrain) return;
    await new Promise<void>((proceed) => this.#waiting.push(proceed));
  }
}

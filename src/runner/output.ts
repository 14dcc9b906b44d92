/**
 * What an agent process prints outside any run, on its way to the server's log. Bounded three ways, so that an agent
 * that floods its output costs the server neither memory, nor disk, nor a core: a long line is cut, lines over the
 * rate are dropped and counted, and beyond a volume the pipe is left unread until the second is over, which slows
 * the writer.
 */
import type { Readable } from "node:stream";

export const MAX_OUTPUT_LINE_BYTES = 8 * 1024;
export const MAX_OUTPUT_LINES_PER_SECOND = 200;
export const MAX_OUTPUT_BYTES_PER_SECOND = 16 * 1024 * 1024;
export const STDERR_TAIL_BYTES = 4 * 1024;
const WINDOW_MS = 1000;
const NEWLINE = 0x0a;

export type OutputStream = "stdout" | "stderr";
export type OnOutput = (line: string, stream: OutputStream) => void;

export class AgentOutput {
  readonly #stream: Readable;
  readonly #name: OutputStream;
  readonly #onOutput: OnOutput;
  #windowStart = performance.now();
  #windowLines = 0;
  #windowBytes = 0;
  #dropped = 0;
  #line: Buffer[] = [];
  #lineBytes = 0;
  #tail = Buffer.alloc(0);
  #pause: NodeJS.Timeout | undefined;
  #note: NodeJS.Timeout | undefined;
  #draining = false;

  constructor(stream: Readable, name: OutputStream, onOutput: OnOutput) {
    this.#stream = stream;
    this.#name = name;
    this.#onOutput = onOutput;
    stream.on("data", (chunk: Buffer) => this.#read(chunk));
    // A pipe that breaks here says nothing the process's exit does not say.
    stream.on("error", () => {});
    stream.on("close", () => this.#finish());
  }

  /** The end of what was printed, as text. */
  tail(): string {
    return this.#tail.toString("utf8").trim();
  }

  /** The writer has exited: read what is left, which the kernel's buffer bounds, without pausing. */
  drain(): void {
    this.#draining = true;
    clearTimeout(this.#pause);
    this.#stream.resume();
  }

  #read(chunk: Buffer): void {
    this.#tail = Buffer.concat([this.#tail, chunk.subarray(-STDERR_TAIL_BYTES)]).subarray(-STDERR_TAIL_BYTES);
    this.#turnWindow();
    let start = 0;
    while (start < chunk.length) {
      const newline = chunk.indexOf(NEWLINE, start);
      const end = newline === -1 ? chunk.length : newline;
      this.#keep(chunk.subarray(start, end));
      if (newline === -1) break;
      this.#emit();
      start = newline + 1;
    }
    this.#windowBytes += chunk.length;
    if (this.#windowBytes > MAX_OUTPUT_BYTES_PER_SECOND && !this.#draining) {
      this.#stream.pause();
      const rest = WINDOW_MS - (performance.now() - this.#windowStart);
      clearTimeout(this.#pause);
      this.#pause = setTimeout(() => this.#stream.resume(), Math.max(0, rest)).unref();
    }
  }

  #keep(part: Buffer): void {
    const room = Math.max(0, MAX_OUTPUT_LINE_BYTES - this.#lineBytes);
    // Copied, since a part would keep its whole chunk alive.
    if (room > 0 && part.length > 0) this.#line.push(Buffer.from(part.subarray(0, room)));
    this.#lineBytes += part.length;
  }

  #emit(): void {
    const more = this.#lineBytes - MAX_OUTPUT_LINE_BYTES;
    this.#windowLines++;
    if (this.#windowLines > MAX_OUTPUT_LINES_PER_SECOND) {
      this.#dropped++;
      this.#note ??= setTimeout(() => this.#noteDropped(), WINDOW_MS).unref();
    } else {
      const text = Buffer.concat(this.#line).toString("utf8").replace(/\r$/, "");
      this.#onOutput(more > 0 ? `${text}… (${more} more bytes dropped)` : text, this.#name);
    }
    this.#line = [];
    this.#lineBytes = 0;
  }

  #turnWindow(): void {
    const now = performance.now();
    if (now - this.#windowStart < WINDOW_MS) return;
    this.#windowStart = now;
    this.#windowLines = 0;
    this.#windowBytes = 0;
  }

  #noteDropped(): void {
    if (this.#dropped > 0) this.#onOutput(`(${this.#dropped} more lines dropped)`, this.#name);
    this.#dropped = 0;
    clearTimeout(this.#note);
    this.#note = undefined;
  }

  #finish(): void {
    clearTimeout(this.#pause);
    if (this.#lineBytes > 0) this.#emit();
    this.#noteDropped();
  }
}

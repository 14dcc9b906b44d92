/**
 * What the user's code prints. Inside a run it becomes that run's `log` events, line by line; outside of one it goes
 * to the process's own stdout and stderr, which the server logs with the version's id.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { StringDecoder } from "node:string_decoder";

export const MAX_LINE_CHARACTERS = 8 * 1024;

export interface LogSink {
  readonly over: boolean;
  log(level: string, message: string): void;
}

/** Cuts what is written into lines and keeps at most one bounded unfinished line. */
class Lines {
  readonly #sink: LogSink;
  readonly #level: string;
  readonly #decoder = new StringDecoder("utf8");
  #line = "";
  #cut = 0;

  constructor(sink: LogSink, level: string) {
    this.#sink = sink;
    this.#level = level;
  }

  write(chunk: string | Uint8Array, encoding: BufferEncoding): void {
    const bytes = typeof chunk !== "string" || (encoding !== "utf8" && encoding !== "utf-8");
    const text = bytes ? this.#decoder.write(Buffer.from(chunk as string, encoding)) : (chunk as string);
    let start = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
      this.#append(text.slice(start, end));
      this.end();
      start = end + 1;
    }
    if (start < text.length) this.#append(text.slice(start));
  }

  end(): void {
    const note = this.#cut > 0 ? ` … (${this.#cut} more characters)` : "";
    const line = this.#line.replace(/\r$/, "") + note;
    this.#line = "";
    this.#cut = 0;
    if (line !== "") this.#sink.log(this.#level, line);
  }

  #append(text: string): void {
    const room = MAX_LINE_CHARACTERS - this.#line.length;
    this.#line += text.slice(0, room);
    this.#cut += Math.max(0, text.length - room);
  }
}

type Capture = { sink: LogSink; stdout: Lines; stderr: Lines };
const current = new AsyncLocalStorage<Capture>();

/** Takes over both streams, for the life of the process. */
export function captureOutput(): void {
  for (const name of ["stdout", "stderr"] as const) {
    const stream = process[name];
    const original = stream.write.bind(stream);
    const write = (
      chunk: string | Uint8Array,
      encoding?: BufferEncoding | ((error?: Error | null) => void),
      callback?: (error?: Error | null) => void,
    ): boolean => {
      const capture = current.getStore();
      const [charset, written] =
        typeof encoding === "function" ? [undefined, encoding] : [encoding, callback];
      if (!capture || capture.sink.over) return original(chunk, charset ?? "utf8", written);
      capture[name].write(chunk, charset ?? "utf8");
      if (written) process.nextTick(written);
      return true;
    };
    stream.write = write as typeof stream.write;
  }
}

/** Runs `work` with everything it prints, now and later, going to `sink`. */
export async function withLogs<T>(sink: LogSink, work: () => Promise<T>): Promise<T> {
  const capture = { sink, stdout: new Lines(sink, "info"), stderr: new Lines(sink, "error") };
  try {
    return await current.run(capture, work);
  } finally {
    capture.stdout.end();
    capture.stderr.end();
  }
}

/** Cuts a stream of bytes into lines and keeps no more than one line of the agent's choosing in memory. */

const NEWLINE = 0x0a;

export class LineCutter {
  readonly #limitBytes: number;
  #parts: Buffer[] = [];
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** The lines that end in this chunk, without their newline. Throws a RangeError once a line is over the limit. */
  *cut(chunk: Buffer): Generator<Buffer> {
    let start = 0;
    while (true) {
      const end = chunk.indexOf(NEWLINE, start);
      const part = chunk.subarray(start, end === -1 ? chunk.length : end);
      this.#bytes += part.length;
      if (this.#bytes > this.#limitBytes) {
        this.#parts = [];
        throw new RangeError(`a line longer than ${Math.floor(this.#limitBytes / 1024 / 1024)} MB`);
      }
      if (end === -1) {
        if (part.length > 0) this.#parts.push(part);
        return;
      }
      const line = this.#parts.length === 0 ? part : Buffer.concat([...this.#parts, part]);
      this.#parts = [];
      this.#bytes = 0;
      start = end + 1;
      yield line;
    }
  }
}

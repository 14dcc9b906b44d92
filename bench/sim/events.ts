/**
 * A simulation of processes that take turns at stations, by events in the order of their time. A process is a generator:
 * it yields what it waits for, and is resumed when it has had it. Times are in milliseconds.
 */

/** Something a process waits for. */
export type Need = { wait(resume: () => void): void };
export type Process = Generator<Need, void>;

type Event = { at: number; then: () => void };

export class Simulation {
  now = 0;
  /** A binary heap, the next event first. */
  readonly #events: Event[] = [];
  #draw: number;

  constructor(seed: number) {
    this.#draw = seed;
  }

  begin(process: Process): void {
    const { value, done } = process.next();
    if (!done) value.wait(() => this.begin(process));
  }

  runUntil(end: number): void {
    for (;;) {
      const event = this.#pop();
      if (!event || event.at > end) return;
      this.now = event.at;
      event.then();
    }
  }

  after(ms: number, then: () => void): void {
    const events = this.#events;
    let i = events.push({ at: this.now + ms, then }) - 1;
    for (let up = (i - 1) >> 1; i > 0 && events[up]!.at > events[i]!.at; up = (i - 1) >> 1) {
      [events[i], events[up]] = [events[up]!, events[i]!];
      i = up;
    }
  }

  /** A draw of the exponential distribution. */
  about(mean: number): number {
    // mulberry32
    this.#draw = (this.#draw + 0x6d2b79f5) | 0;
    let bits = Math.imul(this.#draw ^ (this.#draw >>> 15), 1 | this.#draw);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return -mean * Math.log(1 - ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32);
  }

  delay(ms: number): Need {
    return { wait: (resume) => this.after(ms, resume) };
  }

  #pop(): Event | undefined {
    const events = this.#events;
    const next = events[0];
    const last = events.pop();
    if (!next || !last || events.length === 0) return next;
    events[0] = last;
    for (let i = 0; ; ) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2])
        if (child < events.length && events[child]!.at < events[least]!.at) least = child;
      if (least === i) return next;
      [events[i], events[least]] = [events[least]!, events[i]!];
      i = least;
    }
  }
}

/** Processors: as many at once as there are cores, first come, first served. */
export class Machine {
  readonly #simulation: Simulation;
  readonly #cores: number;
  readonly #queue: (() => void)[] = [];
  #busy = 0;
  /** Time of all cores together. */
  busyMs = 0;

  constructor(simulation: Simulation, cores: number) {
    this.#simulation = simulation;
    this.#cores = cores;
  }

  get cores(): number {
    return this.#cores;
  }

  /** Computes for about so long. */
  compute(meanMs: number): Need {
    return {
      wait: (resume) => {
        const begin = () => {
          const ms = this.#simulation.about(meanMs);
          this.#busy++;
          this.busyMs += ms;
          this.#simulation.after(ms, () => {
            this.#busy--;
            this.#queue.shift()?.();
            resume();
          });
        };
        if (this.#busy < this.#cores) begin();
        else this.#queue.push(begin);
      },
    };
  }
}

/** A write-ahead log: one flush at a time, and all who ask during one share the next. */
export class Disk {
  readonly #simulation: Simulation;
  readonly #flushMs: number;
  #waiting: (() => void)[] = [];
  #flushing = false;
  busyMs = 0;

  constructor(simulation: Simulation, flushMs: number) {
    this.#simulation = simulation;
    this.#flushMs = flushMs;
  }

  flush(): Need {
    return {
      wait: (resume) => {
        this.#waiting.push(resume);
        if (!this.#flushing) this.#begin();
      },
    };
  }

  #begin(): void {
    const flushed = this.#waiting;
    this.#waiting = [];
    this.#flushing = true;
    this.busyMs += this.#flushMs;
    this.#simulation.after(this.#flushMs, () => {
      this.#flushing = false;
      if (this.#waiting.length > 0) this.#begin();
      for (const resume of flushed) resume();
    });
  }
}

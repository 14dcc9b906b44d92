/**
 * The process that agent processes of one version are forked from: it has imported the framework and nothing of the
 * user's. Forks on demand and tells of its children's ends; when it ends, so do they.
 */
import type { Framework } from "../core/deployment.ts";
import { type Child, type Exit, signalGroup } from "./child.ts";
import { type RunnerOptions, spawnRunner } from "./command.ts";
import { CannotFork } from "./errors.ts";
import { type ForkOrder, type ForkParentMessage, parseForkParentMessage } from "./fork_protocol.ts";
import { type Channels, ForkSocket } from "./fork_socket.ts";
import { DRAIN_MS, FORK_TIMEOUT_MS, KILL_CONFIRM_MS, memoryCeilingMb, type ProcessLimits } from "./limits.ts";
import { LineCutter } from "./lines.ts";
import { AgentOutput, type OnOutput } from "./output.ts";

const MAX_LINE_BYTES = 64 * 1024;

export type ForkParentOptions = {
  runner: RunnerOptions;
  framework: Framework;
  /** Without children for so long, it stops. */
  idleTimeoutMs: number;
  onOutput: OnOutput;
  limits: ProcessLimits;
};

type Forked = { pid: number; exited: Promise<Exit> };

export class ForkParent {
  /** Resolves, never rejects, when it is gone and its children are gone or going; the value says why. */
  readonly ended: Promise<Error>;
  readonly #options: ForkParentOptions;
  readonly #lines = new LineCutter(MAX_LINE_BYTES);
  readonly #ready = Promise.withResolvers<void>();
  readonly #ending = Promise.withResolvers<Error>();
  /** Asked for and not told of yet, by their fork_id. */
  readonly #asked = new Map<number, PromiseWithResolvers<Forked>>();
  /** What to call when a child has ended, by its number. */
  readonly #children = new Map<number, (exit: Exit) => void>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #process: Child | undefined;
  #output: AgentOutput[] = [];
  #serial = 0;
  /** Callers in the middle of a fork. */
  #callers = 0;
  #idle: NodeJS.Timeout | undefined;
  /** Why nothing is forked from it any more. */
  #over: Error | undefined;
  #isReady = false;
  #isRetired = false;
  #isStopping = false;
  #hasExited = false;
  #hasEnded = false;

  constructor(options: ForkParentOptions) {
    this.#options = options;
    this.ended = this.#ending.promise;
    // Who asks for a fork is told; without one nobody waits for it.
    this.#ready.promise.catch(() => {});
    spawnRunner({ ...options.runner, args: ["--fork-parent"] }).then(
      (child) => this.#attach(child),
      (error: Error) => this.#end(new CannotFork(error.message)),
    );
    this.#after(options.limits.loadTimeoutMs, () => {
      const waited = options.limits.loadTimeoutMs / 1000;
      if (!this.#isReady) this.#refuse(`the framework had not been imported after ${waited} s`);
    });
    this.#restIfIdle();
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** True while a caller may ask it for a process. */
  get isOpen(): boolean {
    return !this.#isRetired && !this.#isStopping && !this.#over;
  }

  /** True when we ended it on purpose. */
  get wasStopped(): boolean {
    return this.#isStopping;
  }

  /**
   * A new process, where a fresh one stands after its first imports. Rejects with CannotFork when there never is one,
   * and with another Error when this one failed.
   */
  async fork(): Promise<Child> {
    this.#callers++;
    clearTimeout(this.#idle);
    try {
      await this.#ready.promise;
      if (this.#over) throw this.#over;
      const socket = await ForkSocket.open();
      try {
        return await this.#fork(socket);
      } finally {
        await socket.close();
      }
    } finally {
      this.#callers--;
      this.#restIfIdle();
    }
  }

  /** Forks no more for new callers, and stops when its last child has ended. */
  retire(): void {
    this.#isRetired = true;
    this.#restIfIdle();
  }

  /** Ends it, and its children with it. Resolves when it is gone. */
  async stop(): Promise<void> {
    if (!this.#isStopping) {
      this.#isStopping = true;
      this.#over ??= new Error("the process to fork from was stopped");
      this.#ready.reject(this.#over);
      this.#process?.pipe.end();
      this.#signal("SIGTERM");
      this.#after(this.#options.limits.stopGraceMs, () => this.#kill());
    }
    await this.ended;
  }

  async #fork(socket: ForkSocket): Promise<Child> {
    const fork_id = ++this.#serial;
    const asked = Promise.withResolvers<Forked>();
    const late = Promise.withResolvers<never>();
    this.#asked.set(fork_id, asked);
    const timer = setTimeout(() => {
      late.reject(new Error(`no process was forked within ${FORK_TIMEOUT_MS / 1000} s`));
      // It may be stopped or starved: its children need it, the next caller does not.
      this.retire();
    }, FORK_TIMEOUT_MS);
    this.#send({ type: "fork", fork_id, socket: socket.path, token: socket.token });
    let forked: Forked | undefined;
    try {
      forked = await Promise.race([asked.promise, late.promise]);
      const { pid, exited } = forked;
      const died = exited.then((exit): never => {
        throw new Error(`a forked process ${ending(exit)} before it had connected`);
      });
      return asChild(pid, await Promise.race([socket.connected, died, late.promise]), exited);
    } catch (error) {
      if (forked) this.#endChild(forked.pid);
      throw error;
    } finally {
      clearTimeout(timer);
      this.#asked.delete(fork_id);
    }
  }

  #attach(process: Child): void {
    this.#process = process;
    const { pipe, stdout, stderr } = process;
    const { onOutput, framework } = this.#options;
    this.#output = [new AgentOutput(stdout, "stdout", onOutput), new AgentOutput(stderr, "stderr", onOutput)];
    pipe.on("data", (chunk: Buffer) => this.#read(chunk));
    pipe.on("error", () => {});
    pipe.on("end", () => this.#after(this.#options.limits.stopGraceMs, () => this.#kill()));
    void process.exited.then((exit) => this.#drain(exit));
    if (this.#isStopping) this.#kill();
    else this.#send({ type: "import", framework });
  }

  #send(order: ForkOrder): void {
    if (this.#process?.pipe.writable) this.#process.pipe.write(`${JSON.stringify(order)}\n`);
  }

  #read(chunk: Buffer): void {
    try {
      for (const line of this.#lines.cut(chunk)) this.#receive(parseForkParentMessage(line.toString("utf8")));
    } catch (error) {
      this.#refuse(`it sent ${(error as Error).message}`);
      this.#kill();
    }
  }

  #receive(message: ForkParentMessage): void {
    switch (message.type) {
      case "ready":
        this.#isReady = true;
        this.#ready.resolve();
        return;
      case "cannot_fork":
        this.#refuse(message.reason);
        return;
      case "forked": {
        const { promise: exited, resolve } = Promise.withResolvers<Exit>();
        this.#children.set(message.pid, resolve);
        const asked = this.#asked.get(message.fork_id);
        if (asked) asked.resolve({ pid: message.pid, exited });
        // Nobody waits for it any more.
        else this.#endChild(message.pid);
        return;
      }
      case "fork_failed":
        this.#asked.get(message.fork_id)?.reject(new Error(message.reason));
        return;
      case "exited": {
        const { pid, code, signal } = message;
        const ended = this.#children.get(pid);
        this.#children.delete(pid);
        ended?.({ code, signal });
        this.#restIfIdle();
        return;
      }
      case "alive": {
        const ceiling = memoryCeilingMb(this.#options.runner.memoryMb);
        if (message.memory_mb > ceiling) this.#refuse(`its framework alone uses more than ${ceiling} MB`);
      }
    }
  }

  /** Nothing is forked from it any more; the children it has live on. */
  #refuse(reason: string): void {
    this.#fail(new CannotFork(reason));
    this.retire();
  }

  #fail(error: Error): void {
    this.#over ??= error;
    this.#ready.reject(error);
    for (const asked of this.#asked.values()) asked.reject(error);
  }

  #restIfIdle(): void {
    clearTimeout(this.#idle);
    if (this.#children.size > 0 || this.#callers > 0 || this.#isStopping) return;
    if (this.#isRetired) void this.stop();
    else this.#idle = setTimeout(() => void this.stop(), this.#options.idleTimeoutMs).unref();
  }

  /** Its group is its own once it has called setsid, which may not have happened yet. */
  #endChild(pid: number): void {
    if (!this.#children.has(pid)) return;
    signalGroup(pid, "SIGKILL");
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended.
    }
  }

  #kill(): void {
    this.#signal("SIGKILL");
    this.#after(KILL_CONFIRM_MS, () => this.#end(new Error("the process to fork from did not end")));
  }

  #signal(signal: "SIGTERM" | "SIGKILL"): void {
    if (this.#process && !this.#hasExited) signalGroup(this.#process.pid, signal);
  }

  /** It has exited: its children go too, as they would within a second by themselves. */
  #drain(exit: Exit): void {
    this.#hasExited = true;
    for (const output of this.#output) output.drain();
    for (const pid of this.#children.keys()) this.#endChild(pid);
    const reason = `the process to fork from ${ending(exit)}`;
    // One that exits before it is ready would do so again; one that was killed says nothing of the next.
    const error = exit.signal === null && !this.#isReady ? new CannotFork(reason) : new Error(reason);
    void this.#process?.closed.then(() => this.#end(error));
    this.#after(DRAIN_MS, () => this.#end(error));
  }

  #end(error: Error): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#fail(error);
    clearTimeout(this.#idle);
    for (const timer of this.#timers) clearTimeout(timer);
    for (const stream of [this.#process?.pipe, this.#process?.stdout, this.#process?.stderr])
      stream?.destroy();
    for (const ended of this.#children.values()) ended({ code: null, signal: "SIGKILL" });
    this.#children.clear();
    this.#ending.resolve(error);
  }

  #after(ms: number, act: () => void): void {
    if (!this.#hasEnded) this.#timers.add(setTimeout(act, ms));
  }
}

/** A forked process as AgentProcess takes it. */
function asChild(pid: number, channels: Channels, exited: Promise<Exit>): Child {
  const closed = Object.values(channels).map(
    (channel) => new Promise<void>((resolve) => channel.once("close", () => resolve())),
  );
  return { pid, ...channels, exited, closed: Promise.all([exited, ...closed]).then(() => {}) };
}

function ending({ code, signal }: Exit): string {
  return signal === null ? `exited with code ${code}` : `was ended by ${signal}`;
}

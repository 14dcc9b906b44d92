/**
 * One agent process: a child that has loaded one version and executes its runs. This file speaks the protocol with it
 * and ends it. It never restarts anything and knows nothing of versions or threads, nor how its child came to be.
 */
import { isDeepStrictEqual } from "node:util";
import type { Framework } from "../core/deployment.ts";
import type { Json } from "../core/json.ts";
import { type StoreSettings, storeSettings } from "../core/store_settings.ts";
import type { Structure } from "../core/structure.ts";
import { type Child, type Exit, signalGroup } from "./child.ts";
import { AgentLost, EmbedError, LoadError } from "./errors.ts";
import {
  DRAIN_MS,
  KILL_CONFIRM_MS,
  MAX_LINE_BYTES,
  MAX_STRUCTURE_BYTES,
  MAX_UNACKNOWLEDGED_BYTES,
  MAX_UNSENT_BYTES,
  MB,
  memoryCeilingMb,
  PROCESS_LIMITS,
  type ProcessLimits,
  SILENCE_CHECK_PARTS,
  WARM_SHARE,
} from "./limits.ts";
import { LineCutter } from "./lines.ts";
import type { Mask } from "./mask.ts";
import { AgentOutput, type OnOutput } from "./output.ts";
import {
  type ChatKeys,
  type EmbedRequest,
  parseRunnerMessage,
  type RunnerMessage,
  type RunnerMessageOf,
  type RunStart,
  type ServerMessage,
} from "./protocol.ts";
import { AgentRun, type RunHost } from "./run.ts";
import { unlessAborted } from "./unless_aborted.ts";

export type AgentProcessOptions = {
  /** Makes the child. Rejects when it cannot be started; the message completes "The agent process …". */
  launch: () => Promise<Child>;
  framework: Framework;
  entrypoint: string;
  /** The project's folder, absolute. */
  directory: string;
  chat: ChatKeys;
  store: StoreSettings;
  memoryMb: number;
  /** Hides its secrets in what it tells people. */
  mask?: Mask | undefined;
  /** A line printed outside any run. */
  onOutput: OnOutput;
  /** The process has been silent for so long, with a run under way. Called once per silence. */
  onHung?: (silentMs: number) => void;
  /** A process that was silent has spoken. */
  onHeard?: () => void;
  limits?: Partial<ProcessLimits>;
};

export class AgentProcess {
  /** Resolves, never rejects, when the process is gone; the value says why. */
  readonly ended: Promise<AgentLost>;
  readonly #options: AgentProcessOptions;
  readonly #limits: ProcessLimits;
  readonly #runs = new Map<string, AgentRun>();
  /** Runs sent since it last spoke: nothing says that it has begun them. */
  readonly #unheard = new Set<AgentRun>();
  readonly #full = new Set<AgentRun>();
  readonly #embedding = new Map<number, PromiseWithResolvers<RunnerMessageOf<"embedded">>>();
  #embeds = 0;
  readonly #lines = new LineCutter(MAX_LINE_BYTES);
  readonly #loading = Promise.withResolvers<void>();
  readonly #ending = Promise.withResolvers<AgentLost>();
  readonly #host: RunHost;
  #child: Child | undefined;
  #output: AgentOutput[] = [];
  #phase: "new" | "loading" | "loaded" | "ended" = "new";
  #reason: string | undefined;
  #broken = false;
  #exit: Exit | undefined;
  #silentMs = 0;
  #memoryMb = 0;
  #described: PromiseWithResolvers<Structure | null> | undefined;
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(options: AgentProcessOptions) {
    this.#options = options;
    this.#limits = { ...PROCESS_LIMITS, ...options.limits };
    this.ended = this.#ending.promise;
    this.#host = {
      send: (message) => this.#send(message),
      full: (run) => {
        this.#full.add(run);
        if (!this.#exit) this.#child?.pipe.pause();
      },
      drained: (run) => {
        this.#full.delete(run);
        if (this.#full.size === 0) this.#child?.pipe.resume();
      },
      kill: (reason) => this.kill(reason),
      cancelGraceMs: this.#limits.cancelGraceMs,
    };
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resident memory as the process last said, in MB. */
  get memoryMb(): number {
    return this.#memoryMb;
  }

  /** The runs in it. */
  get runIds(): string[] {
    return [...this.#runs.keys()].filter((id) => id.startsWith("run_"));
  }

  /** True while a run is behind and nothing is read from the process. */
  get readingPaused(): boolean {
    return this.#child?.pipe.isPaused() ?? false;
  }

  /** True when it has said nothing for so long that its loop must be blocked: a run sent to it now would wait. */
  get silent(): boolean {
    return this.#silentMs >= this.#limits.seatSilenceMs;
  }

  /** True when we ended it on purpose or for breaking a rule; false when it went by itself. */
  get wasEndedByUs(): boolean {
    return this.#reason !== undefined;
  }

  /** Starts the process and loads the agent. Rejects with a LoadError; the process is then gone or going. */
  start(): Promise<void> {
    if (this.#phase !== "new") throw new Error("An agent process starts once.");
    this.#phase = "loading";
    this.#options.launch().then(
      (child) => this.#attach(child),
      (error: Error) => {
        this.#reason ??= error.message;
        this.#end();
      },
    );
    this.#after(this.#limits.loadTimeoutMs, () => {
      if (this.#phase === "loading") {
        this.kill(`was killed: the agent had not loaded after ${this.#limits.loadTimeoutMs / 1000} s`);
      }
    });
    return this.#loading.promise;
  }

  /**
   * What the loaded agent is made of. Null: it has nothing to say, took too long, said too much, or is gone. Never
   * rejects.
   */
  describe(): Promise<Structure | null> {
    if (this.#phase !== "loaded") return Promise.resolve(null);
    if (!this.#described) {
      const described = Promise.withResolvers<Structure | null>();
      this.#described = described;
      this.#after(this.#limits.describeTimeoutMs, () => described.resolve(null));
      this.#send({ type: "describe" });
    }
    return this.#described.promise;
  }

  /** Starts a run. Aborting the signal cancels it; the messages go on until its end. */
  run(start: RunStart, signal?: AbortSignal): AgentRun {
    return this.#open({ type: "run", ...start }, signal);
  }

  /** Applies values as the node `asNode`; answered with a checkpoint and `done`, like a run. */
  update(start: RunStart, values: Json, asNode: string | null, signal?: AbortSignal): AgentRun {
    return this.#open({ type: "update", ...start, values, as_node: asNode }, signal);
  }

  /**
   * Has the agent's own function embed something: vectors with their paths, float32 in base64. Throws an Error with what the
   * function threw, AgentLost when the process ends first, and what aborts the signal.
   */
  async embed(request: EmbedRequest, signal: AbortSignal): Promise<[path: string, vector: string][]> {
    if (this.#phase !== "loaded") throw this.#loss();
    const request_id = ++this.#embeds;
    const answer = Promise.withResolvers<RunnerMessageOf<"embedded">>();
    this.#embedding.set(request_id, answer);
    try {
      this.#send({ type: "embed", request_id, ...request });
      const { vectors, error } = await unlessAborted(answer.promise, signal);
      if (vectors === undefined) throw new EmbedError(error?.message ?? "It gave no vectors.");
      return vectors;
    } finally {
      this.#embedding.delete(request_id);
    }
  }

  /** Ends the process: its pipe closes and it gets SIGTERM; SIGKILL follows. Resolves when it is gone. */
  async stop(): Promise<void> {
    if (this.#phase !== "ended" && this.#reason === undefined) {
      this.#reason = "was stopped";
      if (!this.#child) this.#end();
      this.#child?.pipe.end();
      this.#signalGroup("SIGTERM");
      this.#after(this.#limits.stopGraceMs, () => this.kill("was stopped"));
    }
    await this.ended;
  }

  /** Ends the process and its children at once. `reason` completes the sentence "The agent process …". */
  kill(reason: string): void {
    if (this.#phase === "ended") return;
    this.#reason ??= reason;
    // One that is still being made is ended as soon as it is there.
    if (!this.#child) this.#end();
    this.#signalGroup("SIGKILL");
    this.#after(KILL_CONFIRM_MS, () => this.#end());
  }

  #attach(child: Child): void {
    const { pid, pipe, stdout, stderr } = child;
    if (this.#phase === "ended") {
      signalGroup(pid, "SIGKILL");
      for (const stream of [pipe, stdout, stderr]) stream.destroy();
      return;
    }
    this.#child = child;
    const { onOutput } = this.#options;
    this.#output = [new AgentOutput(stdout, "stdout", onOutput), new AgentOutput(stderr, "stderr", onOutput)];
    pipe.on("data", (chunk: Buffer) => this.#read(chunk));
    // A write into a pipe the child has left: its end is reported by `end` and `exited`.
    pipe.on("error", () => {});
    pipe.on("end", () =>
      this.#after(this.#limits.stopGraceMs, () => this.kill("closed its pipe and was killed")),
    );
    void child.exited.then((exit) => this.#drain(exit));
    void child.closed.then(() => this.#end());
  }

  #open(
    message: Extract<ServerMessage, { type: "run" | "update" }>,
    signal: AbortSignal | undefined,
  ): AgentRun {
    const id = message.run_id;
    if (this.#runs.has(id)) throw new Error(`${id} is already in this agent process.`);
    const run = new AgentRun(id, this.#host);
    if (this.#phase !== "loaded") {
      run.lose(this.#loss());
      return run;
    }
    this.#runs.set(id, run);
    this.#unheard.add(run);
    const cancel = () => run.cancel();
    void run.ended.then(() => {
      this.#runs.delete(id);
      this.#unheard.delete(run);
      signal?.removeEventListener("abort", cancel);
    });
    this.#send(message);
    if (signal?.aborted) cancel();
    else signal?.addEventListener("abort", cancel, { once: true });
    return run;
  }

  #send(message: ServerMessage): void {
    const pipe = this.#child?.pipe;
    if (!pipe?.writable) return;
    pipe.write(`${JSON.stringify(message)}\n`);
    if (pipe.writableLength > MAX_UNSENT_BYTES) {
      this.#break(`was killed: it left ${Math.floor(MAX_UNSENT_BYTES / MB)} MB unread`);
    }
  }

  #read(chunk: Buffer): void {
    const wasSilent = this.silent;
    this.#silentMs = 0;
    if (wasSilent) this.#options.onHeard?.();
    try {
      for (const line of this.#lines.cut(chunk)) {
        if (this.#broken) return;
        this.#receive(parseRunnerMessage(line.toString("utf8")), line.length);
      }
    } catch (error) {
      this.#break(`was killed: it sent ${(error as Error).message}`);
    }
  }

  #receive(message: RunnerMessage, bytes: number): void {
    switch (message.type) {
      case "ready":
        this.#send({
          type: "load",
          framework: this.#options.framework,
          entrypoint: this.#options.entrypoint,
          directory: this.#options.directory,
          chat: this.#options.chat,
          max_unacknowledged_bytes: MAX_UNACKNOWLEDGED_BYTES,
          max_warm_bytes: Math.floor(this.#options.memoryMb * MB * WARM_SHARE),
          max_memory_mb: memoryCeilingMb(this.#options.memoryMb),
          ...(isDeepStrictEqual(this.#options.store, storeSettings({}))
            ? {}
            : { store: this.#options.store }),
        });
        return;
      case "loaded":
        if (this.#phase !== "loading") throw new Error("a second loaded");
        this.#phase = "loaded";
        this.#watchSilence();
        this.#loading.resolve();
        return;
      case "load_failed":
        this.#loading.reject(new LoadError(this.#options.mask?.error(message.error) ?? message.error));
        void this.stop();
        return;
      case "embedded":
        this.#embedding.get(message.request_id)?.resolve(message);
        return;
      case "described": {
        const { structure } = message;
        const tooLong = bytes > MAX_STRUCTURE_BYTES;
        this.#described?.resolve(structure && !tooLong ? this.#masked(structure) : null);
        return;
      }
      case "alive":
        this.#unheard.clear();
        this.#remember(message.memory_mb);
        return;
      default: {
        // A run that is over may have a straggler, such as a timer of the agent that logs: it belongs nowhere now.
        const run = this.#runs.get(message.run_id);
        if (!run) return;
        this.#unheard.delete(run);
        run.deliver(this.#options.mask?.message(message) ?? message, bytes);
      }
    }
  }

  #masked(structure: Structure): Structure {
    return this.#options.mask?.structure(structure) ?? structure;
  }

  #remember(memoryMb: number): void {
    this.#memoryMb = memoryMb;
    const ceiling = memoryCeilingMb(this.#options.memoryMb);
    if (memoryMb > ceiling) this.kill(`was killed: it used more than ${ceiling} MB`);
  }

  /**
   * Silence is counted in checks, not read off a clock: while the server itself stands still, or reads nothing because
   * a run is behind, it cannot know. A run that began before the silence may be what blocks the loop, rightly; with
   * none open, what blocks it is code nobody waits for, such as that of a run which answered its cancel and went on.
   */
  #watchSilence(): void {
    const { seatSilenceMs, hungAfterMs } = this.#limits;
    const every = seatSilenceMs / SILENCE_CHECK_PARTS;
    const timer = setInterval(() => {
      if (this.readingPaused) return;
      const before = this.#silentMs;
      this.#silentMs += every;
      if (this.#silentMs < hungAfterMs) return;
      if (this.#unheard.size === this.#runs.size) {
        this.kill(`was killed: it had been silent for ${hungAfterMs / 1000} s with no run under way`);
      } else if (before < hungAfterMs) this.#options.onHung?.(Math.round(this.#silentMs));
    }, every).unref();
    this.#timers.add(timer);
  }

  /** It no longer keeps to the protocol: nothing further from it is believed. */
  #break(reason: string): void {
    this.#broken = true;
    this.kill(reason);
    this.#child?.pipe.destroy();
  }

  /** It has exited: end its children, then read what it had written before, which the pipe's size bounds. */
  #drain(exit: Exit): void {
    this.#signalGroup("SIGKILL");
    this.#exit = exit;
    this.#child?.pipe.resume();
    for (const output of this.#output) output.drain();
    this.#after(DRAIN_MS, () => this.#end());
  }

  #end(): void {
    if (this.#phase === "ended") return;
    const loss = this.#loss();
    const wasLoading = this.#phase === "loading";
    this.#phase = "ended";
    for (const timer of this.#timers) clearTimeout(timer);
    const { pipe, stdout, stderr } = this.#child ?? {};
    for (const stream of [pipe, stdout, stderr]) stream?.destroy();
    if (wasLoading) {
      const traceback = loss.stderr === "" ? {} : { traceback: loss.stderr };
      const message = `The agent could not be loaded: its process ${loss.reason}.`;
      this.#loading.reject(
        loss.wasEndedFromOutside ? loss : new LoadError({ code: "load_failed", message, ...traceback }),
      );
    }
    for (const run of this.#runs.values()) run.lose(loss);
    for (const answer of this.#embedding.values()) answer.reject(loss);
    this.#described?.resolve(null);
    this.#ending.resolve(loss);
  }

  #loss(): AgentLost {
    const printed = this.#output[1]?.tail() ?? "";
    const stderr = this.#options.mask?.text(printed) ?? printed;
    const { code, signal } = this.#exit ?? { code: null, signal: null };
    return new AgentLost(this.#reason ?? this.#ownEnd(code, signal, stderr), code, signal, stderr);
  }

  #ownEnd(code: number | null, signal: string | null, stderr: string): string {
    if (stderr.includes("JavaScript heap out of memory")) {
      return `ran out of memory (memory_mb = ${this.#options.memoryMb})`;
    }
    // Python ends with the exception it had no memory for; the system's own killer is the SIGKILL below.
    if (code === 1 && /^MemoryError\b/.test(stderr.slice(stderr.lastIndexOf("\n") + 1))) {
      return `ran out of memory (memory_mb = ${this.#options.memoryMb})`;
    }
    if (signal !== null) return `was ended by ${signal}`;
    return code === null ? "is not running" : `exited with code ${code}`;
  }

  #signalGroup(signal: "SIGTERM" | "SIGKILL"): void {
    if (this.#child && !this.#exit) signalGroup(this.#child.pid, signal);
  }

  #after(ms: number, act: () => void): void {
    if (this.#phase !== "ended") this.#timers.add(setTimeout(act, ms));
  }
}

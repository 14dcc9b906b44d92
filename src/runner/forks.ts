/**
 * Makes the processes of one version in one environment by forking: keeps their fork parent, replaces one that is gone,
 * and starts a fresh process where none can be forked.
 */
import type { Child } from "./child.ts";
import { spawnRunner } from "./command.ts";
import { CannotFork } from "./errors.ts";
import { ForkParent, type ForkParentOptions } from "./fork_parent.ts";

/** On macOS a fork loses what the system's own libraries have started; elsewhere nothing counts the threads. */
const CANNOT_HERE =
  process.platform === "linux"
    ? undefined
    : `processes are forked on Linux only, and this is ${process.platform}`;

export class Forks {
  readonly #warn: (details: object, message: string) => void;
  readonly #parents = new Set<ForkParent>();
  #parent: ForkParent | undefined;
  #cannot = CANNOT_HERE;
  #told: string | undefined;
  #isStopped = false;

  constructor(warn: (details: object, message: string) => void) {
    this.#warn = warn;
  }

  /** True when there is no fork parent, not even one that waits for its last child to end. */
  get isEmpty(): boolean {
    return this.#parents.size === 0;
  }

  /** A process forked from one that has imported the framework, else a fresh one. */
  async launch(options: ForkParentOptions): Promise<Child> {
    const forked = await this.#fork(options);
    if (forked) return forked;
    if (this.#isStopped) throw new Error("was stopped");
    return spawnRunner(options.runner);
  }

  /** What processes are made of has changed: the next one comes from a new fork parent. */
  renew(): void {
    this.#parent?.retire();
    this.#parent = undefined;
    this.#cannot = CANNOT_HERE;
  }

  /** Resolves when no fork parent is left. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all([...this.#parents].map((parent) => parent.stop()));
  }

  async #fork(options: ForkParentOptions): Promise<Child | undefined> {
    if (this.#isStopped) return undefined;
    if (this.#cannot !== undefined) {
      this.#tell(this.#cannot);
      return undefined;
    }
    if (!this.#parent?.isOpen) this.#parent = this.#begin(options);
    const parent = this.#parent;
    try {
      return await parent.fork();
    } catch (error) {
      const { message } = error as Error;
      // What stopped or was renewed meanwhile says nothing.
      if (this.#isStopped || parent !== this.#parent) return undefined;
      if (error instanceof CannotFork) {
        this.#cannot = message;
        this.#tell(message);
      } else this.#warn({ reason: message }, "A process could not be forked; a fresh one starts");
      return undefined;
    }
  }

  #begin(options: ForkParentOptions): ForkParent {
    const parent = new ForkParent(options);
    this.#parents.add(parent);
    void parent.ended.then((reason) => {
      this.#parents.delete(parent);
      if (!parent.wasStopped)
        this.#warn({ pid: parent.pid, reason: reason.message }, "A fork parent has ended");
    });
    return parent;
  }

  /** Once for each reason, not with each run. */
  #tell(reason: string): void {
    if (reason === this.#told) return;
    this.#told = reason;
    this.#warn({ reason }, "Each run of this version starts a fresh process, since none can be forked");
  }
}

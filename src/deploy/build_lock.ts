/** The right to build in a folder, one holder on this machine at a time. The kernel takes it from a holder that dies. */
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { LoadError } from "../runner/errors.ts";

const ASK_AGAIN_MS = 200;

export type LockWait = {
  signal: AbortSignal;
  timeoutMs: number;
  /** Called once, when another holds it. */
  onWait: () => void;
};

/** A lock of SQLite on an empty file: a file with a process's number in it could outlive the process. */
export class BuildLock implements Disposable {
  readonly #path: string;
  readonly #file: DatabaseSync;

  constructor(path: string) {
    this.#path = path;
    this.#file = new DatabaseSync(path);
  }

  /** Resolves when it is held. Throws a LoadError when that takes too long, or the signal's reason. */
  async take({ signal, timeoutMs, onWait }: LockWait): Promise<void> {
    const until = performance.now() + timeoutMs;
    for (let turn = 0; !this.#tryTake(); turn++) {
      if (turn === 0) onWait();
      if (performance.now() > until) {
        throw new LoadError({
          code: "load_failed",
          message: `Another process has held ${this.#path} for ${Math.round(timeoutMs / 60_000)} minutes. End it and try again.`,
        });
      }
      await delay(ASK_AGAIN_MS, undefined, { signal });
    }
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }

  #tryTake(): boolean {
    try {
      this.#file.exec("pragma busy_timeout = 0; begin exclusive");
      return true;
    } catch (error) {
      if (error instanceof Error && /locked|busy/.test(error.message)) return false;
      throw error;
    }
  }
}

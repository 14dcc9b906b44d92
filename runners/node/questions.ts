/**
 * Questions of a plain function. It cannot stop in its middle, so a run that asks ends, and the one that answers calls
 * the function again: with the same input, from the same state, and with the answers so far.
 */
import { isObject, type Json } from "../../src/core/json.ts";
import type { StoredCheckpoint } from "../../src/runner/protocol.ts";
import { unescapeTags } from "./decode.ts";

/** What a checkpoint that asks keeps for the run that answers. All encoded. */
export type Asked = {
  /** The id of the question that waits. */
  question: string;
  input: Json;
  /** The thread's values when the function was first called. */
  begin: Record<string, Json>;
  answers: Json[];
};

/** What `context.interrupt` throws. Let it pass: the run ends here whether or not it is caught. */
export class Interrupted extends Error {
  constructor() {
    super("The run stops here to ask; the thread's next run goes on with the answer.");
    this.name = "Interrupted";
  }
}

export class Questions {
  readonly #answers: readonly Json[];
  #given = 0;
  /** The question nobody has answered yet. Of several at once only the first is asked; the others follow. */
  open: { value: unknown } | undefined;

  constructor(answers: readonly Json[]) {
    this.#answers = answers;
  }

  /** The answer to this question, counted from the function's first. Throws Interrupted when there is none yet. */
  ask(value: unknown): unknown {
    if (this.open) throw new Interrupted();
    if (this.#given < this.#answers.length) return unescapeTags(this.#answers[this.#given++]!);
    this.open = { value };
    throw new Interrupted();
  }
}

/** What a checkpoint asked, if it did. */
export function askedAt({ state }: StoredCheckpoint): Asked | undefined {
  return isObject(state) && typeof state.question === "string" ? (state as unknown as Asked) : undefined;
}

/** The value of `command.resume`, or the one under the question's id in it. */
export function answerIn(resume: Json, question: string): Json {
  const byId = isObject(resume) && Object.keys(resume).length === 1 ? resume[question] : undefined;
  return byId === undefined ? resume : byId;
}

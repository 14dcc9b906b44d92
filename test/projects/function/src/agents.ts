/** Plain functions as agents. */
type Context = {
  interrupt(question: unknown): unknown;
  state: Record<string, unknown>;
  emit(type: string | object, data?: unknown): void;
  signal: AbortSignal;
  thread_id: string | null;
  run_id: string;
};

export function count(input: { by?: number }, context: Context) {
  context.state.total = Number(context.state.total ?? 0) + (input.by ?? 1);
  context.state.history ??= [];
  const history = context.state.history as unknown[];
  history.push({ added: input.by ?? 1, text: "an entry that is long enough to be stored as an item" });
  return { total: context.state.total, thread: context.thread_id };
}

export async function* narrate(input: { words: string[] }, context: Context) {
  for (const word of input.words) yield { word };
  yield { type: "progress", data: { percent: 100 } };
  context.emit("note", { text: "emitted" });
  context.emit({ plain: true });
  context.state.when = new Date(0);
  delete context.state.gone;
  return input.words.length;
}

export const unprintable = () => ({ callback: () => 1 });

export function fail(_input: unknown, context: Context) {
  context.state.lost = true;
  throw new TypeError("no such luck");
}

export const forge = (_input: unknown, context: Context) => context.emit("run.completed", {});

export function wait(_input: unknown, context: Context) {
  console.log("waiting");
  return new Promise((_resolve, reject) => {
    context.signal.addEventListener("abort", () => reject(new Error("aborted")));
  });
}

export async function* stream(_input: unknown, context: Context) {
  yield { part: 1 };
  context.state.seen = true;
}

export function unstorable(_input: unknown, context: Context) {
  context.state.deep = { list: [1, () => 1] };
}

export async function chatter({ name }: { name: string }) {
  console.log(`${name} out`);
  console.error(`${name} err`);
  process.stdout.write(`${name} without an end`);
}

export const printLine = ({ length }: { length: number }) => console.log("x".repeat(length));

export function flood({ lines }: { lines: number }) {
  for (let i = 0; i < lines; i++) console.log(`line ${i}`);
}

export const large = ({ length }: { length: number }) => ({ text: "x".repeat(length) });

export function exit() {
  console.log("last words");
  setTimeout(() => process.exit(7), 50);
  return new Promise(() => {});
}

export function block() {
  console.log("blocked");
  for (;;);
}

/** Counts, asks twice, and tells what it was told. */
export function approve(input: { of: string }, context: Context) {
  context.state.count = Number(context.state.count ?? 0) + 1;
  context.emit("called", { input });
  let amount: unknown;
  let name: unknown;
  try {
    amount = context.interrupt({ question: "how much?", of: input.of });
    name = context.interrupt(["for whom?"]);
  } catch {
    return "swallowed";
  } finally {
    context.state.left = true;
  }
  context.state.paid = [amount, name];
  return { amount, name };
}

/** The agents of the transcripts, in Node. agents.py holds the same ones. */
type Context = {
  state: { messages?: object[]; count?: number; mood?: string };
  emit(type: string | object, data?: unknown): void;
  signal: AbortSignal;
};

export function echo({ text }: { text: string | null }, { state, emit }: Context) {
  if (text === null) throw new Error("no text");
  console.log("thinking");
  emit("progress", { part: 0.5 });
  state.messages = [...(state.messages ?? []), { by: "user", text }];
  state.count = state.messages.length;
  delete state.mood;
  return { text };
}

export function wait(_input: unknown, { emit, signal }: Context) {
  emit({ state: "waiting" });
  return new Promise((resolve) => signal.addEventListener("abort", resolve));
}

export function crash(_input: unknown, { emit }: Context) {
  emit({ text: "last words" });
  setTimeout(() => process.exit(7), 50);
  return new Promise(() => {});
}

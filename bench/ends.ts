/** What a case has started and must end with it: when it is over, when it throws, and at Ctrl-C. */
const ends: (() => Promise<unknown>)[] = [];

/** Answers with what is being started. It is ended by `end` even if Ctrl-C comes before it was there. */
export function lasting<T>(starting: T | Promise<T>, end: (started: T) => unknown): Promise<T> {
  const started = Promise.resolve(starting);
  ends.push(() => started.then(end));
  return started;
}

/** The last first, each however the others go. */
export async function endAll(): Promise<void> {
  for (let end = ends.pop(); end; end = ends.pop()) await end().catch(() => undefined);
}

/** `crewship thread events`: every run of a thread as it happens, a tree each for people, a line of JSON for machines. */
import type { CrewshipClient } from "../client/client.ts";
import { paint, print, printJson, terminalWidth } from "./output.ts";
import { EventTree } from "./tree.ts";

/** Resolves when the thread is deleted; rejects with the signal's reason. */
export async function followThread(
  client: CrewshipClient,
  thread_id: string,
  {
    json,
    signal,
    after,
    types,
  }: { json: boolean; signal: AbortSignal; after?: string | undefined; types?: string[] | undefined },
): Promise<void> {
  let run: string | undefined;
  let tree: EventTree | undefined;
  try {
    for await (const event of client.threadEvents(thread_id, { signal, after, types })) {
      if (json) {
        printJson(event);
        continue;
      }
      const [number] = event.id.split("-");
      if (number !== run) {
        process.stdout.write(tree?.end() ?? "");
        if (run !== undefined) print("");
        tree = new EventTree({
          run_id: `the thread's ${number}.`,
          paint,
          width: terminalWidth(),
          now: undefined,
        });
        run = number;
      }
      process.stdout.write(tree!.add(event));
    }
  } finally {
    process.stdout.write(tree?.end() ?? "");
  }
}

/** The server's stream of what has changed: it tells the cache what to read anew, so that lists show the present. */
import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { ApiError } from "../../src/client/errors.ts";
import type { Change } from "../../src/core/change.ts";
import { client, keys } from "./api.ts";
import { whileVisible } from "./visible.ts";

/** Changes of this time are read together. */
const READ_MS = 400;
const RETRY_MS = 1_000;

export function useChanges(): void {
  const cache = useQueryClient();
  useEffect(() => {
    let reading: ReturnType<typeof setTimeout> | undefined;
    let all = false;
    const runs = new Set<string>();
    const read = () => {
      reading = undefined;
      for (const list of [keys.threads, keys.runs]) {
        // Of a long list only what is on screen is read again.
        void cache.invalidateQueries({
          queryKey: list,
          predicate: ({ queryKey }) => queryKey[1] !== "pages",
        });
      }
      void cache.invalidateQueries({ queryKey: keys.operations });
      for (const id of runs) void cache.invalidateQueries({ queryKey: keys.run(id), exact: true });
      if (all) void cache.invalidateQueries({ queryKey: keys.deployments });
      runs.clear();
      all = false;
    };
    const take = (change: Change) => {
      all ||= !change.is_complete;
      for (const { run_id } of change.runs) runs.add(run_id);
      reading ??= setTimeout(read, READ_MS);
    };
    const stop = whileVisible((signal) => void follow(take, signal));
    return () => {
      stop();
      clearTimeout(reading);
    };
  }, [cache]);
}

async function follow(take: (change: Change) => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      // None of it is kept, so there is no place to go on after: the first of a stream says to read all anew.
      for await (const { data } of client.watchChanges({ signal, reconnectForMs: 0 })) take(data as Change);
    } catch (error) {
      if (signal.aborted || (error instanceof ApiError && error.status < 500 && error.status !== 429)) return;
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

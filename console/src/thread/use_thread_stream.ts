/**
 * A thread's stream, from its newest run on, for as long as the page is looked at: over every break of the connection and
 * every restart of the server, each event once. Tells the cache what to read anew.
 */
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { ApiError } from "../../../src/client/errors.ts";
import type { StreamEvent } from "../../../src/client/events.ts";
import { isLastEvent } from "../../../src/core/moves.ts";
import { client, keys } from "../api.ts";
import { whileVisible } from "../visible.ts";
import { applyEvent, type LiveRun } from "./live_run.ts";

/** Events are shown together, so that a fast stream draws the page a few times a second and not for every token. */
const SHOW_MS = 40;
/** So long after a commit the state is read; the commits of that time share the reading. */
const READ_MS = 150;
const RETRY_MS = 1_000;

/** null: there is nothing to show that is not in the state. */
export function useThreadStream(thread_id: string): LiveRun | null {
  const [live, setLive] = useState<LiveRun | null>(null);
  const cache = useQueryClient();

  useEffect(() => {
    let isOver = false;
    let run: LiveRun | null = null;
    /** A run that was over when the page came to see it has nothing to show. */
    let wasLive = false;
    let showing: ReturnType<typeof setTimeout> | undefined;
    let reading: ReturnType<typeof setTimeout> | undefined;

    const show = () => {
      showing = undefined;
      if (run && !run.over) wasLive = true;
      setLive(wasLive ? run : null);
    };
    const readAgain = () => {
      reading = undefined;
      const shown = run;
      const queries = [
        cache.invalidateQueries({ queryKey: keys.thread(thread_id), exact: true }),
        cache.invalidateQueries({ queryKey: keys.state(thread_id, null) }),
        cache.invalidateQueries({ queryKey: keys.history(thread_id) }),
        cache.invalidateQueries({ queryKey: keys.threadRuns(thread_id) }),
      ];
      if (!shown?.over) return;
      // Only when the state that the run left has been read does what was streamed go.
      void Promise.all(queries).then(() => {
        if (isOver || run !== shown) return;
        wasLive = false;
        setLive(null);
      });
    };
    let after: string | undefined;
    const take = (event: StreamEvent) => {
      after = event.id;
      run = applyEvent(run, event);
      showing ??= setTimeout(show, SHOW_MS);
      if (event.type === "state.updated" || event.type === "run.started" || isLastEvent(event.type))
        reading ??= setTimeout(readAgain, READ_MS);
    };
    const stop = whileVisible((signal) => void follow(thread_id, () => after, take, signal));
    return () => {
      isOver = true;
      stop();
      clearTimeout(showing);
      clearTimeout(reading);
      setLive(null);
    };
  }, [thread_id, cache]);

  return live;
}

async function follow(
  thread_id: string,
  place: () => string | undefined,
  take: (event: StreamEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const options = {
        from: "newest_run",
        after: place(),
        signal,
        reconnectForMs: Number.POSITIVE_INFINITY,
      } as const;
      for await (const event of client.threadEvents(thread_id, options)) take(event);
    } catch (error) {
      // A thread that is not there, or a session that ended, is said by the page's own requests.
      if (signal.aborted || (error instanceof ApiError && error.status < 500 && error.status !== 429)) return;
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

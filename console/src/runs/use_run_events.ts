/** A run's events, each with its time, as they come, to its last; over restarts of the server. */
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { ApiError } from "../../../src/client/errors.ts";
import type { StreamEvent } from "../../../src/client/events.ts";
import { client, keys } from "../api.ts";

const SHOW_MS = 80;
const RETRY_MS = 1_000;
/** Of a run that says more, the page shows the first so many. */
export const MOST_EVENTS = 50_000;

export function useRunEvents(run_id: string): { events: readonly StreamEvent[]; complete: boolean } {
  const [shown, setShown] = useState<{ events: readonly StreamEvent[]; complete: boolean }>({
    events: [],
    complete: false,
  });
  const cache = useQueryClient();
  useEffect(() => {
    const leaving = new AbortController();
    const { signal } = leaving;
    const events: StreamEvent[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const show = (complete: boolean) => {
      timer = undefined;
      setShown({ events: [...events], complete });
    };
    const read = async () => {
      while (!signal.aborted && events.length < MOST_EVENTS) {
        try {
          const options = {
            after: events.at(-1)?.id,
            times: true,
            signal,
            reconnectForMs: Number.POSITIVE_INFINITY,
          };
          for await (const event of client.runEvents(run_id, options)) {
            events.push(event);
            timer ??= setTimeout(show, SHOW_MS, false);
            if (events.length >= MOST_EVENTS) break;
          }
          clearTimeout(timer);
          show(true);
          return cache.invalidateQueries({ queryKey: keys.run(run_id) });
        } catch (error) {
          if (signal.aborted || (error instanceof ApiError && error.status < 500 && error.status !== 429))
            return;
        }
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    };
    void read();
    return () => {
      leaving.abort();
      clearTimeout(timer);
      setShown({ events: [], complete: false });
    };
  }, [run_id, cache]);
  return shown;
}

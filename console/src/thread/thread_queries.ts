/** What the thread's page reads: the thread, its state at a checkpoint, its history, its runs. */
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import type { PatchOperation } from "../../../src/client/client.ts";
import type { Checkpoint } from "../../../src/core/checkpoint.ts";
import { isObject } from "../../../src/core/json.ts";
import type { Interrupt } from "../../../src/core/thread.ts";
import { client, keys } from "../api.ts";
import type { Changes } from "../parts/json_tree.tsx";

/** The stream says when something changed; this is for what it does not tell, such as changes by hand elsewhere. */
const REFRESH_MS = 15_000;
const HISTORY_PAGE = 100;
const RUNS_SHOWN = 50;

export function useThread(thread_id: string) {
  return useQuery({
    queryKey: keys.thread(thread_id),
    queryFn: ({ signal }) => client.getThread(thread_id, { signal }),
    refetchInterval: REFRESH_MS,
  });
}

/** null: the newest. A past state never changes, so it is read once. */
export function useThreadState(thread_id: string, checkpoint_id: string | null) {
  return useQuery({
    queryKey: keys.state(thread_id, checkpoint_id),
    queryFn: ({ signal }) =>
      client.getState(thread_id, { signal, ...(checkpoint_id !== null && { checkpoint_id }) }),
    ...(checkpoint_id === null ? { refetchInterval: REFRESH_MS } : { staleTime: 60_000 }),
  });
}

export function useThreadRuns(thread_id: string) {
  return useQuery({
    queryKey: keys.threadRuns(thread_id),
    queryFn: async ({ signal }) =>
      (await client.listThreadRuns(thread_id, { limit: RUNS_SHOWN }, { signal })).runs,
    refetchInterval: REFRESH_MS,
  });
}

/** What a run stopped to ask, from its own last event: also once it was answered. null: nothing is looked for. */
export function useAsked(run_id: string | null) {
  return useQuery({
    queryKey: [...keys.run(run_id ?? ""), "asked"],
    queryFn: async ({ signal }): Promise<Interrupt[]> => {
      const asked: Interrupt[] = [];
      for await (const { data } of client.runEvents(run_id!, { signal, types: ["run.interrupted"] })) {
        if (isObject(data) && Array.isArray(data.interrupts)) asked.push(...(data.interrupts as Interrupt[]));
      }
      return asked;
    },
    enabled: run_id !== null,
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export type ListedCheckpoint = Omit<Checkpoint, "values" | "thread_id">;
const SELECT = "checkpoint_id,parent_checkpoint_id,run_id,step,source,next,tasks,metadata,created_at";

/** Every step, newest first, a page at a time. */
export function useHistory(thread_id: string) {
  const pages = useInfiniteQuery({
    queryKey: keys.history(thread_id),
    queryFn: async ({ pageParam, signal }): Promise<ListedCheckpoint[]> => {
      const { checkpoints } = await client.history(
        thread_id,
        { granularity: "step", limit: HISTORY_PAGE, select: SELECT, before: pageParam || undefined },
        { signal },
      );
      return checkpoints;
    },
    initialPageParam: "",
    getNextPageParam: (page) => (page.length < HISTORY_PAGE ? undefined : page.at(-1)!.checkpoint_id),
  });
  const checkpoints = useMemo(() => pages.data?.pages.flat() ?? [], [pages.data]);
  return { ...pages, checkpoints };
}

export function useDiff(thread_id: string, from: string | null | undefined, to: string | null | undefined) {
  return useQuery({
    queryKey: keys.diff(thread_id, from ?? "", to ?? ""),
    queryFn: async ({ signal }): Promise<PatchOperation[]> =>
      (await client.diff(thread_id, { from: from!, to: to! }, { signal })).patch,
    enabled: typeof from === "string" && typeof to === "string",
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** What a patch marks in the state it leads to; what was removed is not there to be marked. */
export function changesOf(patch: PatchOperation[] | undefined): Changes {
  return new Map(
    (patch ?? [])
      .filter(({ op }) => op === "add" || op === "replace")
      .map(({ op, path }) => [path, op === "add" ? "added" : "changed"]),
  );
}

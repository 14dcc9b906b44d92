/** The pages of a search for threads, kept fresh: what is new comes on top, what is on screen shows its present status. */
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import type { ThreadSearch } from "../../../src/client/client.ts";
import { type ThreadStatus, threadStatuses } from "../../../src/core/moves.ts";
import type { Thread } from "../../../src/core/thread.ts";
import { client, keys } from "../api.ts";

export type ListedThread = Pick<
  Thread,
  "thread_id" | "deployment_id" | "status" | "metadata" | "created_at" | "updated_at"
>;
const SELECT = ["thread_id", "deployment_id", "status", "metadata", "created_at", "updated_at"];

const PAGE = 100;
const NEWEST = 30;
/** The stream of changes says when to read; this is for what it does not tell. */
const REFRESH_MS = 30_000;

export function useThreadList(search: ThreadSearch | null) {
  const enabled = search !== null;
  const pages = useInfiniteQuery({
    queryKey: [...keys.threads, "pages", search],
    queryFn: ({ pageParam, signal }) =>
      client.searchThreads(
        { ...search, limit: PAGE, select: SELECT, ...(pageParam && { cursor: pageParam }) },
        { signal },
      ),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    enabled,
    placeholderData: keepPreviousData,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 60_000,
    refetchOnMount: "always",
  });
  const newest = useQuery({
    queryKey: [...keys.threads, "newest", search],
    queryFn: ({ signal }) => client.searchThreads({ ...search, limit: NEWEST, select: SELECT }, { signal }),
    enabled: enabled && pages.isSuccess,
    refetchInterval: REFRESH_MS,
  });
  const threads = useMemo(() => {
    const seen = new Map<string, ListedThread>();
    for (const thread of newest.data?.threads ?? []) seen.set(thread.thread_id, thread);
    for (const page of pages.data?.pages ?? [])
      for (const thread of page.threads) if (!seen.has(thread.thread_id)) seen.set(thread.thread_id, thread);
    return [...seen.values()];
  }, [newest.data, pages.data]);
  return { ...pages, threads };
}

/** The present of the threads on screen, by id. */
export function useFreshThreads(ids: string[]): Map<string, ListedThread> {
  const { data } = useQuery({
    queryKey: [...keys.threads, "on_screen", ids],
    queryFn: ({ signal }) => client.searchThreads({ ids, limit: PAGE, select: SELECT }, { signal }),
    enabled: ids.length > 0,
    refetchInterval: REFRESH_MS,
    placeholderData: keepPreviousData,
  });
  return useMemo(() => new Map((data?.threads ?? []).map((thread) => [thread.thread_id, thread])), [data]);
}

export type ThreadCounts = Record<ThreadStatus | "all", number>;

export function useThreadCounts(search: ThreadSearch | null): ThreadCounts | undefined {
  const { data } = useQuery({
    queryKey: [...keys.threads, "counts", search],
    queryFn: async ({ signal }): Promise<ThreadCounts> => {
      const { status: _, ...filter } = search ?? {};
      const counts = await Promise.all(
        threadStatuses.map((status) => client.countThreads({ ...filter, status }, { signal })),
      );
      const byStatus = Object.fromEntries(
        threadStatuses.map((status, i) => [status, counts[i]!.count]),
      ) as Record<ThreadStatus, number>;
      return { ...byStatus, all: counts.reduce((sum, { count }) => sum + count, 0) };
    },
    enabled: search !== null,
    refetchInterval: REFRESH_MS,
    placeholderData: keepPreviousData,
  });
  return data;
}
